import type { Cap, Cost, Row } from './units.js'

/** What has been charged in one row: the finite costs added up without bound, and how many costs were infinite. */
export interface Sums {
  readonly finite: bigint
  readonly infinite: number
}

/** Which rows must all hold, and of which one must. A row's cap never changes within a policy version. */
export interface Filter {
  readonly and: readonly Row[]
  readonly or: readonly Row[]
  readonly caps: Readonly<Partial<Record<Row, Cap>>>
}

export type Verdict =
  | { readonly ok: true; readonly live: readonly Row[] }
  | { readonly ok: false; readonly failing: readonly Row[] }

/**
 * Whether one more cost is within the budget.
 *
 * Every `and` row must hold it, and of the `or` rows, where there are any, at least one that no infinite cost has spent.
 * Licences: Rogers et al. 2016 (basic composition), Whitehouse et al. 2023 Theorem 1 (zCDP), Feldman and Zrnic 2021
 * Theorem 4.3 (one Rényi order); several orders are sound because their caps share δ.
 */
export function admits(filter: Filter, used: (row: Row) => Sums, cost: (row: Row) => Cost): Verdict {
  const holds = (row: Row): boolean => fits(filter.caps[row] ?? 'DEAD', used(row), cost(row))
  const refusing = filter.and.filter((row) => !holds(row))
  const live = filter.or.filter((row) => isAlive(filter.caps[row]) && holds(row))
  const failing = filter.or.length > 0 && live.length === 0 ? [...refusing, ...filter.or] : refusing
  return failing.length === 0 ? { ok: true, live } : { ok: false, failing }
}

const isAlive = (cap: Cap | undefined): boolean => cap !== undefined && cap !== 'DEAD' && cap > 0n

function fits(cap: Cap, used: Sums, cost: Cost): boolean {
  if (cost === 'INF' || used.infinite > 0) return false
  return cost <= (cap === 'DEAD' ? 0n : cap) - used.finite
}
