import { AccountingError } from './errors.js'
import { Fields, inSquaredRange, integerFrom } from './fields.js'
import type { Mechanism, RdpCurve } from './mechanism.js'
import { compare, isZero, multiply, ONE, parseRational, type Rational, rational, ZERO } from './rational.js'
import type { Relation } from './units.js'

/** The names a mechanism's body may have. */
export const MECHANISM_FIELDS: readonly string[] = [
  'mechanism',
  'count',
  'sampling',
  'noiseMultiplier',
  'sigma',
  'sensitivity',
  'noiseParameter',
  'numBuckets',
  'epsilon',
  'delta',
  'rho',
  'xi',
  'curve',
  'mu',
  'steps',
]

const LARGEST_INTEGER = 10n ** 30n
/** As many as the orders that policies can have, and ∞. */
const MOST_POINTS = 1_024
const MOST_STEPS = 10n ** 12n

/** Reads `mechanism`, its parameters and `sampling`, all but `count`; the caller refuses what is left unread. */
export function parseMechanism(fields: Fields, relation: Relation): Mechanism {
  const mechanism = plainMechanism(fields)
  requireRelation(mechanism, relation, fields.pointer)
  if (!fields.has('sampling')) return mechanism
  const probability = samplingProbability(new Fields(fields.take('sampling'), fields.at('sampling')))
  return probability === undefined ? mechanism : poissonSampled(mechanism, probability, relation, fields.at('sampling'))
}

/**
 * A mechanism that sees each record with this probability, independently. Probability 1 is no sampling, with 0 nothing is
 * released.
 *
 * @throws AccountingError `UNSUPPORTED_SAMPLING` where no amplification is proved, `RELATION_MISMATCH` where it does
 * not hold under this relation.
 */
export function poissonSampled(
  mechanism: Mechanism,
  probability: Rational,
  relation: Relation,
  pointer: string,
): Mechanism {
  const gaussian = mechanism.kind === 'gaussian'
  const declared = mechanism.kind === 'declared_pure' || mechanism.kind === 'declared_approx'
  if (!gaussian && !declared && compare(probability, ONE) < 0) {
    throw new AccountingError(
      'UNSUPPORTED_SAMPLING',
      `no amplification by sampling is known for ${mechanism.kind}; declare its epsilon as declared_pure instead`,
      pointer,
    )
  }
  if (relation !== 'add_or_remove_one' && !(gaussian && relation === 'replace_special')) {
    throw new AccountingError(
      'RELATION_MISMATCH',
      `Poisson sampling of ${mechanism.kind} does not amplify under ${relation}`,
      pointer,
    )
  }
  if (compare(probability, ONE) === 0) return mechanism
  if (isZero(probability)) return { kind: 'no_op' }
  if (gaussian) {
    return { kind: 'sampled_gaussian', variance: inSquaredRange(mechanism.variance, pointer), probability }
  }
  if (!declared) return mechanism
  const delta = mechanism.kind === 'declared_approx' ? mechanism.delta : ZERO
  return { kind: 'sampled_approx', epsilon: mechanism.epsilon, delta, probability }
}

/** @throws AccountingError `RELATION_MISMATCH` where the mechanism's cost is not defined under the relation. */
export function requireRelation(mechanism: Mechanism, relation: Relation, pointer: string): void {
  const mismatch =
    (mechanism.kind === 'randomized_response' && relation === 'add_or_remove_one') ||
    (mechanism.kind === 'tree_aggregation' && relation !== 'replace_special')
  if (mismatch) {
    throw new AccountingError('RELATION_MISMATCH', `${mechanism.kind} has no cost under ${relation}`, pointer)
  }
}

function plainMechanism(fields: Fields): Mechanism {
  const name = fields.text('mechanism')
  switch (name) {
    case 'no_op':
    case 'non_private':
      return { kind: name }
    case 'laplace':
      return { kind: 'laplace', scale: fields.positiveParameter('noiseMultiplier') }
    case 'gaussian':
      return { kind: 'gaussian', variance: square(fields.positive('noiseMultiplier')) }
    case 'discrete_gaussian':
      return discreteGaussian(fields.positive('sigma'), fields.positive('sensitivity'))
    case 'discrete_laplace':
      return {
        kind: 'discrete_laplace',
        parameter: fields.positiveParameter('noiseParameter'),
        sensitivity: fields.integer('sensitivity', 1n, LARGEST_INTEGER),
      }
    case 'randomized_response':
      return {
        kind: 'randomized_response',
        noise: fields.probability('noiseParameter'),
        buckets: fields.integer('numBuckets', 1n, LARGEST_INTEGER),
      }
    case 'exponential':
    case 'permute_and_flip':
    case 'declared_pure':
      return { kind: name, epsilon: fields.parameter('epsilon') }
    case 'declared_approx':
      return declaredApprox(fields.parameter('epsilon'), fields.delta('delta'))
    case 'declared_zcdp':
      return {
        kind: 'declared_zcdp',
        rho: fields.amount('rho'),
        xi: fields.amount('xi', ZERO),
        delta: fields.delta('delta', ZERO),
      }
    case 'declared_rdp':
      return { kind: 'declared_rdp', curve: curveFrom(fields.take('curve'), fields.at('curve')) }
    case 'declared_gdp':
      return { kind: 'declared_gdp', mu: fields.amount('mu') }
    case 'tree_aggregation':
      return treeAggregation(fields.positive('noiseMultiplier'), fields.take('steps'), fields.at('steps'))
    default:
      throw new AccountingError(
        'UNSUPPORTED_MECHANISM',
        `no cost is known for mechanism ${JSON.stringify(name.slice(0, 40))}`,
        fields.at('mechanism'),
      )
  }
}

/** Only σ/Δ matters. */
export const discreteGaussian = (sigma: Rational, sensitivity: Rational): Mechanism => ({
  kind: 'discrete_gaussian',
  variance: square(rational(sigma.num * sensitivity.den, sigma.den * sensitivity.num)),
})

export const declaredApprox = (epsilon: Rational, delta: Rational): Mechanism =>
  isZero(delta) ? { kind: 'declared_pure', epsilon } : { kind: 'declared_approx', epsilon, delta }

/** A record contributes to as many nodes as the largest step count has binary digits. */
export function treeAggregation(noiseMultiplier: Rational, steps: unknown, pointer: string): Mechanism {
  const counts = Array.isArray(steps) ? steps : [steps]
  if (counts.length === 0) throw new AccountingError('INVALID', 'expected at least one step count', pointer)
  const depths = counts.map((count) => integerFrom(count, 1n, MOST_STEPS, pointer).toString(2).length)
  const depth = depths.reduce((deepest, one) => (one > deepest ? one : deepest))
  return { kind: 'tree_aggregation', variance: square(noiseMultiplier), depth: BigInt(depth) }
}

export const square = (value: Rational): Rational => multiply(value, value)

/** The sampling probability, undefined for none. Amplification is claimed only where the method is named. */
function samplingProbability(fields: Fields): Rational | undefined {
  const method = fields.has('method') ? fields.text('method') : undefined
  if (method !== undefined && method !== 'poisson') {
    throw new AccountingError(
      'UNSUPPORTED_SAMPLING',
      `sampling ${JSON.stringify(method.slice(0, 40))} gives no amplification here, only "poisson" does`,
      fields.at('method'),
    )
  }
  const probability = fields.probability('probability')
  fields.end()
  if (method === undefined && compare(probability, ONE) < 0) {
    throw new AccountingError('UNSUPPORTED_SAMPLING', 'sampling needs its method, "poisson"', fields.pointer)
  }
  return method === undefined ? undefined : probability
}

function curveFrom(value: unknown, pointer: string): RdpCurve {
  const fields = new Fields(value, pointer)
  const names = Object.keys(value as object)
  if (names.length > MOST_POINTS) {
    throw new AccountingError(
      'OUT_OF_RANGE',
      `a curve has at most ${MOST_POINTS} orders, this one ${names.length}; leave out those that no policy has`,
      pointer,
    )
  }
  const inf = fields.has('inf') ? fields.amount('inf') : undefined
  const points = names
    .filter((name) => name !== 'inf')
    .map((name) => ({ order: orderFrom(name, fields.at(name)), divergence: fields.amount(name) }))
    .sort((a, b) => compare(a.order, b.order))
  if (names.length === 0) throw new AccountingError('INVALID', 'a curve needs at least one order', pointer)
  for (const [index, point] of points.entries()) {
    if (index > 0 && compare(points[index - 1]!.order, point.order) === 0) {
      throw new AccountingError('INVALID', 'an order is given twice', pointer)
    }
  }
  return inf === undefined ? { points } : { points, inf }
}

function orderFrom(name: string, pointer: string): Rational {
  const order = parseRational(name, pointer)
  if (compare(order, ONE) <= 0) throw new AccountingError('OUT_OF_RANGE', 'an order must be above 1', pointer)
  return order
}
