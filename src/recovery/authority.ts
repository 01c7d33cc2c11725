import { askingProblem, type Errand, needsToken } from '../budget/authority.js'
import type { BudgetEvent, EventType, TokenCreated } from '../budget/events.js'
import { type Audit, fail, type RecordPlace } from './audit.js'

const FOR_EVER = '9999-12-31T23:59:59.999Z'

/** Until when who may act, from the records that create and revoke tokens. A record names role and source, not the token. */
export class Authority {
  /** `role:source` → token that nobody revoked → the instant from which it opens nothing. */
  readonly #tokens = new Map<string, Map<string, string>>()
  readonly #latest = new Map<string, string>()

  created({ token, role, source, expiresAt }: TokenCreated): void {
    const holder = `${role}:${source}`
    const end = expiresAt ?? FOR_EVER
    const tokens = this.#tokens.get(holder) ?? new Map<string, string>()
    this.#tokens.set(holder, tokens.set(token, end))
    if (end > (this.#latest.get(holder) ?? '')) this.#latest.set(holder, end)
  }

  revoked({ token, role, source }: TokenCreated): void {
    const holder = `${role}:${source}`
    const tokens = this.#tokens.get(holder)
    if (tokens?.delete(token) !== true) return
    this.#latest.set(
      holder,
      [...tokens.values()].reduce((one, other) => (one > other ? one : other), ''),
    )
  }

  /** Whether anybody of this role and source had a token that was good then. */
  holds(holder: string, at: string): boolean {
    return at < (this.#latest.get(holder) ?? '')
  }
}

/** What was asked for, by the record that came of it. */
const ERRANDS: { readonly [type in EventType]: Errand } = {
  LedgerOpened: 'open-ledger',
  PolicySet: 'set-policy',
  PolicyProposed: 'set-policy',
  PolicyRemovalProposed: 'remove-policy',
  PolicyApproved: 'approve-policy',
  SpendPart: 'part',
  SpendAccepted: 'spend',
  SpendRefused: 'spend',
  SpendReported: 'report',
  ReservationOpened: 'reserve',
  ReservationRefused: 'reserve',
  ReservationSettled: 'settle',
  ReservationReleased: 'release',
  ReservationExpired: 'expire',
  Halted: 'halt',
  Resumed: 'resume',
  TokenCreated: 'create-token',
  TokenRevoked: 'revoke-token',
  ClockConfirmed: 'confirm-clock',
  RequestInvalid: 'invalid',
  MessageQuarantined: 'quarantine',
  QuarantineDismissalProposed: 'propose-dismissal',
  QuarantineDismissed: 'approve-dismissal',
  OffsetsRecorded: 'record-offsets',
  TopicResetProposed: 'propose-reset',
  TopicResetApproved: 'approve-reset',
  GapDeclared: 'declare-gap',
}

/**
 * A record was asked for by somebody whose role allows it, on a way that is open to them, and over HTTP with a token that
 * some record had created and none ended: what `decide` asks, to the millisecond.
 */
export const checkAuthority = (audit: Audit, event: BudgetEvent, place: RecordPlace): void => {
  const { by, cause, seq, at } = place
  const problem = askingProblem({ errand: errandOf(event), by, cause, seq, managed: managedBy(audit, event) })
  if (problem !== undefined) fail('NOT_AUTHORISED', place, `a ${event.type}: ${problem}`)
  if (needsToken(cause) && !audit.authority.holds(by, at)) {
    fail(
      'NOT_AUTHORISED',
      place,
      `a ${event.type} was asked for by ${JSON.stringify(by)}, which had no token at ${at} that some record created and none revoked or let expire`,
    )
  }
}

const errandOf = ({ type, data }: BudgetEvent): Errand =>
  type === 'SpendReported' && data.quarantined !== undefined ? 'charge' : ERRANDS[type]

const managedBy = (audit: Audit, { type, data }: BudgetEvent): string | undefined => {
  if (type === 'TokenCreated') return data.role
  return type === 'TokenRevoked' ? audit.state.registry.tokens.get(data.token)?.role : undefined
}
