import type { JsonObject, Leaf } from '../ledger/record.js'
import type { BudgetEvent, Problem, SpendPart } from './events.js'

/** A record that answered the same (source, id) before. */
export interface Prior {
  readonly seq: number
  readonly leaf: Leaf
  readonly epoch: number
  readonly event: BudgetEvent
  /** The parts that came before it, where it has any. */
  readonly parts: readonly SpendPart[]
}

/** What a decision may know beside state and command. The writer fixes it, and the record keeps it. */
export interface DecisionContext {
  /** The instant of the batch, never earlier than the last record's. */
  readonly at: string
  /** The number that the first event of this decision would get. */
  readonly seq: number
  /** The clock cannot be trusted for windows. */
  readonly clockDoubt: boolean
  readonly prior: Prior | undefined
}

/** Codes of what is refused without a record: the request was wrong, or now is not the time. */
export type RejectionCode =
  | 'ATTRIBUTE_REQUIRED'
  | 'NO_POLICY'
  | 'RELATION_MISMATCH'
  | 'RELATION_CONFLICT'
  | 'VERSION_MISMATCH'
  | 'PROPOSAL_MISMATCH'
  | 'POLICY_LIMIT'
  | 'IDEMPOTENCY_CONFLICT'
  | 'RESERVATION_CLOSED'
  | 'RESERVATION_EXCEEDED'
  | 'DELTA_NOT_RESERVABLE'
  | 'COST_INFINITE'
  | 'NOT_FOUND'
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'HALTED'
  | 'RECOVERING'
  | 'CLOCK_UNCERTAIN'

export interface Rejection {
  readonly kind: 'rejected'
  readonly code: RejectionCode
  readonly detail: string
  readonly errors?: readonly Problem[]
  /** What was asked may have been permitted by a record that is lost, and nobody can account for it. */
  readonly mayHaveRun?: true
}

/** Facts to be recorded, in order; the last one is the decision. */
export interface Recorded {
  readonly kind: 'recorded'
  readonly events: readonly BudgetEvent[]
}

/** The same request was answered before, by this record. */
export interface Replayed {
  readonly kind: 'replayed'
  readonly prior: Prior
}

/** The policies changed on the way: the command lacks costs of these rows. Compute them and ask again. */
export interface CostsNeeded {
  readonly kind: 'costs-needed'
}

/** The same (source, id) is being written right now: ask again when it is. */
export interface InFlight {
  readonly kind: 'in-flight'
}

/** The message was handled before, or comes after one that was: nothing is left to decide. */
export interface Passed {
  readonly kind: 'passed'
}

export type Verdict = Recorded | Replayed | Rejection | CostsNeeded | InFlight | Passed

export const reject = (code: RejectionCode, detail: string, errors?: readonly Problem[]): Rejection =>
  errors === undefined ? { kind: 'rejected', code, detail } : { kind: 'rejected', code, detail, errors }

/** The same refusal, of a message that may have been permitted before. */
export const uncertain = (rejection: Rejection): Rejection => ({ ...rejection, mayHaveRun: true })

export const record = (...events: readonly BudgetEvent[]): Recorded => ({ kind: 'recorded', events })

/** The hash of the request that a record answered; undefined for records that answer none. */
export const requestHash = (event: BudgetEvent): string | undefined => {
  const { hash } = event.data as { readonly hash?: JsonObject[string] }
  return typeof hash === 'string' ? hash : undefined
}
