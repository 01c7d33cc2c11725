import { withRelease } from './bodies.js'
import { integer, list, literal, object, RELATION, ref, type Schema } from './values.js'

const UNITS = list(ref('Name'), { minItems: 1, maxItems: 20_000, uniqueItems: true })
const ATTRIBUTE: Schema = { enum: ['unit', 'dataset', 'analyst', 'purpose', 'source'] }
const REASON: Schema = {
  type: 'string',
  minLength: 1,
  maxLength: 1024,
  pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]+$',
  examples: ['found a defect in the sampling of the trainer'],
}
const NOT_BOTH: Schema = { not: { properties: { unit: {}, units: {} }, required: ['unit', 'units'] } }

const attributes = (onExhausted: readonly string[]) => ({
  unit: ref('Name'),
  units: UNITS,
  onExhausted: { description: 'drop: leave out the units that cannot pay.', enum: onExhausted },
  dataset: ref('Name'),
  analyst: ref('Name'),
  purpose: ref('Name'),
  neighboring: RELATION,
  noise: ref('Noise'),
  clipping: ref('Clipping'),
})

const charging = (own: Readonly<Record<string, Schema>>, onExhausted: readonly string[], example: Schema): Schema => ({
  ...withRelease({ ...own, ...attributes(onExhausted) }, Object.keys(attributes([])), NOT_BOTH),
  examples: [example],
})

const valuesOf = (attribute: Schema) => oneValueOrMore(attribute)
const oneValueOrMore = (value: Schema): Schema => ({
  anyOf: [value, list(value, { minItems: 1, maxItems: 1000, uniqueItems: true })],
})

const MATCH: Schema = object(
  Object.fromEntries((ATTRIBUTE['enum'] as string[]).map((name) => [name, valuesOf(ref('Name'))])),
  ATTRIBUTE['enum'] as string[],
)

const metricForm = (metric: string, fields: Readonly<Record<string, Schema>>, optional: readonly string[] = []) =>
  (['guarantee', 'quota'] as const).map((role) => ({
    title: `${metric} ${role}`,
    ...object(
      {
        id: ref('Name'),
        scope: list(ATTRIBUTE, { minItems: 1, maxItems: 5, uniqueItems: true }),
        match: ref('Match'),
        metric: literal(metric),
        ...fields,
        neighboring: RELATION,
        window: role === 'guarantee' ? literal('lifetime') : { enum: ['lifetime', 'day', 'week', 'month', 'year'] },
        role: literal(role),
        replaces: integer(1, 1e9),
      },
      ['match', 'replaces', ...optional],
    ),
  }))

/** A cap has at most 2^62 units of 1e-15. */
const CAP: Schema = {
  description: 'At most 4,611.686018427387904: a cap has at most 2^62 units of 1e-15.',
  anyOf: [
    { const: 0 },
    { type: 'number', exclusiveMinimum: 0, maximum: 4611.686018427387 },
    { type: 'string', pattern: '^(?:0|[1-9][0-9]{0,2}(?:\\.[0-9]{1,15})?|0\\.0{0,9}[1-9][0-9]{0,9})$' },
  ],
  examples: ['3'],
}
const ZERO: Schema = { enum: ['0', 0] }
const CONVERTED = { epsilon: ref('PositiveParameter'), delta: ref('PositiveDelta'), deltaForSpends: ref('Delta') }

/** What callers send. */
export const REQUEST_SCHEMAS: Readonly<Record<string, Schema>> = {
  PositiveDelta: {
    description: 'Above 0, below 1.',
    anyOf: [
      { type: 'number', minimum: 1e-30, exclusiveMaximum: 1 },
      { type: 'string', pattern: '^(?:0\\.0{0,9}[1-9][0-9]{0,9}|[1-9][0-9]?[eE]-(?:[4-9]|1[0-9]))$' },
    ],
    examples: ['1e-6'],
  },
  Counter: {
    description: 'Below 2^64, and not below the from of the same range.',
    anyOf: [
      { type: 'integer', minimum: 0 },
      { type: 'string', pattern: '^(?:0|[1-9][0-9]{0,18})$' },
    ],
  },
  Noise: {
    description: 'Which part of which stream of noise was used: a commitment, never a seed.',
    ...object({ stream: ref('Name'), from: ref('Counter'), to: ref('Counter') }),
  },
  Clipping: {
    description: 'Statistics of clipping; they change no cost.',
    type: 'object',
    maxProperties: 32,
    propertyNames: ref('Name'),
    additionalProperties: ref('Amount'),
  },
  Match: { description: 'Attribute → the value, or values, that it may have.', ...MATCH },
  SpendRequest: charging({ id: ref('Name') }, ['refuse', 'drop'], SPEND_EXAMPLE()),
  EstimateRequest: charging({}, ['refuse', 'drop'], { unit: 'u-17', mechanism: 'laplace', noiseMultiplier: '10' }),
  ReportRequest: charging({ id: ref('Name') }, ['refuse'], { ...SPEND_EXAMPLE(), id: 'report-1' }),
  ReservationRequest: charging({ id: ref('Name'), expiresInSeconds: integer(1, 2_592_000) }, ['refuse', 'drop'], {
    ...SPEND_EXAMPLE(),
    id: 'training-7',
    expiresInSeconds: 3600,
  }),
  BatchRequest: {
    ...object({
      spends: list(
        { description: 'A SpendRequest. One that is none fails alone, with the status in its place of the answer.' },
        { minItems: 1, maxItems: 1000 },
      ),
    }),
    examples: [{ spends: [SPEND_EXAMPLE()] }],
  },
  SettleRequest: {
    anyOf: [{ title: 'count alone', ...object({ count: ref('Count') }) }, ref('ReleaseBody')],
    examples: [{ count: 700 }],
  },
  ReasonRequest: object({ reason: REASON }),
  PolicyRequest: {
    oneOf: [
      ...metricForm('pure', { epsilon: CAP, delta: ZERO }),
      ...metricForm('approx', { epsilon: CAP, delta: ref('Delta') }),
      ...metricForm('zcdp', { ...CONVERTED, alphaStar: { type: 'number', exclusiveMinimum: 1, maximum: 1e30 } }, [
        'deltaForSpends',
        'alphaStar',
      ]),
      ...metricForm('rdp', { ...CONVERTED, orders: ref('Orders') }, ['deltaForSpends', 'orders']),
      ...metricForm('rdp', { ...CONVERTED, plannedFor: ref('ReleaseBody') }, ['deltaForSpends']).map((form) => ({
        ...form,
        title: `${form.title}, planned`,
      })),
    ],
    examples: [
      {
        id: 'lifetime',
        scope: ['unit'],
        metric: 'zcdp',
        epsilon: '3',
        delta: '1e-6',
        neighboring: 'add_or_remove_one',
        window: 'lifetime',
        role: 'guarantee',
      },
    ],
  },
  Orders: list(
    object({ alpha: { anyOf: [integer(2, 1024), { const: 'inf' }] }, deltaShare: ref('Delta') }, ['deltaShare']),
    { minItems: 1, maxItems: 64, uniqueItems: true },
  ),
  ApprovalRequest: { ...object({ version: integer(1) }), examples: [{ version: 2 }] },
  HaltRequest: {
    ...object({ scope: { ...ref('Match'), minProperties: 1 }, reason: REASON }, ['scope']),
    examples: [{ scope: { dataset: 'clicks' }, reason: 'the sampling rate was wrong' }],
  },
  ResetRequest: {
    ...object({ to: ref('Offset'), reason: REASON }),
    examples: [{ to: '120', reason: 'retention was too short; the messages are gone' }],
  },
  ResetApprovalRequest: { ...object({ to: ref('Offset') }), examples: [{ to: '120' }] },
  ResolutionRequest: {
    oneOf: [
      { title: 'charge', ...object({ charge: ref('QuarantineCharge') }) },
      { title: 'dismiss', ...object({ dismiss: object({ reason: REASON }) }) },
    ],
    examples: [{ dismiss: { reason: 'a test message of the new emitter' } }],
  },
  QuarantineCharge: {
    description: 'A ReportRequest, and in whose name it is charged.',
    ...charging({ source: ref('Name'), id: ref('Name') }, ['refuse'], { source: 'trainer', ...SPEND_EXAMPLE() }),
  },
  TokenRequest: {
    ...object(
      {
        role: { enum: ['emitter', 'auditor', 'operator', 'approver'] },
        source: ref('Name'),
        expiresInDays: integer(1, 3650),
      },
      ['expiresInDays'],
    ),
    examples: [{ role: 'emitter', source: 'trainer', expiresInDays: 90 }],
  },
}

function SPEND_EXAMPLE(): Schema {
  return {
    id: 'spend-1',
    unit: 'u-17',
    mechanism: 'gaussian',
    noiseMultiplier: '1.1',
    sampling: { method: 'poisson', probability: '250/60000' },
    count: 1000,
  }
}
