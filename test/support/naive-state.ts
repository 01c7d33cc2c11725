import type { Balance } from '../../src/budget/balance.js'
import type { SpendPart } from '../../src/budget/events.js'
import { emptyRegistry, type Registry } from '../../src/budget/registry.js'
import { type BudgetRef, BudgetState, type KeyFamily, type Reservation } from '../../src/budget/state.js'

/** The state as plainly as it can be said, to hold the compact one against. */
export class NaiveState extends BudgetState {
  registry: Registry = emptyRegistry
  pending: readonly SpendPart[] = []
  readonly balances = new Map<string, Balance>()
  readonly reservations = new Map<string, Reservation>()
  readonly keys = new Map<string, number>()
  readonly units = new Map<string, number[]>()
  readonly counted = new Map<string, number>()

  balance(ref: BudgetRef): Balance | undefined {
    return this.balances.get(nameOf(ref))
  }

  setBalance(ref: BudgetRef, balance: Balance): void {
    this.balances.set(nameOf(ref), balance)
  }

  reservation(source: string, id: string): Reservation | undefined {
    return this.reservations.get(JSON.stringify([source, id]))
  }

  openReservation(reservation: Reservation): void {
    this.reservations.set(JSON.stringify([reservation.source, reservation.id]), reservation)
  }

  closeReservation(source: string, id: string): void {
    this.reservations.delete(JSON.stringify([source, id]))
  }

  overdue(at: string, limit: number): readonly Reservation[] {
    return [...this.reservations.values()]
      .filter(({ expiresAt }) => expiresAt <= at)
      .sort((one, other) => (one.expiresAt < other.expiresAt ? -1 : 1))
      .slice(0, limit)
  }

  rememberKey(family: KeyFamily, source: string, id: string, seq: number): void {
    this.keys.set(JSON.stringify([family, source, id]), seq)
  }

  candidates(family: KeyFamily, source: string, id: string): readonly number[] {
    const seq = this.keys.get(JSON.stringify([family, source, id]))
    return seq === undefined ? [] : [seq]
  }

  rememberUnit(unit: string, seq: number): void {
    this.units.set(unit, [...(this.units.get(unit) ?? []), seq])
  }

  count(type: string, times = 1): void {
    this.counted.set(type, (this.counted.get(type) ?? 0) + times)
  }
}

const nameOf = ({ policy, generation, key }: BudgetRef): string => JSON.stringify([policy, generation, key])
