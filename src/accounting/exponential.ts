import { expm1, ln } from './exact/elementary.js'
import { difference, type Interval, ofRational, point, quotient, sum } from './exact/interval.js'
import { exact, type Loss, least, ofEpsilon } from './loss.js'
import { rdpOfEpsilon, rhoOfEpsilon } from './pure-dp.js'
import { multiply, type Rational, rational } from './rational.js'

/**
 * The exponential mechanism is ε-bounded-range (Durfee and Rogers 2019), hence ε²/8-zCDP (Cesar and Rogers 2020); where
 * that is more than any ε-DP mechanism costs, that.
 */
export const exponentialRho = (epsilon: Rational): Loss =>
  least(exact(eighthOfSquare(epsilon)), ofEpsilon(epsilon, rhoOfEpsilon))

/**
 * The Rényi divergence of a bounded range: KL + (α-1)ε²/8 with x = ε/(e^ε - 1) and KL = x - 1 - ln x (Dong, Durfee and
 * Rogers 2020); never more than ε, nor than any ε-DP mechanism costs.
 */
export const exponentialRdp = (epsilon: Rational, order: number): Loss =>
  least(
    ofEpsilon(epsilon, (value, bits) => boundedRangeRdp(value, epsilon, order, bits)),
    exact(epsilon),
    ofEpsilon(epsilon, (value, bits) => rdpOfEpsilon(value, order, bits)),
  )

function boundedRangeRdp(value: Interval, epsilon: Rational, order: number, bits: number): Interval {
  const x = quotient(value, expm1(value, bits), bits)
  const divergence = difference(difference(x, point(1n), bits), ln(x, bits), bits)
  const growth = multiply(rational(BigInt(order - 1)), eighthOfSquare(epsilon))
  return sum(divergence, ofRational(growth, bits), bits)
}

const eighthOfSquare = (epsilon: Rational): Rational =>
  rational(epsilon.num * epsilon.num, epsilon.den * epsilon.den * 8n)
