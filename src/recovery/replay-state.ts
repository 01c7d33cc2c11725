import { type Balance, type Movement, moved } from '../budget/balance.js'
import type { SpendPart } from '../budget/events.js'
import { emptyRegistry, type Registry } from '../budget/registry.js'
import {
  type BudgetRef,
  BudgetState,
  type Held,
  type KeyFamily,
  type Reservation,
  type TopicOffset,
  type Unresolved,
} from '../budget/state.js'
import { KeyTable } from './key-table.js'
import { SumTable } from './sum-table.js'

/** One budget and what it has taken. */
export interface Standing {
  readonly ref: BudgetRef
  readonly balance: Balance
}

/**
 * The state that a verifier rebuilds from the records alone, in memory, independent of the one that the service keeps
 * in its file. What is at rest (lifetime sums without reservations) is kept in flat columns, since there may be
 * millions of such budgets.
 */
export class ReplayState extends BudgetState {
  registry: Registry = emptyRegistry
  pending: readonly SpendPart[] = []
  readonly counts = new Map<string, number>()
  readonly #tables = new Map<
    string,
    { readonly policy: string; readonly generation: number; readonly sums: SumTable }
  >()
  readonly #reservations = new Map<string, Reservation>()
  readonly #offsets = new Map<string, TopicOffset>()
  readonly #unresolved = new Map<number, Unresolved>()
  readonly #keys = { request: new KeyTable(), close: new KeyTable() }

  balance(ref: BudgetRef): Balance | undefined {
    return this.#tables.get(tableOf(ref))?.sums.get(ref.key)
  }

  move(held: Held, movement: Movement): void {
    const { policy, generation, window, cost, keys } = held
    const name = tableOf(held)
    const table = this.#tables.get(name) ?? { policy, generation, sums: new SumTable(cost.length) }
    this.#tables.set(name, table)
    for (const key of keys) table.sums.set(key, moved(table.sums.get(key), movement, window, cost))
  }

  reservation(source: string, id: string): Reservation | undefined {
    return this.#reservations.get(nameOf(source, id))
  }

  openReservation(reservation: Reservation): void {
    this.#reservations.set(nameOf(reservation.source, reservation.id), reservation)
  }

  closeReservation(source: string, id: string): void {
    this.#reservations.delete(nameOf(source, id))
  }

  overdue(at: string, limit: number): readonly Reservation[] {
    return [...this.#reservations.values()]
      .filter(({ expiresAt }) => expiresAt <= at)
      .sort((one, other) => (one.expiresAt < other.expiresAt ? -1 : 1))
      .slice(0, limit)
  }

  get openReservations(): number {
    return this.#reservations.size
  }

  rememberKey(family: KeyFamily, source: string, id: string, seq: number): void {
    this.#keys[family].set(nameOf(source, id), seq)
  }

  candidates(family: KeyFamily, source: string, id: string): readonly number[] {
    const seq = this.#keys[family].get(nameOf(source, id))
    return seq === undefined ? [] : [seq]
  }

  /** The records of a unit are of no use to a verifier, which reads them all. */
  rememberUnits(): void {}

  /** Nor are those of violations: it finds them itself. */
  rememberViolation(): void {}

  offset(topic: string, partition: number): TopicOffset | undefined {
    return this.#offsets.get(partitionName(topic, partition))
  }

  setOffset(topic: string, partition: number, handled: TopicOffset): void {
    this.#offsets.set(partitionName(topic, partition), handled)
  }

  get partitions(): number {
    return this.#offsets.size
  }

  unresolved(seq: number): Unresolved | undefined {
    return this.#unresolved.get(seq)
  }

  setUnresolved(unresolved: Unresolved): void {
    this.#unresolved.set(unresolved.seq, unresolved)
  }

  resolve(seq: number): void {
    this.#unresolved.delete(seq)
  }

  /** Quarantined messages that nobody has resolved. */
  get unresolvedMessages(): number {
    return this.#unresolved.size
  }

  /** The record of the oldest of them; records are quarantined in their order. */
  get firstUnresolved(): number | undefined {
    return this.#unresolved.keys().next().value
  }

  count(type: string, times = 1): void {
    this.counts.set(type, (this.counts.get(type) ?? 0) + times)
  }

  /** Every budget of one policy's structure. */
  *budgets(policy: string, generation: number): Generator<Standing, void, undefined> {
    const table = this.#tables.get(tableOf({ policy, generation }))
    if (table === undefined) return
    for (const [key, balance] of table.sums) yield { ref: { policy, generation, key }, balance }
  }
}

const tableOf = ({ policy, generation }: Pick<BudgetRef, 'policy' | 'generation'>): string => `${generation} ${policy}`

const partitionName = (topic: string, partition: number): string => `${partition} ${topic}`

const nameOf = (source: string, id: string): string => `${source}\0${id}`
