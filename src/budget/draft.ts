import type { Balance } from './balance.js'
import type { SpendPart } from './events.js'
import type { Registry } from './registry.js'
import {
  type BudgetRef,
  BudgetState,
  type KeyFamily,
  type Reservation,
  type TopicOffset,
  type Unresolved,
} from './state.js'

/**
 * A state on top of another one: sees everything beneath, keeps every change to itself.
 *
 * The writer decides a batch on a draft. When the batch is durable, the draft is committed; when the append meets a
 * conflict, it is dropped and nothing has happened.
 */
export class Draft extends BudgetState {
  registry: Registry
  pending: readonly SpendPart[]
  readonly #balances = new Map<string, Map<string, { ref: BudgetRef; balance: Balance }>>()
  readonly #opened = new Map<string, Reservation>()
  readonly #closed = new Map<string, Reservation>()
  readonly #keys = new Map<string, KeyEntry>()
  readonly #units: [unit: string, seq: number][] = []
  readonly #violations: number[] = []
  readonly #offsets = new Map<string, OffsetEntry>()
  /** null for one that is resolved. */
  readonly #unresolved = new Map<number, Unresolved | null>()
  readonly #counts = new Map<string, number>()

  constructor(private readonly below: BudgetState) {
    super()
    this.registry = below.registry
    this.pending = below.pending
  }

  balance(ref: BudgetRef): Balance | undefined {
    return this.#balances.get(tableOf(ref))?.get(ref.key)?.balance ?? this.below.balance(ref)
  }

  setBalance(ref: BudgetRef, balance: Balance): void {
    const table = tableOf(ref)
    let budgets = this.#balances.get(table)
    if (budgets === undefined) {
      budgets = new Map()
      this.#balances.set(table, budgets)
    }
    budgets.set(ref.key, { ref, balance })
  }

  reservation(source: string, id: string): Reservation | undefined {
    const name = nameOf('request', source, id)
    if (this.#closed.has(name)) return undefined
    return this.#opened.get(name) ?? this.below.reservation(source, id)
  }

  openReservation(reservation: Reservation): void {
    this.#opened.set(nameOf('request', reservation.source, reservation.id), reservation)
  }

  closeReservation(source: string, id: string): void {
    const reservation = this.reservation(source, id)
    if (reservation !== undefined) this.#closed.set(nameOf('request', source, id), reservation)
  }

  overdue(at: string, limit: number): readonly Reservation[] {
    const opened = [...this.#opened.values()].filter((reservation) => reservation.expiresAt <= at)
    return [...this.below.overdue(at, limit + this.#closed.size), ...opened]
      .filter(({ source, id }) => !this.#closed.has(nameOf('request', source, id)))
      .sort((one, other) => (one.expiresAt < other.expiresAt ? -1 : 1))
      .slice(0, limit)
  }

  rememberKey(family: KeyFamily, source: string, id: string, seq: number): void {
    this.#keys.set(nameOf(family, source, id), { family, source, id, seq })
  }

  candidates(family: KeyFamily, source: string, id: string): readonly number[] {
    const entry = this.#keys.get(nameOf(family, source, id))
    return entry === undefined ? this.below.candidates(family, source, id) : [entry.seq]
  }

  /** Whether this very draft has answered (source, id): its record is not written yet. */
  answered(family: KeyFamily, source: string, id: string): boolean {
    return this.#keys.has(nameOf(family, source, id))
  }

  rememberUnit(unit: string, seq: number): void {
    this.#units.push([unit, seq])
  }

  rememberViolation(seq: number): void {
    this.#violations.push(seq)
  }

  offset(topic: string, partition: number): TopicOffset | undefined {
    return this.#offsets.get(partitionName(topic, partition))?.handled ?? this.below.offset(topic, partition)
  }

  setOffset(topic: string, partition: number, handled: TopicOffset): void {
    this.#offsets.set(partitionName(topic, partition), { topic, partition, handled })
  }

  unresolved(seq: number): Unresolved | undefined {
    const entry = this.#unresolved.get(seq)
    return entry === undefined ? this.below.unresolved(seq) : (entry ?? undefined)
  }

  setUnresolved(unresolved: Unresolved): void {
    this.#unresolved.set(unresolved.seq, unresolved)
  }

  resolve(seq: number): void {
    this.#unresolved.set(seq, null)
  }

  count(type: string, times = 1): void {
    this.#counts.set(type, (this.#counts.get(type) ?? 0) + times)
  }

  /** Moves every change to the state beneath. Only when what caused them is durable. */
  commit(): void {
    if (this.below.registry !== this.registry) this.below.registry = this.registry
    this.below.pending = this.pending
    for (const budgets of this.#balances.values()) {
      for (const { ref, balance } of budgets.values()) this.below.setBalance(ref, balance)
    }
    for (const reservation of this.#opened.values()) this.below.openReservation(reservation)
    for (const { source, id } of this.#closed.values()) this.below.closeReservation(source, id)
    for (const { family, source, id, seq } of this.#keys.values()) this.below.rememberKey(family, source, id, seq)
    for (const [unit, seq] of this.#units) this.below.rememberUnit(unit, seq)
    for (const seq of this.#violations) this.below.rememberViolation(seq)
    for (const { topic, partition, handled } of this.#offsets.values()) this.below.setOffset(topic, partition, handled)
    for (const [seq, entry] of this.#unresolved) {
      if (entry === null) this.below.resolve(seq)
      else this.below.setUnresolved(entry)
    }
    for (const [type, times] of this.#counts) this.below.count(type, times)
  }
}

interface KeyEntry {
  readonly family: KeyFamily
  readonly source: string
  readonly id: string
  readonly seq: number
}

interface OffsetEntry {
  readonly topic: string
  readonly partition: number
  readonly handled: TopicOffset
}

const partitionName = (topic: string, partition: number): string => `${partition} ${topic}`

const tableOf = (ref: BudgetRef): string => `${ref.generation} ${ref.policy}`

const nameOf = (family: KeyFamily, source: string, id: string): string => `${family} ${source}\0${id}`
