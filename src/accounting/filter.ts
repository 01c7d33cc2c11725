import type { Cap, Cost, Row } from './units.js'

/** Which rows must all hold, and of which one must. A row's cap never changes within a policy version. */
export interface Filter {
  readonly and: readonly Row[]
  readonly or: readonly Row[]
  readonly caps: Readonly<Partial<Record<Row, Cap>>>
}

/**
 * Whether one more cost is within the budget.
 *
 * Every `and` row must hold it, and of the `or` rows, where there are any, at least one that no infinite cost has spent.
 * Licences: Rogers et al. 2016 (basic composition), Whitehouse et al. 2023 Theorem 1 (zCDP), Feldman and Zrnic 2021
 * Theorem 4.3 (one Rényi order); several orders are sound because their caps share δ.
 *
 * @param taken what a row has taken so far, `INF` where an infinite cost was among it; `place` counts the `and` rows, then
 *   the `or` rows. No row is asked for that the answer does not depend on: a spend may touch very many budgets.
 */
export function admits(
  { and, or, caps }: Filter,
  taken: (row: Row, place: number) => Cost,
  cost: (row: Row, place: number) => Cost,
): boolean {
  const holds = (row: Row, place: number): boolean => fits(caps[row] ?? 'DEAD', taken(row, place), cost(row, place))
  if (!and.every(holds)) return false
  return or.length === 0 || or.some((row, index) => isAlive(caps[row]) && holds(row, and.length + index))
}

const isAlive = (cap: Cap | undefined): boolean => cap !== undefined && cap !== 'DEAD' && cap > 0n

function fits(cap: Cap, taken: Cost, cost: Cost): boolean {
  if (cost === 'INF' || taken === 'INF') return false
  return cost <= (cap === 'DEAD' ? 0n : cap) - taken
}
