import { type Balance, type Movement, moved } from '../../src/budget/balance.js'
import type { SpendPart } from '../../src/budget/events.js'
import { emptyRegistry, type Registry } from '../../src/budget/registry.js'
import {
  type BudgetRef,
  BudgetState,
  type Held,
  type KeyFamily,
  type PartitionOffset,
  type Reservation,
  type TopicOffset,
  type Unresolved,
} from '../../src/budget/state.js'
import { unitOfKey } from '../../src/budget/targets.js'

/** The state as plain maps, too simple to be wrong: what every other one is compared with. */
export class NaiveState extends BudgetState {
  registry: Registry = emptyRegistry
  pending: readonly SpendPart[] = []
  readonly #balances = new Map<string, { readonly ref: BudgetRef; readonly balance: Balance }>()
  readonly #reservations = new Map<string, Reservation>()
  readonly #keys = new Map<string, number[]>()
  readonly #history = new Map<string, number[]>()
  readonly #violations: number[] = []
  readonly #offsets = new Map<string, PartitionOffset>()
  readonly #unresolved = new Map<number, Unresolved>()
  readonly #counts = new Map<string, number>()

  balance(ref: BudgetRef): Balance | undefined {
    return this.#balances.get(nameOf(ref.policy, ref.generation, ref.key))?.balance
  }

  move({ policy, generation, window, cost, keys }: Held, movement: Movement): void {
    for (const key of keys) {
      const ref = { policy, generation, key }
      this.#balances.set(nameOf(policy, generation, key), {
        ref,
        balance: moved(this.balance(ref), movement, window, cost),
      })
    }
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
    return this.openReservations()
      .filter(({ expiresAt }) => expiresAt <= at)
      .sort((one, other) =>
        one.expiresAt < other.expiresAt ? -1 : one.expiresAt > other.expiresAt ? 1 : one.seq - other.seq,
      )
      .slice(0, limit)
  }

  openReservations(): Reservation[] {
    return [...this.#reservations.values()]
  }

  rememberKey(family: KeyFamily, source: string, id: string, seq: number): void {
    const name = nameOf(family, source, id)
    this.#keys.set(name, [...(this.#keys.get(name) ?? []), seq])
  }

  candidates(family: KeyFamily, source: string, id: string): readonly number[] {
    return this.#keys.get(nameOf(family, source, id)) ?? []
  }

  rememberUnits(units: readonly string[], seq: number): void {
    for (const unit of units) {
      const history = this.#history.get(unit) ?? []
      if (history.at(-1) !== seq) this.#history.set(unit, [...history, seq])
    }
  }

  unitHistory(
    unit: string,
    { after = -1, limit }: { readonly after?: number; readonly limit: number },
  ): readonly number[] {
    return (this.#history.get(unit) ?? []).filter((seq) => seq > after).slice(0, limit)
  }

  rememberViolation(seq: number): void {
    this.#violations.push(seq)
  }

  violations({ after = -1, limit }: { readonly after?: number; readonly limit: number }): readonly number[] {
    return this.#violations.filter((seq) => seq > after).slice(0, limit)
  }

  get violationCount(): number {
    return this.#violations.length
  }

  unitBudgets(unit: string): readonly BudgetRef[] {
    return this.budgets().filter(({ policy, generation, key }) => {
      const versions = this.registry.policies.get(policy)?.versions ?? []
      const scope = versions.find((version) => version.generation === generation)?.scope ?? []
      return unitOfKey({ scope }, key) === unit
    })
  }

  budgets(): readonly BudgetRef[] {
    return [...this.#balances.values()].map(({ ref }) => ref)
  }

  offset(topic: string, partition: number): TopicOffset | undefined {
    return this.offsets().find((entry) => entry.topic === topic && entry.partition === partition)
  }

  setOffset(topic: string, partition: number, { next, digest }: TopicOffset): void {
    this.#offsets.set(nameOf(topic, partition), { topic, partition, next, digest })
  }

  offsets(): readonly PartitionOffset[] {
    return [...this.#offsets.values()]
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

  quarantine({ after, limit }: { readonly after: number; readonly limit: number }): readonly Unresolved[] {
    return [...this.#unresolved.values()]
      .filter(({ seq }) => seq > after)
      .sort((one, other) => one.seq - other.seq)
      .slice(0, limit)
  }

  get unresolvedCount(): number {
    return this.#unresolved.size
  }

  count(type: string, times = 1): void {
    this.#counts.set(type, (this.#counts.get(type) ?? 0) + times)
  }

  counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  /** A copy that goes its own way: the values in it are never changed in place. */
  copy(): NaiveState {
    const copy = new NaiveState()
    copy.registry = this.registry
    copy.pending = this.pending
    for (const [name, value] of this.#balances) copy.#balances.set(name, value)
    for (const [name, value] of this.#reservations) copy.#reservations.set(name, value)
    for (const [name, value] of this.#keys) copy.#keys.set(name, value)
    for (const [name, value] of this.#history) copy.#history.set(name, value)
    copy.#violations.push(...this.#violations)
    for (const [name, value] of this.#offsets) copy.#offsets.set(name, value)
    for (const [seq, value] of this.#unresolved) copy.#unresolved.set(seq, value)
    for (const [name, value] of this.#counts) copy.#counts.set(name, value)
    return copy
  }
}

const nameOf = (...parts: readonly (string | number)[]): string => JSON.stringify(parts)
