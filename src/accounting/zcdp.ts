import { unreachable } from './errors.js'
import { ln } from './exact/elementary.js'
import { ofRational } from './exact/interval.js'
import { exponentialRho } from './exponential.js'
import { laplaceRho } from './laplace.js'
import { exact, FREE, INFINITE, type Loss, ofEpsilon, real } from './loss.js'
import type { Mechanism } from './mechanism.js'
import { discreteLaplaceEpsilon, laplaceEpsilon, ofSampled, rhoOfEpsilon } from './pure-dp.js'
import { responseRatio } from './randomized-response.js'
import { compare, divide, isZero, multiply, ONE, type Rational, rational } from './rational.js'
import type { Relation } from './units.js'

/** ρ of one run: its Rényi divergence is at most α·ρ at every order α (Bun and Steinke 2016). */
export function rhoLoss(mechanism: Mechanism, relation: Relation): Loss {
  switch (mechanism.kind) {
    case 'no_op':
      return FREE
    case 'laplace':
      return ofEpsilon(laplaceEpsilon(mechanism.scale), laplaceRho)
    case 'discrete_laplace':
      return ofEpsilon(discreteLaplaceEpsilon(mechanism.parameter, mechanism.sensitivity), rhoOfEpsilon)
    case 'randomized_response': {
      const ratio = responseRatio(mechanism, relation)
      if (ratio === 'infinite') return INFINITE
      if (compare(ratio, ONE) === 0) return FREE
      return real((bits) => rhoOfEpsilon(ln(ofRational(ratio, bits), bits), bits))
    }
    case 'exponential':
      return exponentialRho(mechanism.epsilon)
    case 'permute_and_flip':
    case 'declared_pure':
    case 'declared_approx':
      return ofEpsilon(mechanism.epsilon, rhoOfEpsilon)
    case 'sampled_approx':
      return ofSampled(mechanism, rhoOfEpsilon)
    case 'sampled_gaussian':
    case 'non_private':
    case 'declared_rdp':
      return INFINITE
    case 'declared_zcdp':
      return isZero(mechanism.xi) ? exact(mechanism.rho) : INFINITE
    case 'gaussian':
    case 'discrete_gaussian':
    case 'tree_aggregation':
    case 'declared_gdp':
      return exact(gaussianRho(mechanism))
    default:
      return unreachable(mechanism)
  }
}

/**
 * ρ of the mechanisms whose Rényi divergence is at most α·ρ, with equality for the Gaussian: 1/(2σ²) (Bun and Steinke 2016;
 * discrete: Canonne, Kamath and Steinke 2020, Proposition 5), that per node of a tree, μ²/2 for μ-GDP.
 */
export function gaussianRho(
  mechanism: Extract<Mechanism, { kind: 'gaussian' | 'discrete_gaussian' | 'tree_aggregation' | 'declared_gdp' }>,
): Rational {
  switch (mechanism.kind) {
    case 'gaussian':
    case 'discrete_gaussian':
      return divide(HALF, mechanism.variance)
    case 'tree_aggregation':
      return divide(multiply(HALF, rational(mechanism.depth)), mechanism.variance)
    case 'declared_gdp':
      return multiply(HALF, multiply(mechanism.mu, mechanism.mu))
    default:
      return unreachable(mechanism)
  }
}

/** μ² of one run, for the mechanisms that are exactly Gaussian. */
export function mu2Loss(mechanism: Mechanism): Loss {
  switch (mechanism.kind) {
    case 'no_op':
      return FREE
    case 'gaussian':
      return exact(divide(ONE, mechanism.variance))
    case 'declared_gdp':
      return exact(multiply(mechanism.mu, mechanism.mu))
    default:
      return INFINITE
  }
}

const HALF = rational(1n, 2n)
