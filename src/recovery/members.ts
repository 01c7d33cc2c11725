import type { BudgetEvent, EventType } from '../budget/events.js'
import { fail, type RecordPlace } from './audit.js'

/** Names that an object must have, and those that it may have beside them. */
interface Form {
  readonly must: readonly string[]
  readonly may?: readonly string[]
}

const REQUEST = ['source', 'id', 'hash', 'spend']
const TAKEN: Form = { must: [...REQUEST, 'charges'], may: ['after', 'dropped', 'parts'] }
const REFUSED: Form = { must: [...REQUEST, 'code', 'failing', 'failingCount', 'largestCount'] }
const HALT: Form = { must: ['scope', 'reason'] }

/** The members of each event's `data`, as the catalogue has them (`docs/events.md`). */
const FORMS: { readonly [type in EventType]: Form } = {
  LedgerOpened: { must: ['ledger', 'format', 'costFn', 'scales', 'shard', 'shards', 'partitioner'] },
  PolicySet: { must: ['policy', 'replaces'] },
  PolicyProposed: { must: ['policy', 'replaces', 'proposedBy'] },
  PolicyRemovalProposed: { must: ['id', 'version', 'replaces', 'proposedBy'] },
  PolicyApproved: { must: ['id', 'version', 'approvedBy'] },
  SpendPart: { must: ['source', 'id', 'part', 'units', 'dropped'] },
  SpendAccepted: TAKEN,
  SpendReported: {
    must: [...TAKEN.must, 'violations'],
    may: ['after', 'dropped', 'parts', 'quarantined', 'undecided'],
  },
  ReservationOpened: { ...TAKEN, must: [...TAKEN.must, 'expiresAt'] },
  SpendRefused: REFUSED,
  ReservationRefused: REFUSED,
  ReservationSettled: { must: ['source', 'id', 'hash', 'settle', 'charges'] },
  ReservationReleased: { must: ['source', 'id', 'hash', 'reason'] },
  ReservationExpired: { must: ['source', 'id'] },
  Halted: HALT,
  Resumed: HALT,
  TokenCreated: { must: ['token', 'role', 'source', 'hash', 'expiresAt'] },
  TokenRevoked: { must: ['token'] },
  ClockConfirmed: { must: ['reason'] },
  RequestInvalid: { must: ['source', 'id', 'request', 'status', 'code', 'detail'], may: ['unit', 'errors'] },
  MessageQuarantined: { must: ['reason', 'detail', 'bytes', 'key'], may: ['source', 'id', 'ceType'] },
  QuarantineDismissalProposed: { must: ['quarantined', 'reason', 'proposedBy'] },
  QuarantineDismissed: { must: ['quarantined', 'approvedBy'] },
  OffsetsRecorded: { must: ['topic', 'partition', 'next', 'digest'] },
  TopicResetProposed: { must: ['topic', 'partition', 'from', 'to', 'reason', 'proposedBy'] },
  TopicResetApproved: { must: ['topic', 'partition', 'from', 'to', 'approvedBy'] },
  GapDeclared: { must: ['from', 'to', 'reason'], may: ['undecided'] },
}

const FAILING: Form = { must: ['policy', 'version', 'key', 'window', 'spent', 'reserved', 'requested'] }

/** Objects and lists of objects inside `data` whose members are fixed too. */
const INNER: { readonly [name: string]: Form } = {
  policy: {
    must: ['id', 'version', 'generation', 'scope', 'match', 'metric', 'epsilon', 'deltaConv', 'deltaExt'].concat([
      'neighboring',
      'window',
      'role',
      'orders',
      'alphaStar',
      'and',
      'or',
      'caps',
      'costFn',
    ]),
  },
  scales: { must: ['loss', 'delta'] },
  charges: { must: ['policy', 'version', 'window', 'cost'] },
  after: { must: ['policy', 'key', 'spent', 'reserved'] },
  failing: FAILING,
  violations: FAILING,
  errors: { must: ['pointer', 'detail'] },
  undecided: { must: ['topic', 'partition', 'before'] },
  parts: { must: ['count', 'units', 'digest'] },
}

/**
 * A record says what the catalogue has and nothing else: what no rule reads could be anything, and a proof would vouch
 * for it.
 */
export const checkMembers = ({ type, data }: BudgetEvent, place: RecordPlace): void => {
  checkForm(data, FORMS[type], type, place)
  for (const [name, value] of Object.entries(data)) {
    const form = isFlag(type, name) ? undefined : INNER[name]
    if (form === undefined) continue
    if (Array.isArray(value)) for (const item of value) checkForm(item, form, `${type}'s ${name}`, place)
    else checkForm(value, form, `${type}'s ${name}`, place)
  }
}

/** The same name has two forms: a report is undecided, a gap lists messages that are. */
const isFlag = (type: EventType, name: string): boolean => type === 'SpendReported' && name === 'undecided'

const checkForm = (value: unknown, { must, may = [] }: Form, what: string, place: RecordPlace): void => {
  if (typeof value !== 'object' || value === null) {
    fail('EVENT_MALFORMED', place, `a ${what} is no object`)
    return
  }
  const missing = must.find((name) => !Object.hasOwn(value, name))
  if (missing !== undefined) fail('EVENT_MALFORMED', place, `a ${what} has no "${missing}"`)
  for (const name in value) {
    if (!must.includes(name) && !may.includes(name))
      fail('EVENT_MALFORMED', place, `a ${what} has ${JSON.stringify(name)}, which the catalogue does not know`)
  }
}
