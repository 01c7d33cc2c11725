import { costsOf } from '../accounting/cost.js'
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
  const { cost, open } = told(release, rows, prices)
  return costsAt(release, prices, open.length === 0 ? cost : withRows(cost, costsOf(release, open)))
}

/** The costs that the prices tell, with those of the other rows. */
export const withRows = (cost: Told['cost'], others: Readonly<Partial<Record<Row, Cost>>>): Told['cost'] =>
  new Map([...cost, ...(Object.entries(others) as [Row, Cost][])])

/** What prices tell of a release. */
export interface Told {
  readonly cost: ReadonlyMap<Row, Cost>
  /** The rows, almost always none, where a price is not narrow enough for its count: they are worked out from the start. */
  readonly open: readonly Row[]
}

/** The costs of a release from the prices of its parts. */
export const told = (release: Release, rows: readonly Row[], prices: readonly Prices[]): Told => {
  const cost = new Map<Row, Cost>()
  const open: Row[] = []
  for (const row of rows) {
    const sum = summed(release, row, prices)
    if (sum === undefined) open.push(row)
    else cost.set(row, sum)
  }
  return { cost, open }
}

/** The costs of a release in all its rows, with what else follows from the prices of its parts. */
export const costsAt = (release: Release, prices: readonly Prices[], cost: ReadonlyMap<Row, Cost>): Costs => ({
  count: countOf(release),
  hasDelta: deltaOf(release),
  cost,
  perCount: perCount([...cost.keys()], prices),
})

export type Prices = ReadonlyMap<Row, Price>

/** The sum of the parts' own ceilings; undefined where a price does not tell. */
const summed = (release: Release, row: Row, prices: readonly Prices[]): Cost | undefined => {
  let sum = 0n
  for (const [index, { count }] of release.parts.entries()) {
    const cost = costAtPrice(prices[index]?.get(row) ?? 'INF', count)
    if (cost === undefined || cost === 'INF') return cost
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
