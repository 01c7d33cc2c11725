/** A JSON schema (draft 2020-12), as OpenAPI 3.1 has them. */
export type Schema = Readonly<Record<string, unknown>>

export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` })

/** An object with these members and no others. */
export const object = (properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  additionalProperties: false,
})

export const list = (items: Schema, limits: Schema = {}): Schema => ({ type: 'array', items, ...limits })
export const oneOf = (...schemas: readonly Schema[]): Schema => ({ oneOf: schemas })
export const literal = (value: string): Schema => ({ const: value })
export const integer = (minimum: number, maximum: number = Number.MAX_SAFE_INTEGER): Schema => ({
  type: 'integer',
  minimum,
  maximum,
})

/** A name is taken as it is: at most 256 bytes of UTF-8, no control characters. */
export const NAME: Schema = {
  type: 'string',
  minLength: 1,
  maxLength: 256,
  pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]+$',
}

/** One number, as JSON or as text: decimals, or a fraction p/q of integers. */
const amountOf = (number: Schema, pattern: string, description: string, example: string): Schema => ({
  description: `${description} A decimal string, a fraction p/q, or a JSON number, taken by its shortest decimal.`,
  anyOf: [number, { type: 'string', pattern }],
  examples: [example],
})

const WHOLE = '[1-9][0-9]{0,19}'
const POSITIVE_DECIMAL = `(?:${WHOLE}(?:\\.[0-9]{1,20})?|0\\.0{0,9}[1-9][0-9]{0,9})(?:[eE]-?[0-9])?`
const POSITIVE = `${POSITIVE_DECIMAL}|[1-9][0-9]{0,14}/[1-9][0-9]{0,14}`
const BELOW_ONE = '0\\.0{0,9}[1-9][0-9]{0,9}'

const ZERO_NUMBER = { const: 0 }
const POSITIVE_NUMBER = { type: 'number', exclusiveMinimum: 0 }
const PARAMETER_NUMBER = { type: 'number', minimum: 1e-30, maximum: 1e30 }

export const AMOUNT = amountOf({ anyOf: [ZERO_NUMBER, POSITIVE_NUMBER] }, `^(?:0|${POSITIVE})$`, 'At least 0.', '0.1')
export const POSITIVE_AMOUNT = amountOf(POSITIVE_NUMBER, `^(?:${POSITIVE})$`, 'Above 0.', '1.1')
export const PARAMETER = amountOf(
  { anyOf: [ZERO_NUMBER, PARAMETER_NUMBER] },
  `^(?:0|${POSITIVE})$`,
  '0, or between 1e-30 and 1e30.',
  '0.1',
)
export const POSITIVE_PARAMETER = amountOf(PARAMETER_NUMBER, `^(?:${POSITIVE})$`, 'Between 1e-30 and 1e30.', '1.1')
export const PROBABILITY = amountOf(
  { anyOf: [ZERO_NUMBER, { type: 'number', minimum: 1e-30, maximum: 1 }] },
  `^(?:[01]|${BELOW_ONE}|[1-9][0-9]{0,2}/[1-9][0-9]{3,9})$`,
  'From 0 to 1.',
  '250/60000',
)
export const DELTA = amountOf(
  { anyOf: [ZERO_NUMBER, { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 }] },
  `^(?:0|${BELOW_ONE}|[1-9][0-9]?[eE]-(?:[4-9]|1[0-9]))$`,
  'At least 0, below 1.',
  '1e-6',
)
export const COUNT = amountOf(
  { type: 'integer', minimum: 1, maximum: 1e12 },
  '^[1-9][0-9]{0,11}$',
  'How often it runs: 1 to 10^12.',
  '1000',
)
/** An integer up to 10^30. */
export const LARGE_INTEGER = amountOf(
  { type: 'integer', minimum: 1 },
  '^[1-9][0-9]{0,29}$',
  'An integer from 1 to 10^30.',
  '4',
)
export const RELATION: Schema = {
  description: 'Which two inputs count as neighbours.',
  enum: ['add_or_remove_one', 'replace_one', 'replace_special'],
}
/** An exact decimal of an answer; INF where a cost has no end. */
export const EXACT: Schema = { type: 'string', pattern: '^(?:INF|[0-9]+(?:\\.[0-9]+)?)$', examples: ['0.4'] }
export const INSTANT: Schema = { type: 'string', format: 'date-time', examples: ['2026-11-21T10:00:00.000Z'] }
export const SEQ = integer(0)
export const LEAF: Schema = { type: 'string', pattern: '^[0-9a-f]{64}$' }
