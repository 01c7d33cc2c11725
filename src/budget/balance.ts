import type { Cost } from '../accounting/units.js'

/**
 * Running sums of one budget, aligned to its policy's rows.
 *
 * A sum is unbounded and infinite costs are counted apart: a saturating sum would be unsound once something is
 * released, because 9e18 + 9e18 would saturate and releasing 9e18 would leave almost nothing.
 */
export interface Sums {
  /** Integers at each row's scale. */
  readonly finite: readonly bigint[]
  /** How many infinite costs each row has taken. A row with one is spent out. */
  readonly infinite: readonly number[]
}

/** What one budget has taken. */
export interface Balance {
  /** The window that `spent` and `reserved` belong to. */
  readonly window: string
  readonly spent: Sums
  readonly reserved: Sums
  /** Everything ever spent in all windows; the same object as `spent` where the window is `lifetime`. */
  readonly lifetime: Sums
}

export const zeroSums = (rows: number): Sums => ({
  finite: new Array<bigint>(rows).fill(0n),
  infinite: new Array<number>(rows).fill(0),
})

export const emptyBalance = (window: string, rows: number): Balance => {
  const zero = zeroSums(rows)
  return { window, spent: zero, reserved: zero, lifetime: zero }
}

const addCosts = (sums: Sums, costs: readonly Cost[]): Sums => shift(sums, costs, 1)

/** @throws RangeError where more is taken out than was put in: a broken invariant, never a user's mistake. */
const subtractCosts = (sums: Sums, costs: readonly Cost[]): Sums => shift(sums, costs, -1)

const shift = (sums: Sums, costs: readonly Cost[], sign: 1 | -1): Sums => {
  const finite = sums.finite.slice()
  const infinite = sums.infinite.slice()
  for (const [row, cost] of costs.entries()) {
    if (cost === 'INF') infinite[row] = (infinite[row] ?? 0) + sign
    else finite[row] = (finite[row] ?? 0n) + (sign === 1 ? cost : -cost)
    if ((finite[row] ?? 0n) < 0n || (infinite[row] ?? 0) < 0) {
      throw new RangeError(`row ${row} would fall below zero: ${finite[row]} and ${infinite[row]} infinite costs`)
    }
  }
  return { finite, infinite }
}

/** What a budget has taken in each row, spent and reserved together: `INF` in a row that an infinite cost has spent out. */
export type Taken = (row: number) => Cost

export const NOTHING_TAKEN: Taken = () => 0n

export const takenOf =
  ({ spent, reserved }: Balance): Taken =>
  (row) =>
    (spent.infinite[row] ?? 0) + (reserved.infinite[row] ?? 0) > 0
      ? 'INF'
      : (spent.finite[row] ?? 0n) + (reserved.finite[row] ?? 0n)

/** Spent and reserved together: what a new cost has to fit beside. */
export const usedOf = (balance: Balance): Sums => ({
  finite: balance.spent.finite.map((sum, row) => sum + (balance.reserved.finite[row] ?? 0n)),
  infinite: balance.spent.infinite.map((count, row) => count + (balance.reserved.infinite[row] ?? 0)),
})

/** Opens the window of `window` where the balance still shows an earlier one. What is lifetime stays. */
export const inWindow = (balance: Balance, window: string): Balance => {
  if (balance.window === window) return balance
  const zero = zeroSums(balance.lifetime.finite.length)
  return { window, spent: zero, reserved: zero, lifetime: balance.lifetime }
}

/** Adds a spend of `window` to the balance that shows `balance.window`. */
export const spend = (balance: Balance, window: string, costs: readonly Cost[]): Balance => {
  const lifetime = addCosts(balance.lifetime, costs)
  if (balance.window !== window) return { ...balance, lifetime }
  const spent = balance.spent === balance.lifetime ? lifetime : addCosts(balance.spent, costs)
  return { ...balance, spent, lifetime }
}

/** Sets a cost aside in `window`. A window that is over admits nothing any more, so it keeps no reservations. */
export const reserve = (balance: Balance, window: string, costs: readonly Cost[]): Balance =>
  balance.window === window ? { ...balance, reserved: addCosts(balance.reserved, costs) } : balance

/** Takes back what {@link reserve} set aside. */
export const unreserve = (balance: Balance, window: string, costs: readonly Cost[]): Balance =>
  balance.window === window ? { ...balance, reserved: subtractCosts(balance.reserved, costs) } : balance

/** How a cost comes to a budget, or leaves it. */
export type Movement = 'spend' | 'reserve' | 'unreserve'

/** The balance after a movement in `window`, which begins at zero where the balance shows an earlier one. */
export const moved = (
  balance: Balance | undefined,
  movement: Movement,
  window: string,
  costs: readonly Cost[],
): Balance => {
  const before = balance ?? emptyBalance(window, costs.length)
  return MOVES[movement](window > before.window ? inWindow(before, window) : before, window, costs)
}

const MOVES = { spend, reserve, unreserve }
