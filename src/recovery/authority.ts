import type { BudgetEvent, EventType, TokenCreated } from '../budget/events.js'
import { secondsAfter } from '../budget/window.js'
import type { Cause } from '../ledger/record.js'
import { type Audit, fail, type RecordPlace } from './audit.js'

/**
 * How long after its end a token may still stand behind a record: it is looked at by the wall clock when a request
 * comes in, and the request may wait for its costs and for the writer.
 */
const GRACE_SECONDS = 10

const FOR_EVER = '9999-12-31T23:59:59.999Z'

/** Until when who may act, from the records that create and revoke tokens. */
export class Authority {
  /** `role:source` → token → the instant at which it stops to count. */
  readonly #tokens = new Map<string, Map<string, string>>()
  readonly #latest = new Map<string, string>()

  created({ token, role, source, expiresAt }: TokenCreated): void {
    const holder = `${role}:${source}`
    const until = expiresAt === null ? FOR_EVER : secondsAfter(expiresAt, GRACE_SECONDS)
    const tokens = this.#tokens.get(holder) ?? new Map<string, string>()
    this.#tokens.set(holder, tokens.set(token, until))
    if (until > (this.#latest.get(holder) ?? '')) this.#latest.set(holder, until)
  }

  revoked({ token, role, source }: TokenCreated, at: string): void {
    const holder = `${role}:${source}`
    const tokens = this.#tokens.get(holder)
    const end = secondsAfter(at, GRACE_SECONDS)
    if (tokens === undefined || end >= (tokens.get(token) ?? '')) return
    tokens.set(token, end)
    this.#latest.set(
      holder,
      [...tokens.values()].reduce((one, other) => (one > other ? one : other)),
    )
  }

  /** Whether anybody of this role and source had a token that was good then. */
  holds(holder: string, at: string): boolean {
    return at < (this.#latest.get(holder) ?? '')
  }

  /** Whether this very token was good then. */
  isGood({ token, role, source }: TokenCreated, at: string): boolean {
    return at < (this.#tokens.get(`${role}:${source}`)?.get(token) ?? '')
  }
}

/** `topic`: the ledger itself, because of a message. */
type Writer = 'operator' | 'approver' | 'emitter' | 'ledger' | 'topic'

/** Who writes what; whoever manages a token follows from the token's role. */
const WRITERS: { readonly [type in EventType]: Writer | 'manager' } = {
  LedgerOpened: 'ledger',
  PolicySet: 'operator',
  PolicyProposed: 'operator',
  PolicyRemovalProposed: 'operator',
  PolicyApproved: 'approver',
  SpendPart: 'emitter',
  SpendAccepted: 'emitter',
  SpendRefused: 'emitter',
  SpendReported: 'emitter',
  ReservationOpened: 'emitter',
  ReservationRefused: 'emitter',
  ReservationSettled: 'emitter',
  ReservationReleased: 'emitter',
  ReservationExpired: 'ledger',
  Halted: 'operator',
  Resumed: 'operator',
  TokenCreated: 'manager',
  TokenRevoked: 'manager',
  ClockConfirmed: 'operator',
  RequestInvalid: 'emitter',
  MessageQuarantined: 'topic',
  QuarantineDismissalProposed: 'operator',
  QuarantineDismissed: 'approver',
  OffsetsRecorded: 'ledger',
  TopicResetProposed: 'operator',
  TopicResetApproved: 'approver',
  GapDeclared: 'ledger',
}

/** A record was asked for by somebody whose role allows it, with a token that some record had created and none ended. */
export const checkAuthority = (audit: Audit, event: BudgetEvent, cause: Cause, place: RecordPlace): void => {
  const writer = WRITERS[event.type]
  if (writer === 'manager' && isOwnToken(event, cause, place)) return
  const wanted = writer === 'manager' ? managerOf(audit, event) : isForMessage(event) ? 'operator' : writer
  if (wanted === 'ledger' || wanted === 'topic') {
    const kind = wanted === 'ledger' ? 'system' : 'kafka'
    if (place.by !== 'system:ledger' || cause.kind !== kind) refuse(event, 'the ledger itself', cause, place)
    return
  }
  if (!place.by.startsWith(`${wanted}:`) || cause.kind === 'system' || cause.kind === 'cli')
    refuse(event, `the role ${wanted}`, cause, place)
  // Whoever may write to a topic needs no token: its access list is the guard.
  if (cause.kind === 'kafka') return
  if (!audit.authority.holds(place.by, place.at)) {
    fail(
      'NOT_AUTHORISED',
      place,
      `a ${event.type} was asked for by ${JSON.stringify(place.by)}, which had no token at ${place.at} that some record created and none revoked or let expire`,
    )
  }
}

/** A report that an operator makes for a message which nobody could read. */
const isForMessage = ({ type, data }: BudgetEvent): boolean =>
  type === 'SpendReported' && data.quarantined !== undefined

/** Tokens that no token made: the first two of a new ledger, and those made on the directory of a stopped one. */
const isOwnToken = ({ type, data }: BudgetEvent, { kind }: Cause, { seq, by }: RecordPlace): boolean => {
  if (by === 'system:cli') return kind === 'cli'
  if (by !== 'system:ledger' || kind !== 'system' || type !== 'TokenCreated') return false
  return seq <= 2 && (data.role === 'operator' || data.role === 'approver')
}

/** Nobody makes their own second person. */
const managerOf = (audit: Audit, { type, data }: BudgetEvent): Writer => {
  const role =
    type === 'TokenCreated'
      ? data.role
      : type === 'TokenRevoked'
        ? audit.state.registry.tokens.get(data.token)?.role
        : undefined
  return role === 'approver' ? 'approver' : 'operator'
}

const refuse = ({ type }: BudgetEvent, wanted: string, { kind }: Cause, place: RecordPlace): void =>
  fail(
    'NOT_AUTHORISED',
    place,
    `a ${type} is for ${wanted}, but was asked for by ${JSON.stringify(place.by)} through ${JSON.stringify(kind)}`,
  )
