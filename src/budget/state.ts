import type { Cost } from '../accounting/units.js'
import { type Balance, type Movement, NOTHING_TAKEN, type Taken, takenOf } from './balance.js'
import type { SpendPart } from './events.js'
import type { Registry } from './registry.js'

/** Names one budget: balances outlive versions, but not the structure of a policy. */
export interface BudgetRef {
  readonly policy: string
  readonly generation: number
  /** The scope's values: the value itself for one attribute, else a JSON array of them. */
  readonly key: string
}

/** What an open reservation holds; enough to settle, release or expire it. */
export interface Reservation {
  readonly source: string
  readonly id: string
  readonly seq: number
  readonly hash: string
  readonly expiresAt: string
  readonly held: readonly Held[]
  /** Whose history its closing belongs to. */
  readonly units: readonly string[]
}

/** What a reservation holds in all budgets of one policy version. */
export interface Held {
  readonly policy: string
  readonly version: number
  readonly generation: number
  readonly window: string
  /** Aligned to the policy's rows. */
  readonly cost: readonly Cost[]
  readonly keys: readonly string[]
}

/** How far a partition of a topic is handled. */
export interface TopicOffset {
  /** Offset of the first message that is not. */
  readonly next: bigint
  /** Digest of the message before it, 32 hex digits; null where there is none to compare. */
  readonly digest: string | null
}

export interface PartitionOffset extends TopicOffset {
  readonly topic: string
  readonly partition: number
}

/** A quarantined message that nobody has resolved yet, by the number of its record. */
export interface Unresolved {
  readonly seq: number
  /** What waits for a second person; null for nothing. */
  readonly dismissal: { readonly reason: string; readonly proposedBy: string } | null
}

/** Two requests of one source can share an id only where they are of different families. */
export type KeyFamily = 'request' | 'close'

/**
 * The state that decisions rest on, as of one position of the log. Read by `decide`, changed by `evolve` alone.
 *
 * Derived: it can be thrown away and rebuilt from the log at any time. A committed state never shows what is not
 * durable in the log; what a batch has decided so far lies in a `Draft` over it.
 */
export abstract class BudgetState {
  abstract registry: Registry
  /** Parts of a spend whose last record has not come yet; any other record voids them. */
  abstract pending: readonly SpendPart[]

  /** undefined for a budget without any spend or reservation. */
  abstract balance(ref: BudgetRef): Balance | undefined
  /** Moves the same cost in all budgets of one policy: the only way in which balances change. */
  abstract move(held: Held, movement: Movement): void

  /** What a budget has taken in `window`, row by row; to be asked before the state changes next. */
  taken(ref: BudgetRef, window: string): Taken {
    const balance = this.balance(ref)
    return balance?.window === window ? takenOf(balance) : NOTHING_TAKEN
  }

  abstract reservation(source: string, id: string): Reservation | undefined
  abstract openReservation(reservation: Reservation): void
  abstract closeReservation(source: string, id: string): void
  /** Open reservations with `expiresAt` at or before `at`, earliest first, at most `limit`. */
  abstract overdue(at: string, limit: number): readonly Reservation[]

  /** Remembers that (source, id) was answered by the record `seq`. */
  abstract rememberKey(family: KeyFamily, source: string, id: string, seq: number): void
  /**
   * The records that may have answered (source, id): usually none or one. A candidate proves nothing: whoever asks
   * reads the record and compares.
   */
  abstract candidates(family: KeyFamily, source: string, id: string): readonly number[]

  /** Remembers that the record `seq` charged, refused or closed something of these units. */
  abstract rememberUnits(units: readonly string[], seq: number): void

  /** Remembers that the report `seq` took a guarantee beyond its cap. */
  abstract rememberViolation(seq: number): void

  /** undefined for a partition of which no message was ever handled. */
  abstract offset(topic: string, partition: number): TopicOffset | undefined
  abstract setOffset(topic: string, partition: number, offset: TopicOffset): void

  /** undefined for a record that quarantines nothing, or whose message is resolved. */
  abstract unresolved(seq: number): Unresolved | undefined
  abstract setUnresolved(unresolved: Unresolved): void
  abstract resolve(seq: number): void

  /** Counts a record by its type. */
  abstract count(type: string, times?: number): void
}
