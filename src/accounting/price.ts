import { lossesOf } from './cost.js'
import { boundsOf, type LossBounds } from './loss.js'
import { isTranscendental, type Mechanism } from './mechanism.js'
import { ceilDivide, multiply, type Rational, rational } from './rational.js'
import { type Cost, INFINITE_FROM, orderOf, type Relation, type Row, scaleOf } from './units.js'

/**
 * What one run of a mechanism costs in one row, in units, not rounded: two fractions around it, equal or closer than one
 * part in 2¹⁰⁰, or `INF`. Plain data: it can be kept and sent between threads, and the cost of any count follows from it.
 */
export type Price = LossBounds | 'INF'

/** The prices of a mechanism; the rows share work. */
export function pricesOf(mechanism: Mechanism, relation: Relation, rows: readonly Row[]): ReadonlyMap<Row, Price> {
  const losses = lossesOf(mechanism, relation)
  return new Map(rows.map((row) => [row, priceOf(boundsOf(losses(row), scaleOf(row)), scaleOf(row))]))
}

/**
 * The cost of `count` runs at a price, rounded up once; undefined in the rare case that the two fractions round to
 * different integers.
 */
export function costAtPrice(price: Price, count: bigint): Cost | undefined {
  if (count === 0n) return 0n
  if (price === 'INF') return 'INF'
  const units = ceilTimes(price.lo, count)
  if (units >= INFINITE_FROM) return 'INF'
  return price.lo === price.hi || ceilTimes(price.hi, count) === units ? units : undefined
}

/**
 * Roughly how long the prices take to work out, in microseconds: little for fractions, and for a Gaussian on a Poisson
 * sample the longer the larger the order.
 */
export const effortOf = (mechanism: Mechanism, rows: readonly Row[]): number =>
  rows.reduce((effort, row) => effort + rowEffort(mechanism, row), 0)

/** A fraction's own row. */
const FRACTION = 3

function rowEffort(mechanism: Mechanism, row: Row): number {
  const { kind } = mechanism
  const order = orderOf(row)
  if (kind === 'declared_rdp') return FRACTION + (order === undefined ? 0 : mechanism.curve.points.length / 2)
  if (!isTranscendental(mechanism) || row === 'delta' || row === 'mu2') return FRACTION
  if (kind === 'sampled_gaussian') return typeof order === 'number' ? 50 + 2 * order : FRACTION
  const isEpsilon = row === 'eps' || order === 'inf'
  return isEpsilon && kind !== 'randomized_response' && kind !== 'sampled_approx' ? FRACTION : 30
}

function priceOf(bounds: LossBounds | undefined, scale: bigint): Price {
  if (bounds === undefined) return 'INF'
  const lo = multiply(bounds.lo, rational(scale))
  return { lo, hi: bounds.hi === bounds.lo ? lo : multiply(bounds.hi, rational(scale)) }
}

const ceilTimes = ({ num, den }: Rational, count: bigint): bigint => ceilDivide(num * count, den)
