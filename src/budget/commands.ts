import type { Relation } from '../accounting/units.js'
import type { Cause, JsonObject } from '../ledger/record.js'
import type { Costs } from './costs.js'
import type { MessageQuarantined, RequestInvalid, TokenCreated } from './events.js'
import type { Match, PolicyTerms } from './policy.js'

/** Who asks: fixed by the token, never by the body. */
export interface Actor {
  /** Id of the token; empty for who needs none: the ledger itself, its command line, and what comes from a topic. */
  readonly token: string
  readonly role: TokenCreated['role'] | 'system'
  readonly source: string
}

/** What a spend says beside its body. */
export interface Attributes {
  readonly units: readonly string[]
  readonly dataset?: string
  readonly analyst?: string
  readonly purpose?: string
  readonly source: string
}

/**
 * A request that charges budgets, with everything fixed that replay must not ask again: costs were computed before
 * it came here.
 */
export interface SpendRequest {
  readonly id: string
  readonly attributes: Attributes
  readonly onExhausted: 'refuse' | 'drop'
  readonly neighboring: Relation
  /** The request as it came, numbers as decimal strings; kept in the record. */
  readonly spend: JsonObject
  /** SHA-256 in hex of the normalised command. */
  readonly hash: string
  readonly costs: Costs
}

interface Asked {
  readonly actor: Actor
  readonly cause: Cause
}

export interface Spend extends Asked {
  readonly kind: 'spend'
  readonly request: SpendRequest
}

export interface Report extends Asked {
  readonly kind: 'report'
  readonly request: SpendRequest
  /** The record of the quarantined message that an operator resolves with it. */
  readonly quarantined?: number
}

export interface Reserve extends Asked {
  readonly kind: 'reserve'
  readonly request: SpendRequest
  readonly expiresInSeconds: number
}

export interface Settle extends Asked {
  readonly kind: 'settle'
  readonly id: string
  readonly hash: string
  readonly settle: JsonObject
  readonly costs: Costs
}

export interface Release extends Asked {
  readonly kind: 'release'
  readonly id: string
  readonly hash: string
  readonly reason: string
}

/** A message that asks for permission and cannot be read as the request that it claims to be. */
export interface RecordInvalid extends Asked {
  readonly kind: 'invalid'
  readonly invalid: RequestInvalid
}

/** A message that nobody can account for. Its bytes lie on the dead-letter topic before this is decided. */
export interface QuarantineMessage extends Asked {
  readonly kind: 'quarantine'
  readonly message: MessageQuarantined
}

/** Messages below `next` are handled, though the last ones caused no record. */
export interface RecordOffsets extends Asked {
  readonly kind: 'record-offsets'
  readonly topic: string
  readonly partition: number
  /** A decimal string. */
  readonly next: string
  readonly digest: string | null
}

/** Says that a quarantined message was no spend. */
export interface ProposeDismissal extends Asked {
  readonly kind: 'propose-dismissal'
  /** The message's record. */
  readonly quarantined: number
  readonly reason: string
}

export interface ApproveDismissal extends Asked {
  readonly kind: 'approve-dismissal'
  readonly quarantined: number
}

/** Lets a partition go on at `to`, a decimal string. */
export interface ProposeReset extends Asked {
  readonly kind: 'propose-reset'
  readonly topic: string
  readonly partition: number
  readonly to: string
  readonly reason: string
}

export interface ApproveReset extends Asked {
  readonly kind: 'approve-reset'
  readonly topic: string
  readonly partition: number
  readonly to: string
}

export interface SetPolicy extends Asked {
  readonly kind: 'set-policy'
  readonly terms: PolicyTerms
  readonly replaces?: number
}

export interface RemovePolicy extends Asked {
  readonly kind: 'remove-policy'
  readonly id: string
}

export interface ApprovePolicy extends Asked {
  readonly kind: 'approve-policy'
  readonly id: string
  readonly version: number
}

export interface HaltSpending extends Asked {
  readonly kind: 'halt'
  readonly scope: Match | null
  readonly reason: string
}

export interface ResumeSpending extends Asked {
  readonly kind: 'resume'
  readonly scope: Match | null
  readonly reason: string
}

export interface CreateToken extends Asked {
  readonly kind: 'create-token'
  readonly created: TokenCreated
}

export interface RevokeToken extends Asked {
  readonly kind: 'revoke-token'
  readonly token: string
}

export interface ConfirmClock extends Asked {
  readonly kind: 'confirm-clock'
  readonly reason: string
}

/** Records what is overdue already; the sums do not wait for it. */
export interface ExpireReservations extends Asked {
  readonly kind: 'expire'
}

export interface OpenLedger extends Asked {
  readonly kind: 'open-ledger'
  readonly ledger: string
}

export type Command =
  | Spend
  | Report
  | Reserve
  | Settle
  | Release
  | RecordInvalid
  | QuarantineMessage
  | RecordOffsets
  | ProposeDismissal
  | ApproveDismissal
  | ProposeReset
  | ApproveReset
  | SetPolicy
  | RemovePolicy
  | ApprovePolicy
  | HaltSpending
  | ResumeSpending
  | CreateToken
  | RevokeToken
  | ConfirmClock
  | ExpireReservations
  | OpenLedger
