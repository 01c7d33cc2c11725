import type { CostsOf } from './cost.js'
import { AccountingError } from './errors.js'
import { ln } from './exact/elementary.js'
import { ofRational, product } from './exact/interval.js'
import { compareReals } from './exact/rounding.js'
import { divide, multiply, type Rational, rational } from './rational.js'
import type { Release } from './release.js'
import { rdpRow } from './units.js'

/** The catalogue of orders: dense where training runs lie, sparse above. Order ∞ goes with it. */
export const CATALOGUE: readonly number[] = [
  2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 256,
]

/** Where the automatic orders lie, as shares of the order that is best for a Gaussian. */
const SPREAD: readonly Rational[] = [
  rational(42n, 100n),
  rational(1n, 2n),
  rational(3n, 5n),
  rational(3n, 4n),
  rational(92n, 100n),
]

const LARGEST_PLANNED = 256

/**
 * At most five orders for a budget whose spends are not known: of the catalogue the nearest, in ln(α-1), to
 * 1 + 2f·ln(5/δ)/ε for each share f. The result is stored with the budget, not the rule.
 */
export function automaticOrders(epsilon: Rational, delta: Rational): readonly number[] {
  const chosen = SPREAD.map((share) =>
    nearest(divide(multiply(rational(2n), share), epsilon), divide(rational(5n), delta)),
  )
  return CATALOGUE.filter((order) => chosen.includes(order))
}

/** Of the catalogue the order nearest to 1 + factor·ln(argument): t lies above √((a-1)(b-1)) where b is nearer than a. */
function nearest(factor: Rational, argument: Rational): number {
  const square = (bits: number) => {
    const target = product(ofRational(factor, bits), ln(ofRational(argument, bits), bits), bits)
    return product(target, target, bits)
  }
  const next = CATALOGUE.findIndex((order, index) => {
    const after = CATALOGUE[index + 1]
    if (after === undefined) return true
    const border = rational(BigInt((order - 1) * (after - 1)))
    return compareReals(square, (bits) => ofRational(border, bits)) < 0
  })
  return CATALOGUE[next]!
}

const PLANNED_ORDERS = Array.from({ length: LARGEST_PLANNED - 1 }, (_, index) => index + 2)

/** The rows in which a planned release is tried. */
export const PLANNED_ROWS = PLANNED_ORDERS.map(rdpRow)

/**
 * Of all orders from 2 to 256 the one at which the most repetitions of a planned release fit.
 *
 * @throws AccountingError where it costs nothing or has no finite cost.
 */
export function plannedOrder(planned: Release, costsOf: CostsOf, capAt: (order: number) => bigint): number {
  const costs = costsOf(planned, PLANNED_ROWS)
  let best: { order: number; cap: bigint; cost: bigint } | undefined
  for (const order of PLANNED_ORDERS) {
    const cost = costs[rdpRow(order)]!
    if (cost === 0n) throw new AccountingError('INVALID', 'the planned spend costs nothing', '/plannedFor')
    const cap = capAt(order)
    if (cost === 'INF' || cap <= 0n) continue
    if (best === undefined || cap * best.cost > best.cap * cost) best = { order, cap, cost }
  }
  if (best === undefined) {
    throw new AccountingError(
      'OUT_OF_RANGE',
      'the planned spend has no finite cost at any order with a cap',
      '/plannedFor',
    )
  }
  return best.order
}
