import { ln, log1p } from './exact/elementary.js'
import { difference, type Interval, ofRational, quotient, sum } from './exact/interval.js'
import { compareReals, type Enclosure } from './exact/rounding.js'
import { add, multiply, ONE, type Rational, rational, subtract } from './rational.js'

/**
 * How far below r the ε of (α, r)-RDP at δ may lie, and how far above ε the r: (ln δ + ln α)/(α-1) - ln(1 - 1/α), for a
 * rational α above 1 and 0 < δ < 1. (Canonne, Kamath and Steinke 2020, Proposition 12: ε = r + ln(1 - 1/α) - (ln δ + ln
 * α)/(α-1).)
 */
export function conversionGain(order: Rational, delta: Rational, bits: number): Interval {
  if (gainVanishes(order, delta)) return ofRational(rational(0n), bits)
  const above = ofRational(subtract(order, ONE), bits)
  const one = ofRational(ONE, bits)
  const rarity = quotient(ln(ofRational(multiply(delta, order), bits), bits), above, bits)
  return sum(rarity, log1p(quotient(one, above, bits), bits), bits)
}

/** The largest Rényi divergence of this order that still implies (ε, δ)-DP. */
export const largestDivergence =
  (epsilon: Rational, order: Rational, delta: Rational): Enclosure =>
  (bits) =>
    sum(ofRational(epsilon, bits), conversionGain(order, delta, bits), bits)

/** The ε at δ of a mechanism with this Rényi divergence; below 0 it means 0. */
export const epsilonOfDivergence =
  (divergence: Rational, order: Rational, delta: Rational): Enclosure =>
  (bits) =>
    difference(ofRational(divergence, bits), conversionGain(order, delta, bits), bits)

/**
 * The step α = 1 + j/resolution, j ≥ 1, at which `value` is largest, the smallest such on ties.
 *
 * For C(α)/α, C the largest divergence for some ε > 0, and for -ε(α), ε the conversion of α·ρ, there is one peak: with
 * g(α) = α ln α - (α-1) ln(α-1), a concave function, C(α)/α ≥ ρ says (α-1)(ε - ρα) + ln δ + g(α) ≥ 0, which for ρ ≥ 0 is
 * concave in α and so holds on one interval. Where C is negative, (α-1)·C = (α-1)ε + ln δ + g(α) rises towards 0 while the
 * divisor α(α-1) grows, so C(α)/α rises.
 */
export function bestOrder(resolution: bigint, value: (order: Rational) => Enclosure): Rational {
  const at = (step: bigint): Rational => add(ONE, rational(step, resolution))
  const rises = (step: bigint): boolean => compareReals(value(at(step + 1n)), value(at(step))) > 0
  let high = 1n
  while (rises(high)) high *= 2n
  let low = high / 2n
  while (high - low > 1n) {
    const middle = (low + high) / 2n
    if (rises(middle)) low = middle
    else high = middle
  }
  return at(high)
}

/**
 * Whether δ^v u^u = (u-v)^(u-v) v^v for α = u/v, the one case in which the gain is a fraction, 0, and no number of digits
 * could tell. In lowest terms u^u divides a power of δ's denominator then, so u is small.
 */
function gainVanishes(order: Rational, delta: Rational): boolean {
  const { num: u, den: v } = order
  if (u > LARGEST_TIE) return false
  return delta.num ** v * u ** u === delta.den ** v * (u - v) ** (u - v) * v ** v
}

const LARGEST_TIE = 2_000n
