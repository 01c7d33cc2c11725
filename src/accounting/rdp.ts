import { unreachable } from './errors.js'
import { ofRational } from './exact/interval.js'
import { exponentialRdp } from './exponential.js'
import { discreteLaplaceRdp, laplaceRdp } from './laplace.js'
import { exact, FREE, INFINITE, type Loss, ofEpsilon } from './loss.js'
import type { Mechanism, RdpCurve } from './mechanism.js'
import { discreteLaplaceEpsilon, laplaceEpsilon, ofSampled, rdpOfEpsilon } from './pure-dp.js'
import { responseRdp } from './randomized-response.js'
import { add, compare, divide, multiply, ONE, type Rational, rational, subtract, ZERO } from './rational.js'
import { SubsampledGaussian } from './subsampled-gaussian.js'
import type { Relation } from './units.js'
import { gaussianRho } from './zcdp.js'

/** The Rényi divergence of one run at integer orders of at least 2; the orders share the work. */
export function rdpLosses(mechanism: Mechanism, relation: Relation): (order: number) => Loss {
  switch (mechanism.kind) {
    case 'no_op':
      return () => FREE
    case 'non_private':
      return () => INFINITE
    case 'laplace': {
      const epsilon = laplaceEpsilon(mechanism.scale)
      return (order) => ofEpsilon(epsilon, (value, bits) => laplaceRdp(value, order, bits))
    }
    case 'discrete_laplace': {
      const { parameter, sensitivity } = mechanism
      const epsilon = discreteLaplaceEpsilon(parameter, sensitivity)
      return (order) =>
        ofEpsilon(epsilon, (value, bits) => discreteLaplaceRdp(ofRational(parameter, bits), value, order, bits))
    }
    case 'randomized_response':
      return (order) => responseRdp(mechanism, relation, order)
    case 'exponential':
      return (order) => exponentialRdp(mechanism.epsilon, order)
    case 'permute_and_flip':
    case 'declared_pure':
    case 'declared_approx':
      return (order) => ofEpsilon(mechanism.epsilon, (value, bits) => rdpOfEpsilon(value, order, bits))
    case 'sampled_approx':
      return (order) => ofSampled(mechanism, (value, bits) => rdpOfEpsilon(value, order, bits))
    case 'sampled_gaussian': {
      const gaussian = new SubsampledGaussian(mechanism.variance, mechanism.probability)
      return (order) => gaussian.loss(order)
    }
    case 'declared_rdp':
      return (order) => declaredRdp(mechanism.curve, rational(BigInt(order)))
    case 'declared_zcdp':
      return (order) => exact(add(mechanism.xi, multiply(rational(BigInt(order)), mechanism.rho)))
    case 'gaussian':
    case 'discrete_gaussian':
    case 'tree_aggregation':
    case 'declared_gdp': {
      const rho = gaussianRho(mechanism)
      return (order) => exact(multiply(rational(BigInt(order)), rho))
    }
    default:
      return unreachable(mechanism)
  }
}

/**
 * A declared curve at an order it may not list: the divergence of a larger order bounds it, because divergences rise with
 * the order, and so does the chord between its listed neighbours, because (α-1)·D_α is convex in α and 0 at α = 1.
 */
function declaredRdp(curve: RdpCurve, order: Rational): Loss {
  const listed = curve.points.find((point) => compare(point.order, order) === 0)
  if (listed !== undefined) return exact(listed.divergence)
  const above = curve.points.filter((point) => compare(point.order, order) > 0)
  const bounds = above.map((point) => point.divergence)
  if (curve.inf !== undefined) bounds.push(curve.inf)
  if (above[0] !== undefined) {
    const below = curve.points.findLast((point) => compare(point.order, order) < 0) ?? { order: ONE, divergence: ZERO }
    bounds.push(chord(below, above[0], order))
  }
  if (bounds.length === 0) return INFINITE
  return exact(bounds.reduce((smallest, one) => (compare(one, smallest) < 0 ? one : smallest)))
}

interface CurvePoint {
  readonly order: Rational
  readonly divergence: Rational
}

function chord(below: CurvePoint, above: CurvePoint, order: Rational): Rational {
  const share = divide(subtract(order, below.order), subtract(above.order, below.order))
  const left = multiply(subtract(below.order, ONE), below.divergence)
  const right = multiply(subtract(above.order, ONE), above.divergence)
  return divide(add(left, multiply(share, subtract(right, left))), subtract(order, ONE))
}
