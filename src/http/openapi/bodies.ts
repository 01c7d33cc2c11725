import {
  AMOUNT,
  COUNT,
  DELTA,
  LARGE_INTEGER,
  list,
  literal,
  NAME,
  object,
  oneOf,
  PARAMETER,
  POSITIVE_AMOUNT,
  POSITIVE_PARAMETER,
  PROBABILITY,
  ref,
  type Schema,
} from './values.js'

const SAMPLING: Schema = {
  description: 'Amplification is claimed only where the method is given.',
  ...object({ method: literal('poisson'), probability: ref('Probability') }),
}
const steps = oneOf({ type: 'integer', minimum: 1, maximum: 1e12 }, list(integerStep(), { minItems: 1, maxItems: 100 }))

function integerStep(): Schema {
  return { type: 'integer', minimum: 1, maximum: 1e12 }
}

interface Form {
  readonly title: string
  readonly fields: Readonly<Record<string, Schema>>
  readonly optional: readonly string[]
}

const mechanism = (
  name: string,
  parameters: Readonly<Record<string, Schema>>,
  optional: readonly string[] = [],
): Form => ({
  title: name,
  fields: { mechanism: literal(name), ...parameters, count: ref('Count') },
  optional: [...optional, 'count'],
})

const sampled = (name: string, parameters: Readonly<Record<string, Schema>>): Form => ({
  ...mechanism(name, { ...parameters, sampling: ref('Sampling') }),
  title: `${name}, sampled`,
})

/** Every form that a release can have: a mechanism, several at once, or the events of other libraries. */
const FORMS: readonly Form[] = [
  mechanism('laplace', { noiseMultiplier: ref('PositiveParameter') }),
  mechanism('gaussian', { noiseMultiplier: ref('PositiveAmount') }),
  sampled('gaussian', { noiseMultiplier: ref('PositiveAmount') }),
  mechanism('discrete_gaussian', { sigma: ref('PositiveAmount'), sensitivity: ref('PositiveAmount') }),
  mechanism('discrete_laplace', { noiseParameter: ref('PositiveParameter'), sensitivity: ref('LargeInteger') }),
  mechanism('randomized_response', { noiseParameter: ref('Probability'), numBuckets: ref('LargeInteger') }),
  mechanism('exponential', { epsilon: ref('Parameter') }),
  mechanism('permute_and_flip', { epsilon: ref('Parameter') }),
  mechanism('declared_pure', { epsilon: ref('Parameter') }),
  sampled('declared_pure', { epsilon: ref('Parameter') }),
  mechanism('declared_approx', { epsilon: ref('Parameter'), delta: ref('Delta') }),
  sampled('declared_approx', { epsilon: ref('Parameter'), delta: ref('Delta') }),
  mechanism('declared_zcdp', { rho: ref('Amount'), xi: ref('Amount'), delta: ref('Delta') }, ['xi', 'delta']),
  mechanism('declared_rdp', { curve: ref('Curve') }),
  mechanism('declared_gdp', { mu: ref('Amount') }),
  mechanism('tree_aggregation', { noiseMultiplier: ref('PositiveAmount'), steps: ref('Steps') }),
  mechanism('no_op', {}),
  mechanism('non_private', {}),
  {
    title: 'parts',
    fields: { parts: list(ref('ReleaseBody'), { description: 'At most 1,000 together.', minItems: 1 }) },
    optional: [],
  },
  { title: 'dpEvent', fields: { dpEvent: ref('DpEvent') }, optional: [] },
  { title: 'opacusHistory', fields: { opacusHistory: ref('OpacusHistory') }, optional: [] },
]

/** One object for each form, with these fields beside it. */
export const withRelease = (
  fields: Readonly<Record<string, Schema>>,
  optional: readonly string[],
  extra: Schema = {},
): Schema => ({
  oneOf: FORMS.map((form) => ({
    title: form.title,
    ...object({ ...fields, ...form.fields }, [...optional, ...form.optional]),
    ...extra,
  })),
})

const event = (name: string, fields: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema => ({
  title: name,
  ...object({ class_name: literal(name), module_name: { type: 'string' }, ...fields }, ['module_name', ...optional]),
})

const SINGLE_EVENTS: readonly Schema[] = [
  event('NoOpDpEvent', {}),
  event('GaussianDpEvent', { noise_multiplier: ref('PositiveAmount') }),
  event('LaplaceDpEvent', { noise_multiplier: ref('PositiveParameter') }),
  event('DiscreteLaplaceDpEvent', { noise_parameter: ref('PositiveParameter'), sensitivity: ref('LargeInteger') }),
  event(
    'DiscreteGaussianDpEvent',
    {
      sigma: ref('PositiveAmount'),
      sensitivity: ref('PositiveAmount'),
      dimension: { anyOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }] },
    },
    ['sensitivity', 'dimension'],
  ),
  event('RandomizedResponseDpEvent', { noise_parameter: ref('Probability'), num_buckets: ref('LargeInteger') }),
  event('EpsilonDeltaDpEvent', { epsilon: ref('Parameter'), delta: ref('Delta') }),
  event('ZCDpEvent', { rho: ref('Amount'), xi: ref('Amount') }, ['xi']),
  event('ExponentialMechanismDpEvent', { epsilon: ref('Parameter') }),
  event('PermuteAndFlipDpEvent', { epsilon: ref('Parameter') }),
  event('SingleEpochTreeAggregationDpEvent', { noise_multiplier: ref('PositiveAmount'), step_counts: ref('Steps') }),
  event('NonPrivateDpEvent', {}),
]

/** The schemas of releases, and of the values in them. */
export const RELEASE_SCHEMAS: Readonly<Record<string, Schema>> = {
  Name: NAME,
  Amount: AMOUNT,
  PositiveAmount: POSITIVE_AMOUNT,
  Parameter: PARAMETER,
  PositiveParameter: POSITIVE_PARAMETER,
  Probability: PROBABILITY,
  Delta: DELTA,
  Count: COUNT,
  LargeInteger: LARGE_INTEGER,
  Steps: steps,
  Sampling: SAMPLING,
  Curve: {
    description: 'Order → Rényi divergence; an order is above 1, or inf.',
    type: 'object',
    minProperties: 1,
    propertyNames: { pattern: '^(?:inf|[2-9]|[1-9][0-9]{1,2})$' },
    additionalProperties: ref('Amount'),
  },
  OpacusHistory: list(
    {
      description: '[noise multiplier, sample rate, steps]',
      type: 'array',
      prefixItems: [
        { type: 'number', exclusiveMinimum: 0 },
        { type: 'number', minimum: 1e-30, maximum: 1 },
        { type: 'integer', minimum: 1, maximum: 1e12 },
      ],
      items: false,
      minItems: 3,
      maxItems: 3,
    },
    { description: 'At most 1,000 of them.', minItems: 1 },
  ),
  DpEvent: {
    description: 'The JSON form of an event of dp_accounting.',
    oneOf: [
      ...SINGLE_EVENTS,
      event('PoissonSampledDpEvent', { sampling_probability: ref('Probability'), event: ref('DpEvent') }),
      event('SelfComposedDpEvent', { event: ref('DpEvent'), count: ref('Count') }),
      event('ComposedDpEvent', { events: list(ref('DpEvent')) }),
    ],
  },
  ReleaseBody: withRelease({}, []),
}
