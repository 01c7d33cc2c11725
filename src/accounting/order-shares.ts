import { largestDivergence } from './conversion.js'
import type { CostsOf } from './cost.js'
import { AccountingError } from './errors.js'
import { floorScaled } from './exact/rounding.js'
import { inTranscendentalRange, integerFrom } from './fields.js'
import { automaticOrders, plannedOrder } from './orders.js'
import { add, compare, divide, isZero, parseRational, type Rational, rational, rationalText, ZERO } from './rational.js'
import type { Release } from './release.js'
import { LARGEST_ORDER, SCALE_LOSS } from './units.js'

/** One order of a budget as asked for. */
export interface OrderTerms {
  /** An integer from 2 to 1024, or `inf`. */
  readonly alpha: unknown
  readonly deltaShare?: unknown
}

/** One order of a budget with its share of δ. Several orders are sound together because their shares add up to δ at most. */
export interface OrderShare {
  readonly alpha: number | 'inf'
  readonly share: Rational
}

export interface OrdersAsked {
  readonly orders?: readonly OrderTerms[] | undefined
  readonly plannedFor?: Release | undefined
}

/** The terms of a budget that converts: ε above 0 and the two parts of δ. */
export interface Converted {
  readonly epsilon: Rational
  readonly deltaConv: Rational
  readonly deltaExt: Rational
}

const MOST_ORDERS = 64

/** The orders of an rdp budget: those named, or the best for a planned spend, or the automatic ones. */
export function orderShares(
  terms: OrdersAsked,
  converted: Converted,
  costsOf: CostsOf,
): { shares: readonly OrderShare[]; warnings: string[] } {
  if (terms.orders !== undefined) return namedShares(terms.orders, converted.deltaConv)
  requireConversionDelta(converted.deltaConv)
  if (terms.plannedFor === undefined) return { shares: automaticShares(converted), warnings: [] }
  const { epsilon, deltaConv } = converted
  const alpha = plannedOrder(terms.plannedFor, costsOf, (order) => divergenceCap(epsilon, order, deltaConv))
  const atEnd = alpha === 2 || alpha === 256
  const warnings = atEnd ? [`the planned spend fits best at order ${alpha}, the end of what is tried`] : []
  return { shares: [{ alpha, share: deltaConv }], warnings }
}

/** Equal shares for the automatic orders; those that stay without a cap give theirs back. */
function automaticShares({ epsilon, deltaConv }: Converted): readonly OrderShare[] {
  let orders = automaticOrders(epsilon, deltaConv)
  for (;;) {
    const share = equalShare(deltaConv, orders.length)
    const live = orders.filter((order) => divergenceCap(epsilon, order, share) > 0n)
    if (live.length === orders.length) return [WITHOUT_DELTA, ...orders.map((alpha) => ({ alpha, share }))]
    orders = live
  }
}

function namedShares(
  orders: readonly OrderTerms[],
  deltaConv: Rational,
): { shares: readonly OrderShare[]; warnings: string[] } {
  if (orders.length === 0 || orders.length > MOST_ORDERS) {
    throw new AccountingError('INVALID', `a budget has 1 to ${MOST_ORDERS} orders`, '/orders')
  }
  const alphas = orders.map(({ alpha }, index) => orderFrom(alpha, `/orders/${index}/alpha`))
  const twice = alphas.findIndex((alpha, index) => alphas.indexOf(alpha) < index)
  if (twice >= 0) throw new AccountingError('INVALID', 'an order is given twice', `/orders/${twice}/alpha`)
  const finite = orders.filter((_, index) => alphas[index] !== 'inf')
  const named = finite.filter(({ deltaShare }) => deltaShare !== undefined)
  if (named.length > 0 && named.length < finite.length) {
    throw new AccountingError('INVALID', 'give deltaShare with every finite order or with none', '/orders')
  }
  const equal = equalShare(deltaConv, finite.length)
  const shares = alphas.map((alpha, index) => ({
    alpha,
    share: shareOf(alpha, orders[index]!.deltaShare, equal, `/orders/${index}/deltaShare`),
  }))
  const total = shares.reduce((all, { share }) => add(all, share), ZERO)
  const left = compare(deltaConv, total)
  if (left < 0) {
    const both = `${rationalText(total)}, more than the ${rationalText(deltaConv)} there is for the conversion`
    throw new AccountingError('OUT_OF_RANGE', `the shares of delta add up to ${both}`, '/orders')
  }
  return { shares, warnings: left > 0 ? ['the orders leave a part of delta unused'] : [] }
}

function shareOf(alpha: number | 'inf', given: unknown, equal: Rational, pointer: string): Rational {
  if (given === undefined) return alpha === 'inf' ? ZERO : equal
  const share = inTranscendentalRange(parseRational(given, pointer), pointer)
  if (alpha === 'inf' && !isZero(share)) {
    throw new AccountingError('OUT_OF_RANGE', 'order inf needs no share of delta', pointer)
  }
  return share
}

const WITHOUT_DELTA: OrderShare = { alpha: 'inf', share: ZERO }

const equalShare = (delta: Rational, orders: number): Rational =>
  orders === 0 ? ZERO : inTranscendentalRange(divide(delta, rational(BigInt(orders))), '/delta')

/** ⌊10¹⁵ · (ε + (ln δ + ln α)/(α-1) - ln(1 - 1/α))⌋. */
export const divergenceCap = (epsilon: Rational, order: number, share: Rational): bigint =>
  floorScaled(largestDivergence(epsilon, rational(BigInt(order)), share), SCALE_LOSS)

/** @throws AccountingError where nothing of δ is left for the conversion. */
export function requireConversionDelta(deltaConv: Rational): void {
  if (!isZero(deltaConv)) return
  throw new AccountingError('OUT_OF_RANGE', 'the conversion needs a delta above deltaForSpends', '/delta')
}

function orderFrom(alpha: unknown, pointer: string): number | 'inf' {
  return alpha === 'inf' ? 'inf' : Number(integerFrom(alpha, 2n, BigInt(LARGEST_ORDER), pointer))
}
