import { unreachable } from './errors.js'
import { exp, expm1, ln, log1p } from './exact/elementary.js'
import {
  difference,
  type Interval,
  negate,
  ofRational,
  point,
  product,
  quotient,
  sum,
  times,
} from './exact/interval.js'
import { exact, FREE, INFINITE, type Loss, ofEpsilon, real } from './loss.js'
import type { Mechanism } from './mechanism.js'
import { responseRatio } from './randomized-response.js'
import { compare, divide, multiply, ONE, type Rational, rational } from './rational.js'
import type { Relation } from './units.js'

/** ε of one run, its largest log-likelihood ratio. Where the run has a δ too, that is charged in its own row. */
export function epsilonLoss(mechanism: Mechanism, relation: Relation): Loss {
  switch (mechanism.kind) {
    case 'no_op':
      return FREE
    case 'laplace':
      return exact(laplaceEpsilon(mechanism.scale))
    case 'discrete_laplace':
      return exact(discreteLaplaceEpsilon(mechanism.parameter, mechanism.sensitivity))
    case 'randomized_response': {
      const ratio = responseRatio(mechanism, relation)
      if (ratio === 'infinite') return INFINITE
      return compare(ratio, ONE) === 0 ? FREE : real((bits) => ln(ofRational(ratio, bits), bits))
    }
    case 'exponential':
    case 'permute_and_flip':
    case 'declared_pure':
    case 'declared_approx':
      return exact(mechanism.epsilon)
    case 'sampled_approx':
      return ofSampled(mechanism, (epsilon) => epsilon)
    case 'declared_rdp':
      return mechanism.curve.inf === undefined ? INFINITE : exact(mechanism.curve.inf)
    case 'non_private':
    case 'gaussian':
    case 'sampled_gaussian':
    case 'discrete_gaussian':
    case 'declared_zcdp':
    case 'declared_gdp':
    case 'tree_aggregation':
      return INFINITE
    default:
      return unreachable(mechanism)
  }
}

/** δ of one run. */
export function deltaLoss(mechanism: Mechanism): Loss {
  switch (mechanism.kind) {
    case 'declared_approx':
    case 'declared_zcdp':
      return exact(mechanism.delta)
    case 'sampled_approx':
      return exact(multiply(mechanism.delta, mechanism.probability))
    case 'non_private':
      return INFINITE
    default:
      return FREE
  }
}

export const laplaceEpsilon = (scale: Rational): Rational => divide(ONE, scale)

export const discreteLaplaceEpsilon = (parameter: Rational, sensitivity: bigint): Rational =>
  multiply(parameter, rational(sensitivity))

/** ε-DP implies ε·tanh(ε/2)-zCDP, which is tight (Steinke 2024, Theorem 5). tanh(ε/2) = (1 - e^-ε)/(1 + e^-ε). */
export function rhoOfEpsilon(epsilon: Interval, bits: number): Interval {
  const down = negate(epsilon)
  const tanh = quotient(negate(expm1(down, bits)), sum(point(1n), exp(down, bits), bits), bits)
  return product(epsilon, tanh, bits)
}

/**
 * ε-DP implies (α, ε - [ln(1 + e^-ε) - ln(1 + e^-(2α-1)ε)]/(α-1))-RDP, which is tight (Bun and Steinke 2016,
 * Proposition 3.3): binary randomized response attains it.
 */
export function rdpOfEpsilon(epsilon: Interval, order: number, bits: number): Interval {
  const near = log1p(exp(negate(epsilon), bits), bits)
  const far = log1p(exp(negate(times(epsilon, BigInt(2 * order - 1), bits)), bits), bits)
  return difference(epsilon, quotient(difference(near, far, bits), point(BigInt(order - 1)), bits), bits)
}

/**
 * A function of the ε of an ε-DP mechanism on a Poisson sample, ln(1 + q(e^ε - 1)), under adding or removing one record
 * (Balle, Barthe and Gaboardi 2018).
 */
export function ofSampled(
  { epsilon, probability }: { readonly epsilon: Rational; readonly probability: Rational },
  value: (epsilon: Interval, bits: number) => Interval,
): Loss {
  return ofEpsilon(epsilon, (whole, bits) => {
    const amplified = log1p(product(ofRational(probability, bits), expm1(whole, bits), bits), bits)
    return value(amplified, bits)
  })
}
