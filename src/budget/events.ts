import type { JsonObject } from '../ledger/record.js'
import type { PolicyVersion } from './policy.js'

/**
 * The facts that a ledger keeps: `data` of each record, by `type`. The catalogue with every field's unit is
 * `docs/events.md`; a test keeps the two equal. An old version is read for ever, never rewritten.
 */
export type BudgetEvent =
  | { readonly type: 'LedgerOpened'; readonly data: LedgerOpened }
  | { readonly type: 'PolicySet'; readonly data: PolicySet }
  | { readonly type: 'PolicyProposed'; readonly data: PolicyProposed }
  | { readonly type: 'PolicyRemovalProposed'; readonly data: PolicyRemovalProposed }
  | { readonly type: 'PolicyApproved'; readonly data: PolicyApproved }
  | { readonly type: 'SpendPart'; readonly data: SpendPart }
  | { readonly type: 'SpendAccepted'; readonly data: SpendAccepted }
  | { readonly type: 'SpendRefused'; readonly data: SpendRefused }
  | { readonly type: 'SpendReported'; readonly data: SpendReported }
  | { readonly type: 'ReservationOpened'; readonly data: ReservationOpened }
  | { readonly type: 'ReservationRefused'; readonly data: SpendRefused }
  | { readonly type: 'ReservationSettled'; readonly data: ReservationSettled }
  | { readonly type: 'ReservationReleased'; readonly data: ReservationReleased }
  | { readonly type: 'ReservationExpired'; readonly data: ReservationExpired }
  | { readonly type: 'Halted'; readonly data: Halted }
  | { readonly type: 'Resumed'; readonly data: Halted }
  | { readonly type: 'TokenCreated'; readonly data: TokenCreated }
  | { readonly type: 'TokenRevoked'; readonly data: TokenRevoked }
  | { readonly type: 'ClockConfirmed'; readonly data: ClockConfirmed }
  | { readonly type: 'RequestInvalid'; readonly data: RequestInvalid }
  | { readonly type: 'MessageQuarantined'; readonly data: MessageQuarantined }
  | { readonly type: 'QuarantineDismissalProposed'; readonly data: QuarantineDismissalProposed }
  | { readonly type: 'QuarantineDismissed'; readonly data: QuarantineDismissed }
  | { readonly type: 'OffsetsRecorded'; readonly data: OffsetsRecorded }
  | { readonly type: 'TopicResetProposed'; readonly data: TopicResetProposed }
  | { readonly type: 'TopicResetApproved'; readonly data: TopicResetApproved }
  | { readonly type: 'GapDeclared'; readonly data: GapDeclared }

export type EventType = BudgetEvent['type']

/** Row → integer at the row's scale as a decimal string, or INF. */
export type Amounts = { readonly [row: string]: string }

export interface LedgerOpened {
  readonly ledger: string
  readonly format: 1
  readonly costFn: 'exact-v1'
  readonly scales: { readonly loss: '1e15'; readonly delta: '1e18' }
  readonly shard: 0
  readonly shards: 1
  readonly partitioner: 'murmur2'
}

export interface PolicySet {
  readonly policy: PolicyVersion
  /** The version that this one took the place of; null for a new policy. */
  readonly replaces: number | null
}

export interface PolicyProposed {
  readonly policy: PolicyVersion
  readonly replaces: number
  /** Id of the token that proposed it: another one has to approve. */
  readonly proposedBy: string
}

export interface PolicyRemovalProposed {
  readonly id: string
  readonly version: number
  readonly replaces: number
  readonly proposedBy: string
}

export interface PolicyApproved {
  readonly id: string
  readonly version: number
  readonly approvedBy: string
}

/** Which request a record answers, and what it asked for. */
export interface Request {
  readonly source: string
  readonly id: string
  /** SHA-256 of the normalised command, in hex: the same id with another one is a conflict. */
  readonly hash: string
  /** The request as it came, numbers as decimal strings; its units are in the parts where those are given. */
  readonly spend: JsonObject
}

/** What one policy takes for this spend, from every unit alike. */
export interface Charge {
  readonly policy: string
  readonly version: number
  readonly window: string
  readonly cost: Amounts
}

/** A budget after the record; given where a spend touches at most 100 budgets. */
export interface BudgetAfter {
  readonly policy: string
  readonly key: string
  readonly spent: Amounts
  readonly reserved: Amounts
}

/** Says that the last `count` records carry the units of this one. */
export interface Parts {
  readonly count: number
  readonly units: number
  /** SHA-256 in hex over the canonical data of the parts, each followed by a line feed. */
  readonly digest: string
}

export interface SpendPart {
  readonly source: string
  readonly id: string
  readonly part: number
  readonly units: readonly string[]
  readonly dropped: readonly string[]
}

export interface SpendAccepted extends Request {
  readonly charges: readonly Charge[]
  readonly after?: readonly BudgetAfter[]
  readonly dropped?: readonly string[]
  readonly parts?: Parts
}

export interface SpendReported extends SpendAccepted {
  /** Guarantees that this spend took beyond their cap; empty for all but a violation. */
  readonly violations: readonly FailingBudget[]
  /** The quarantined message that this resolves: an operator found out what it had spent. */
  readonly quarantined?: number
  /** A spend or reservation whose first decision was lost with a stale copy: charged, because it may have been a permit. */
  readonly undecided?: true
}

export interface ReservationOpened extends SpendAccepted {
  readonly expiresAt: string
}

export interface FailingBudget {
  readonly policy: string
  readonly version: number
  readonly key: string
  readonly window: string
  readonly spent: Amounts
  readonly reserved: Amounts
  readonly requested: Amounts
}

export interface SpendRefused extends Request {
  readonly code: 'BUDGET_EXHAUSTED' | 'COST_INFINITE'
  /** At most 100 of them. */
  readonly failing: readonly FailingBudget[]
  readonly failingCount: number
  /** The largest count that would have passed; 0 where none would. */
  readonly largestCount: string
}

export interface ReservationSettled {
  readonly source: string
  readonly id: string
  readonly hash: string
  /** The release that took place: a body, or the count of the reserved one. */
  readonly settle: JsonObject
  readonly charges: readonly Charge[]
}

export interface ReservationReleased {
  readonly source: string
  readonly id: string
  readonly hash: string
  readonly reason: string
}

export interface ReservationExpired {
  readonly source: string
  readonly id: string
}

export interface Halted {
  /** Attribute → values: the spends that are meant; null means all. */
  readonly scope: JsonObject | null
  readonly reason: string
}

export interface TokenCreated {
  readonly token: string
  readonly role: 'emitter' | 'auditor' | 'operator' | 'approver'
  readonly source: string
  /** SHA-256 of the token's text, in hex. */
  readonly hash: string
  readonly expiresAt: string | null
}

export interface TokenRevoked {
  readonly token: string
}

export interface ClockConfirmed {
  readonly reason: string
}

/** A message that asked for permission and can never get it, as HTTP would have answered it. */
export interface RequestInvalid {
  readonly source: string
  readonly id: string
  readonly request: 'spend' | 'reserve' | 'settle' | 'release'
  /** The first unit that it named. */
  readonly unit?: string
  /** The status that HTTP has for this code. */
  readonly status: number
  readonly code: string
  /** At most 2,000 characters. */
  readonly detail: string
  /** At most 20. */
  readonly errors?: readonly Problem[]
}

/** One thing that is wrong with a request: a JSON pointer (RFC 6901) and what to change. */
export interface Problem {
  readonly pointer: string
  readonly detail: string
}

/** A message that may have been a spend, and that nobody could account for. Where it was is the record's cause. */
export interface MessageQuarantined {
  /** A stable code. */
  readonly reason: string
  readonly detail: string
  /** Of the message's value; 0 for none. */
  readonly bytes: number
  /** The message's key in base64, at most its first 256 bytes; null for none. */
  readonly key: string | null
  readonly source?: string
  readonly id?: string
  /** The CloudEvent's type. */
  readonly ceType?: string
}

export interface QuarantineDismissalProposed {
  /** The record of the message. */
  readonly quarantined: number
  readonly reason: string
  readonly proposedBy: string
}

export interface QuarantineDismissed {
  readonly quarantined: number
  readonly approvedBy: string
}

/** Messages that caused no record are handled too. */
export interface OffsetsRecorded {
  readonly topic: string
  readonly partition: number
  /** Offset of the first message that is not handled, a decimal string. */
  readonly next: string
  /** Digest of the message before it; null where there is none to read. */
  readonly digest: string | null
}

export interface TopicResetProposed {
  readonly topic: string
  readonly partition: number
  /** Where the ledger stands, and where it shall go on: decimal strings. */
  readonly from: string
  readonly to: string
  readonly reason: string
  readonly proposedBy: string
}

export interface TopicResetApproved {
  readonly topic: string
  readonly partition: number
  readonly from: string
  readonly to: string
  readonly approvedBy: string
}

/** Begins a later epoch: numbers up to its own were given out, and are lost or void. */
export interface GapDeclared {
  readonly from: number
  /** `from` - 1 where none is lost. */
  readonly to: number
  readonly reason: string
  /** Messages that may have been decided by the lost records. */
  readonly undecided?: readonly UndecidedMessages[]
}

/** Spends and reservations of one partition, from where the ledger stands, whose first decision nobody knows. */
export interface UndecidedMessages {
  readonly topic: string
  readonly partition: number
  /** Offset of the first message that is not among them, a decimal string. */
  readonly before: string
}
