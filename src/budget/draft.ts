import { type Balance, type Movement, moved, type Taken } from './balance.js'
import type { SpendPart } from './events.js'
import type { Registry } from './registry.js'
import {
  type BudgetRef,
  BudgetState,
  type Held,
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
  readonly #moves: Move[] = []
  /** Policy, generation and key of each budget that was moved. */
  readonly #moved = new Map<string, Map<number, Map<string, Moved>>>()
  readonly #opened = new Map<string, Reservation>()
  readonly #closed = new Map<string, Reservation>()
  readonly #keys = new Map<string, KeyEntry>()
  readonly #units: [units: readonly string[], seq: number][] = []
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
    const budget = this.#movedBudget(ref)
    if (budget === undefined) return this.below.balance(ref)
    if (budget.done === 0) budget.balance = this.below.balance(ref)
    for (; budget.done < budget.moves.length; budget.done++) {
      const { held, movement } = budget.moves[budget.done] as Move
      budget.balance = moved(budget.balance, movement, held.window, held.cost)
    }
    return budget.balance
  }

  override taken(ref: BudgetRef, window: string): Taken {
    return this.#movedBudget(ref) === undefined ? this.below.taken(ref, window) : super.taken(ref, window)
  }

  /** Kept as it is: the sums that come of it are worked out for the budgets that are asked for, and by the state beneath. */
  move(held: Held, movement: Movement): void {
    const move = { held, movement }
    this.#moves.push(move)
    const budgets = this.#budgetsOf(held)
    for (const key of held.keys) {
      const budget = budgets.get(key)
      if (budget === undefined) budgets.set(key, { moves: [move], done: 0, balance: undefined })
      else budget.moves.push(move)
    }
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

  rememberUnits(units: readonly string[], seq: number): void {
    this.#units.push([units, seq])
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
    for (const { held, movement } of this.#moves) this.below.move(held, movement)
    for (const reservation of this.#opened.values()) this.below.openReservation(reservation)
    for (const { source, id } of this.#closed.values()) this.below.closeReservation(source, id)
    for (const { family, source, id, seq } of this.#keys.values()) this.below.rememberKey(family, source, id, seq)
    for (const [units, seq] of this.#units) this.below.rememberUnits(units, seq)
    for (const seq of this.#violations) this.below.rememberViolation(seq)
    for (const { topic, partition, handled } of this.#offsets.values()) this.below.setOffset(topic, partition, handled)
    for (const [seq, entry] of this.#unresolved) {
      if (entry === null) this.below.resolve(seq)
      else this.below.setUnresolved(entry)
    }
    for (const [type, times] of this.#counts) this.below.count(type, times)
  }

  #movedBudget({ policy, generation, key }: BudgetRef): Moved | undefined {
    return this.#moved.get(policy)?.get(generation)?.get(key)
  }

  #budgetsOf({ policy, generation }: Held): Map<string, Moved> {
    const generations = this.#moved.get(policy) ?? new Map<number, Map<string, Moved>>()
    this.#moved.set(policy, generations)
    const budgets = generations.get(generation) ?? new Map<string, Moved>()
    generations.set(generation, budgets)
    return budgets
  }
}

/** One cost for many budgets. */
interface Move {
  readonly held: Held
  readonly movement: Movement
}

/** The moves of one budget, and its balance after the first `done` of them. */
interface Moved {
  readonly moves: Move[]
  done: number
  balance: Balance | undefined
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

const nameOf = (family: KeyFamily, source: string, id: string): string => `${family} ${source}\0${id}`
