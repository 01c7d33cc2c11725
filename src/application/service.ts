import type { Prior } from '../budget/context.js'
import type { BudgetRef, BudgetState, PartitionOffset, Reservation, Unresolved } from '../budget/state.js'
import type { Position } from '../ledger/block.js'
import type { LedgerError } from '../ledger/errors.js'
import type { EventStore } from '../ledger/event-store.js'
import type { Appended } from '../ledger/writer.js'
import type { Ledger } from './ledger.js'

/** The committed state with what only queries ask. */
export interface QueryState extends BudgetState {
  /** Every budget whose key names this unit. */
  unitBudgets(unit: string): readonly BudgetRef[]
  /** Records that touched this unit: ascending, above `after`, at most `limit`. */
  unitHistory(unit: string, page: { readonly after: number; readonly limit: number }): readonly number[]
  /** Reports that took a guarantee beyond its cap, in the same way. */
  violations(page: { readonly after: number; readonly limit: number }): readonly number[]
  readonly violationCount: number
  /** Records by type. */
  counts(): ReadonlyMap<string, number>
  readonly openReservationCount: number
  /** Open reservations by their record: ascending, above `after`, at most `limit`. */
  openReservations(page: { readonly after: number; readonly limit: number }): readonly Reservation[]
  /** How far every partition is handled, in no particular order. */
  offsets(): Iterable<PartitionOffset>
  /** Quarantined messages that wait to be resolved: ascending, above `after`, at most `limit`. */
  quarantine(page: { readonly after: number; readonly limit: number }): readonly Unresolved[]
  /** All of them. */
  readonly unresolvedCount: number
}

/** Why a service cannot decide right now. */
export interface NotReady {
  readonly code: string
  readonly detail: string
}

/** An open ledger: everything that the edges need, and nothing of how it is kept. */
export abstract class Service {
  abstract readonly ledger: Ledger
  abstract readonly ledgerId: string
  abstract readonly epoch: number
  abstract readonly state: QueryState
  abstract readonly store: EventStore
  /** Of the last committed record: what every query answer reflects. */
  abstract position(): Position
  /** Commands without an answer. */
  abstract waiting(): number
  /** Resolves when the state reflects record `seq`; false after `timeoutMs`. */
  abstract reaches(seq: number, timeoutMs: number): Promise<boolean>
  /**
   * Resolves when the state reflects what other instances had written by now, and after a moment where that cannot be found out.
   * However often this is called, the store is asked a few times a second. Undefined where nobody else writes.
   */
  abstract news(): Promise<void> | undefined
  /** The record that answers (or follows) a request, with its parts; undefined past the end. */
  abstract priorAt(seq: number): Promise<Prior | undefined>
  /** The instant that a record would get now. */
  abstract at(): string
  /** Takes the wall clock as it is now for right; the caller records it. */
  abstract confirmClock(): void
  abstract readiness(): readonly NotReady[]
  /** Asks `source` too whether everything can be decided. */
  abstract alsoReady(source: () => readonly NotReady[]): void
  /** From now on a command is taken only where `refusal` gives none. */
  abstract refuseBy(refusal: () => LedgerError | undefined): void
  /** From now on an answer leaves after `confirm` has resolved for its position, or at once where it gives undefined. */
  abstract confirmBy(confirm: (position: Position) => Promise<void> | undefined): void
  /** Called after every durable append, before its answers leave. */
  abstract onAppend(listener: (appended: Appended) => void): void
  /** Called with the error that ended the writer: the process has to end. */
  abstract onFatal(listener: (error: Error) => void): void
  /**
   * The process is to stop: from now on a store that answers nothing for some seconds ends it as a failed append does, and nobody
   * who waits is answered. Until then everything goes on.
   */
  abstract lastCall(): void
  /** Takes no more commands, finishes those that wait, flushes the derived state, and lets go of the directory. */
  abstract close(): Promise<void>
}
