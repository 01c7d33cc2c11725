import { unreachable } from './errors.js'
import type { Rational } from './rational.js'

/**
 * A mechanism in the form its cost depends on. Noise multipliers are relative to the sensitivity of one privacy unit
 * under the budget's neighbouring relation; a variance is such a multiplier squared.
 */
export type Mechanism =
  | { readonly kind: 'no_op' }
  /** A release without any privacy: infinite in every row, so that it can be refused and reported. */
  | { readonly kind: 'non_private' }
  | { readonly kind: 'laplace'; readonly scale: Rational }
  | { readonly kind: 'gaussian'; readonly variance: Rational }
  | { readonly kind: 'sampled_gaussian'; readonly variance: Rational; readonly probability: Rational }
  | { readonly kind: 'discrete_gaussian'; readonly variance: Rational }
  | { readonly kind: 'discrete_laplace'; readonly parameter: Rational; readonly sensitivity: bigint }
  | { readonly kind: 'randomized_response'; readonly noise: Rational; readonly buckets: bigint }
  | { readonly kind: 'exponential'; readonly epsilon: Rational }
  | { readonly kind: 'permute_and_flip'; readonly epsilon: Rational }
  | { readonly kind: 'declared_pure'; readonly epsilon: Rational }
  | { readonly kind: 'declared_approx'; readonly epsilon: Rational; readonly delta: Rational }
  | {
      readonly kind: 'sampled_approx'
      readonly epsilon: Rational
      readonly delta: Rational
      readonly probability: Rational
    }
  | { readonly kind: 'declared_zcdp'; readonly rho: Rational; readonly xi: Rational; readonly delta: Rational }
  | { readonly kind: 'declared_rdp'; readonly curve: RdpCurve }
  | { readonly kind: 'declared_gdp'; readonly mu: Rational }
  | { readonly kind: 'tree_aggregation'; readonly variance: Rational; readonly depth: bigint }

/** Declared divergences, by rising order; `inf` is the one of order ∞. */
export interface RdpCurve {
  readonly points: readonly { readonly order: Rational; readonly divergence: Rational }[]
  readonly inf?: Rational
}

/** Whether its cost needs more than fractions in some row, and so takes up to milliseconds. */
export function isTranscendental(mechanism: Mechanism): boolean {
  switch (mechanism.kind) {
    case 'no_op':
    case 'non_private':
    case 'gaussian':
    case 'discrete_gaussian':
    case 'declared_zcdp':
    case 'declared_rdp':
    case 'declared_gdp':
    case 'tree_aggregation':
      return false
    case 'laplace':
    case 'sampled_gaussian':
    case 'discrete_laplace':
    case 'randomized_response':
    case 'exponential':
    case 'permute_and_flip':
    case 'declared_pure':
    case 'declared_approx':
    case 'sampled_approx':
      return true
    default:
      return unreachable(mechanism)
  }
}

/** One text per mechanism and parameters: equal values give equal texts however they were written. */
export function mechanismText(mechanism: Mechanism): string {
  switch (mechanism.kind) {
    case 'no_op':
    case 'non_private':
      return mechanism.kind
    case 'laplace':
      return text('laplace', mechanism.scale)
    case 'gaussian':
      return text('gaussian', mechanism.variance)
    case 'sampled_gaussian':
      return text('sampled_gaussian', mechanism.variance, mechanism.probability)
    case 'discrete_gaussian':
      return text('discrete_gaussian', mechanism.variance)
    case 'discrete_laplace':
      return `${text('discrete_laplace', mechanism.parameter)}${mechanism.sensitivity}`
    case 'randomized_response':
      return `${text('randomized_response', mechanism.noise)}${mechanism.buckets}`
    case 'exponential':
    case 'permute_and_flip':
    case 'declared_pure':
      return text(mechanism.kind, mechanism.epsilon)
    case 'declared_approx':
      return text('declared_approx', mechanism.epsilon, mechanism.delta)
    case 'sampled_approx':
      return text('sampled_approx', mechanism.epsilon, mechanism.delta, mechanism.probability)
    case 'declared_zcdp':
      return text('declared_zcdp', mechanism.rho, mechanism.xi, mechanism.delta)
    case 'declared_rdp':
      return `declared_rdp(${curveText(mechanism.curve)})`
    case 'declared_gdp':
      return text('declared_gdp', mechanism.mu)
    case 'tree_aggregation':
      return `${text('tree_aggregation', mechanism.variance)}${mechanism.depth}`
    default:
      return unreachable(mechanism)
  }
}

const fraction = ({ num, den }: Rational): string => (den === 1n ? `${num}` : `${num}/${den}`)

const text = (name: string, ...values: readonly Rational[]): string => `${name}(${values.map(fraction).join(',')})`

function curveText(curve: RdpCurve): string {
  const points = curve.points.map(({ order, divergence }) => `${fraction(order)}:${fraction(divergence)}`)
  if (curve.inf !== undefined) points.push(`inf:${fraction(curve.inf)}`)
  return points.join(',')
}
