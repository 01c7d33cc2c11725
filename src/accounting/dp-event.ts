import { AccountingError } from './errors.js'
import { Fields } from './fields.js'
import type { Mechanism } from './mechanism.js'
import {
  declaredApprox,
  discreteGaussian,
  poissonSampled,
  requireRelation,
  square,
  treeAggregation,
} from './mechanism-body.js'
import { add, divide, ONE, type Rational, rational, ZERO } from './rational.js'
import type { Run } from './release.js'
import { LARGEST_COUNT, type Relation } from './units.js'

const DEEPEST = 32
const MOST_PARTS = 1_000
/** Noise multipliers of one sample. */
const MOST_DIFFERENT = 16
const LARGEST_INTEGER = 10n ** 30n

/**
 * Reads the JSON form of a dp_accounting event (google/differential-privacy@b5b0286e, dp_event.py): objects with
 * `class_name`, as `event.to_named_tuple()` gives them. `module_name` is ignored.
 *
 * Under `replace_one` events whose noise is relative to the bound of one record are refused: replacing a record moves a
 * sum by twice that bound.
 */
export function runsOfDpEvent(event: unknown, relation: Relation, pointer: string): readonly Run[] {
  const runs: Run[] = []
  collect(event, 1n, { relation, runs }, pointer, 0)
  return runs.length > 0 ? runs : [NOTHING]
}

const NOTHING: Run = { mechanism: { kind: 'no_op' }, count: 1n }

interface Collected {
  readonly relation: Relation
  readonly runs: Run[]
}

function collect(event: unknown, count: bigint, into: Collected, pointer: string, depth: number): void {
  if (depth > DEEPEST) throw new AccountingError('OUT_OF_RANGE', `nested deeper than ${DEEPEST}`, pointer)
  const fields = eventFields(event, pointer)
  const name = fields.text('class_name')
  if (name === 'SelfComposedDpEvent') {
    const times = repeated(count, fields)
    collect(fields.take('event'), times, into, fields.at('event'), depth + 1)
  } else if (name === 'ComposedDpEvent') {
    for (const [index, one] of fields.list('events').entries()) {
      collect(one, count, into, `${fields.at('events')}/${index}`, depth + 1)
    }
  } else {
    const mechanism =
      name === 'PoissonSampledDpEvent' ? sampled(fields, into.relation) : single(name, fields, into.relation)
    if (into.runs.length >= MOST_PARTS) {
      throw new AccountingError(
        'OUT_OF_RANGE',
        `a release has at most ${MOST_PARTS} parts, this one more; send several spends`,
        pointer,
      )
    }
    into.runs.push({ mechanism, count })
  }
  fields.end()
}

function sampled(fields: Fields, relation: Relation): Mechanism {
  refuseUnderReplacement('PoissonSampledDpEvent', relation, fields.pointer)
  const probability = fields.probability('sampling_probability')
  const variances: Variances = new Map()
  collectVariances(fields.take('event'), 1n, variances, fields.at('event'), 0)
  const gaussian: Mechanism = { kind: 'gaussian', variance: divide(ONE, precisionOf(variances, fields.at('event'))) }
  return poissonSampled(gaussian, probability, relation, fields.pointer)
}

/** The Gaussians of one sample by their σ²; equal ones are counted together. */
type Variances = Map<string, { readonly variance: Rational; readonly count: bigint }>

function collectVariances(event: unknown, count: bigint, into: Variances, pointer: string, depth: number): void {
  if (depth > DEEPEST) throw new AccountingError('OUT_OF_RANGE', `nested deeper than ${DEEPEST}`, pointer)
  const fields = eventFields(event, pointer)
  const name = fields.text('class_name')
  if (name === 'GaussianDpEvent') {
    const variance = square(fields.positive('noise_multiplier'))
    const text = `${variance.num}/${variance.den}`
    into.set(text, { variance, count: count + (into.get(text)?.count ?? 0n) })
  } else if (name === 'SelfComposedDpEvent') {
    const times = repeated(count, fields)
    collectVariances(fields.take('event'), times, into, fields.at('event'), depth + 1)
  } else if (name === 'ComposedDpEvent') {
    for (const [index, one] of fields.list('events').entries()) {
      collectVariances(one, count, into, `${fields.at('events')}/${index}`, depth + 1)
    }
  } else {
    throw new AccountingError('UNSUPPORTED_SAMPLING', `only Gaussian events can be sampled, not ${show(name)}`, pointer)
  }
  fields.end()
}

/**
 * Σ 1/σᵢ² over the Gaussians of one sample: together they are one Gaussian of that precision. Every different σ adds its
 * digits to the sum, and the sum's digits make it dear.
 */
function precisionOf(variances: Variances, pointer: string): Rational {
  if (variances.size === 0) throw new AccountingError('UNSUPPORTED_SAMPLING', 'nothing is sampled', pointer)
  if (variances.size > MOST_DIFFERENT) {
    throw new AccountingError(
      'OUT_OF_RANGE',
      `the Gaussians of one sample have at most ${MOST_DIFFERENT} different noise multipliers, these ${variances.size}; send one Gaussian in their place, whose 1/σ² is at least the sum of theirs`,
      pointer,
    )
  }
  return [...variances.values()].reduce((sum, { variance, count }) => add(sum, divide(rational(count), variance)), ZERO)
}

function single(name: string, fields: Fields, relation: Relation): Mechanism {
  const mechanism = singleOf(name, fields, relation)
  requireRelation(mechanism, relation, fields.pointer)
  return mechanism
}

function singleOf(name: string, fields: Fields, relation: Relation): Mechanism {
  switch (name) {
    case 'NoOpDpEvent':
      return { kind: 'no_op' }
    case 'NonPrivateDpEvent':
      return { kind: 'non_private' }
    case 'GaussianDpEvent':
      refuseUnderReplacement(name, relation, fields.pointer)
      return { kind: 'gaussian', variance: square(fields.positive('noise_multiplier')) }
    case 'LaplaceDpEvent':
      refuseUnderReplacement(name, relation, fields.pointer)
      return { kind: 'laplace', scale: fields.positiveParameter('noise_multiplier') }
    case 'DiscreteLaplaceDpEvent':
      refuseUnderReplacement(name, relation, fields.pointer)
      return {
        kind: 'discrete_laplace',
        parameter: fields.positiveParameter('noise_parameter'),
        sensitivity: fields.integer('sensitivity', 1n, LARGEST_INTEGER),
      }
    case 'DiscreteGaussianDpEvent':
      refuseUnderReplacement(name, relation, fields.pointer)
      // The bound is the same in every dimension; null means that it is not known.
      if (fields.has('dimension') && fields.take('dimension') !== null) fields.integer('dimension', 1n, LARGEST_INTEGER)
      return discreteGaussian(
        fields.positive('sigma'),
        fields.has('sensitivity') ? fields.positive('sensitivity') : ONE,
      )
    case 'RandomizedResponseDpEvent':
      return {
        kind: 'randomized_response',
        noise: fields.probability('noise_parameter'),
        buckets: fields.integer('num_buckets', 1n, LARGEST_INTEGER),
      }
    case 'EpsilonDeltaDpEvent':
      return declaredApprox(fields.parameter('epsilon'), fields.delta('delta'))
    case 'ZCDpEvent':
      return { kind: 'declared_zcdp', rho: fields.amount('rho'), xi: fields.amount('xi', ZERO), delta: ZERO }
    case 'ExponentialMechanismDpEvent':
      return { kind: 'exponential', epsilon: fields.parameter('epsilon') }
    case 'PermuteAndFlipDpEvent':
      return { kind: 'permute_and_flip', epsilon: fields.parameter('epsilon') }
    case 'SingleEpochTreeAggregationDpEvent':
      return treeAggregation(fields.positive('noise_multiplier'), fields.take('step_counts'), fields.at('step_counts'))
    default:
      throw unaccounted(name, fields.pointer)
  }
}

function unaccounted(name: string, pointer: string): AccountingError {
  switch (name) {
    case 'SampledWithReplacementDpEvent':
    case 'SampledWithoutReplacementDpEvent':
      return new AccountingError('UNSUPPORTED_SAMPLING', `${name}: only Poisson sampling amplifies here`, pointer)
    case 'RepeatAndSelectDpEvent':
      return new AccountingError('UNSUPPORTED_MECHANISM', `${name}: send its curve as declared_rdp`, pointer)
    case 'MixtureOfGaussiansDpEvent':
    case 'TruncatedSubsampledGaussianDpEvent':
      return new AccountingError('UNSUPPORTED_MECHANISM', `${name}: send its (ε, δ) as declared_approx`, pointer)
    default:
      return new AccountingError('UNSUPPORTED_MECHANISM', `no cost is known for event ${show(name)}`, pointer)
  }
}

function refuseUnderReplacement(name: string, relation: Relation, pointer: string): void {
  if (relation !== 'replace_one') return
  throw new AccountingError(
    'RELATION_MISMATCH',
    `the noise of ${name} is relative to the bound of one record; send the mechanism with its sensitivity for a replacement`,
    pointer,
  )
}

function eventFields(event: unknown, pointer: string): Fields {
  const fields = new Fields(event, pointer)
  if (fields.has('module_name')) fields.text('module_name')
  return fields
}

function repeated(count: bigint, fields: Fields): bigint {
  const times = count * fields.integer('count', 1n, LARGEST_COUNT)
  if (times <= LARGEST_COUNT) return times
  throw new AccountingError('OUT_OF_RANGE', `counts multiply to more than ${LARGEST_COUNT}`, fields.at('count'))
}

const show = (name: string): string => JSON.stringify(name.slice(0, 40))
