import { costOf } from '../accounting/cost.js'
import { costAtPrice, type Price, pricesOf } from '../accounting/price.js'
import type { Rational } from '../accounting/rational.js'
import { countOf, deltaOf, type Release } from '../accounting/release.js'
import { type Cost, INFINITE_FROM, type Row } from '../accounting/units.js'

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
  const prices = release.parts.map(({ mechanism }) => pricesOf(mechanism, release.relation, rows))
  return costsAt(release, rows, prices)
}

/** The same from the prices of the release's parts. */
export const costsAt = (release: Release, rows: readonly Row[], prices: readonly Prices[]): Costs => ({
  count: countOf(release),
  hasDelta: deltaOf(release),
  cost: new Map(rows.map((row) => [row, summed(release, row, prices)])),
  perCount: perCount(rows, prices),
})

type Prices = ReadonlyMap<Row, Price>

/** The sum of the parts' own ceilings; worked out from the start where a price is not narrow enough for its count. */
const summed = (release: Release, row: Row, prices: readonly Prices[]): Cost => {
  let sum = 0n
  for (const [index, { count }] of release.parts.entries()) {
    const cost = costAtPrice(prices[index]?.get(row) ?? 'INF', count)
    if (cost === undefined) return costOf(release, row)
    if (cost === 'INF') return 'INF'
    sum += cost
  }
  return sum >= INFINITE_FROM ? 'INF' : sum
}

const perCount = (rows: readonly Row[], prices: readonly Prices[]): ReadonlyMap<Row, Rational> => {
  const units = new Map<Row, Rational>()
  if (prices.length > 1) return units
  for (const row of rows) {
    const price = prices[0]?.get(row) ?? 'INF'
    if (price !== 'INF') units.set(row, price.hi)
  }
  return units
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
