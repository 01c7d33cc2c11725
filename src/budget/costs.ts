import { costsOf } from '../accounting/cost.js'
import { unitsPerCount } from '../accounting/per-count.js'
import type { Rational } from '../accounting/rational.js'
import { countOf, deltaOf, type Release } from '../accounting/release.js'
import type { Cost, Row } from '../accounting/units.js'

/** What a release costs in the rows that were asked for, computed before the decision. */
export interface Costs {
  /** How often the mechanism runs; 1 for a composition of parts. */
  readonly count: bigint
  /** Whether the release has a delta of its own. */
  readonly hasDelta: boolean
  readonly cost: ReadonlyMap<Row, Cost>
  /**
   * Rows whose cost is the ceiling of count times this; a row is missing where no count is finite, and all are where
   * the release has parts.
   */
  readonly perCount: ReadonlyMap<Row, Rational>
}

/** Computes all of it exactly, here and now: a fresh subsampled Gaussian over 21 orders takes some milliseconds. */
export const exactCosts = (release: Release, rows: readonly Row[]): Costs => {
  const costs = costsOf(release, rows)
  return {
    count: countOf(release),
    hasDelta: deltaOf(release),
    cost: new Map(rows.map((row) => [row, costs[row] ?? 'INF'])),
    perCount: unitsPerCount(release, rows),
  }
}

/** The largest count whose cost in `row` is at most `remaining`; exact but for ratios that were rounded up. */
export const largestCountIn = (costs: Costs, row: Row, remaining: bigint): bigint => {
  const ratio = costs.perCount.get(row)
  if (ratio === undefined || remaining < 0n) return 0n
  if (ratio.num === 0n) return MOST
  const count = (remaining * ratio.den) / ratio.num
  return count < MOST ? count : MOST
}

/** A count is at most 10^12. */
const MOST = 10n ** 12n
