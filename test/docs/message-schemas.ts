import { REQUEST_PROBLEMS } from '../../src/budget/problems.js'
import { SCHEMAS } from '../../src/http/openapi/schemas.js'
import { INSTANT, integer, literal, object, ref, type Schema } from '../../src/http/openapi/values.js'
import { DECISION_TYPE } from '../../src/kafka/decision-message.js'
import { REQUESTS } from '../../src/kafka/message.js'
import { QUARANTINE_REASONS } from '../../src/kafka/quarantined-message.js'

type Schemas = Readonly<Record<string, Schema>>

const OPENAPI = SCHEMAS as Schemas
const named = (name: string): Schema => {
  const found = OPENAPI[name]
  if (found === undefined) throw new RangeError(`there is no schema ${name}`)
  return found
}

const propertiesOf = (form: Schema): Schemas => form['properties'] as Schemas
const requiredOf = (form: Schema): readonly string[] => form['required'] as readonly string[]
const formsOf = (name: string): readonly Schema[] => named(name)['oneOf'] as readonly Schema[]
const without = (schemas: Schemas, names: readonly string[]): Schemas =>
  Object.fromEntries(Object.entries(schemas).filter(([name]) => !names.includes(name)))

const RELEASE_FIELDS = [...new Set(formsOf('ReleaseBody').flatMap((form) => Object.keys(propertiesOf(form))))]

/** What stands beside the release itself in the data of a request: what the body has over HTTP, but for its id. */
const besideRelease = (request: string): { readonly fields: Schemas; readonly required: readonly string[] } => {
  const [form = {}] = formsOf(request)
  const fields = without(propertiesOf(form), [...RELEASE_FIELDS, 'id'])
  return { fields, required: requiredOf(form).filter((name) => Object.hasOwn(fields, name)) }
}

const RESERVATION: Schemas = { reservation: ref('Name') }
const BESIDE = { ...besideRelease('ReservationRequest').fields, ...RESERVATION }

/** Each form once: which fields it has, which it needs, and that no other form's are there. */
const releaseForm = (): Schema => ({
  oneOf: formsOf('ReleaseBody').map((form) => ({
    title: form['title'],
    properties: propertiesOf(form),
    required: requiredOf(form),
    propertyNames: { enum: [...Object.keys(propertiesOf(form)), ...Object.keys(BESIDE)] },
  })),
})

/** A release in one of its forms, and these fields beside it. */
const releaseWith = (fields: Schemas, required: readonly string[]): Schema => ({
  type: 'object',
  properties: fields,
  required,
  propertyNames: { enum: [...Object.keys(fields), ...RELEASE_FIELDS] },
  allOf: [ref('ReleaseForm')],
})

const requestData = (request: string): Schema => {
  const { fields, required } = besideRelease(request)
  return { ...releaseWith(fields, required), not: having('unit', 'units') }
}

const having = (...names: readonly string[]): Schema => ({
  properties: Object.fromEntries(names.map((name) => [name, {}])),
  required: names,
})

/** An object that may have other members too. */
const open = (properties: Schemas, required: readonly string[]): Schema => ({ type: 'object', properties, required })

const TEXT: Schema = { type: 'string' }
const OFFSET: Schema = { type: 'string', pattern: '^[0-9]+$', examples: ['1041'] }

const attributes = (type: Schema): Schemas => ({
  specversion: literal('1.0'),
  id: ref('Name'),
  source: ref('Name'),
  type,
  subject: { type: 'string', minLength: 1 },
  time: INSTANT,
})

const inHeaders = (fields: Schemas): Schemas =>
  Object.fromEntries(Object.entries(fields).map(([name, schema]) => [`ce_${name}`, schema]))

/** Headers of binary mode; extensions are passed over. */
const requestHeaders = (type: string): Schema =>
  open(
    {
      ...inHeaders(attributes(literal(type))),
      'content-type': { description: 'JSON where nothing is said.', ...TEXT, examples: ['application/json'] },
    },
    ['ce_specversion', 'ce_id', 'ce_source', 'ce_type'],
  )

const DATA_NAMES = {
  spend: 'SpendData',
  reserve: 'ReserveData',
  settle: 'SettleData',
  release: 'ReleaseData',
  report: 'ReportData',
} as const

const structuredEvent = ([type, request]: readonly [string, keyof typeof DATA_NAMES]): Schema => ({
  title: type,
  ...open(
    {
      ...attributes(literal(type)),
      datacontenttype: { ...TEXT, examples: ['application/json'] },
      data: ref(DATA_NAMES[request]),
      data_base64: { description: 'The same data as Base64; in the place of data.', ...TEXT },
    },
    ['specversion', 'id', 'source', 'type'],
  ),
  oneOf: [having('data'), having('data_base64')],
})

/** Recorded as another decision, about tokens or policies alone, or a reason to wait. */
const NEVER_INVALID: readonly string[] = [
  'BUDGET_EXHAUSTED',
  'COST_INFINITE',
  'UNDECIDED',
  'UNAUTHENTICATED',
  'VERSION_MISMATCH',
  'PROPOSAL_MISMATCH',
  'RELATION_CONFLICT',
  'POLICY_LIMIT',
  'HALTED',
  'RECOVERING',
  'CLOCK_UNCERTAIN',
]

/** The codes that a decision `invalid` can have. */
export const INVALID_CODES = Object.keys(REQUEST_PROBLEMS).filter((code) => !NEVER_INVALID.includes(code))

const WHOSE: Schemas = { spend: ref('DecidedRequest'), cause: ref('Cause') }
const decided = (name: string): Schema => {
  const schema = named(name)
  const required = [...requiredOf(schema), ...Object.keys(WHOSE)]
  return { ...schema, properties: { ...propertiesOf(schema), ...WHOSE }, required }
}
const PROBLEM = propertiesOf(named('Problem'))

const OWN: Schemas = {
  ...Object.fromEntries(
    Object.entries(REQUESTS).map(([type, request]) => [
      DATA_NAMES[request].replace('Data', 'Headers'),
      requestHeaders(type),
    ]),
  ),
  StructuredHeaders: open(
    { 'content-type': { type: 'string', pattern: '^[aA]pplication/[cC]loud[eE]vents\\+json' } },
    [],
  ),
  StructuredEvent: { oneOf: Object.entries(REQUESTS).map(structuredEvent) },
  ReleaseForm: releaseForm(),
  ReleaseBody: releaseWith({}, []),
  SpendData: requestData('SpendRequest'),
  ReserveData: requestData('ReservationRequest'),
  ReportData: requestData('ReportRequest'),
  SettleData: {
    anyOf: [
      { title: 'count alone', ...object({ ...RESERVATION, count: ref('Count') }) },
      releaseWith(RESERVATION, ['reservation']),
    ],
  },
  ReleaseData: object({ ...RESERVATION, ...propertiesOf(named('ReasonRequest')) }),
  DecisionHeaders: open(
    {
      ce_specversion: literal('1.0'),
      ce_id: { description: 'Epoch and number of the record.', type: 'string', pattern: '^[0-9]+-[0-9]+$' },
      ce_source: { type: 'string', pattern: '^/ledgers/' },
      ce_type: literal(DECISION_TYPE),
      ce_subject: { description: 'The id of the request, or of the reservation that was closed.', ...ref('Name') },
      ce_time: INSTANT,
      'content-type': literal('application/json'),
      head: {
        description: 'Every decision up to this record had been acknowledged before this one was sent.',
        ...OFFSET,
      },
      epsilon_repeat: {
        description: 'The same request was answered before; this is the first answer again.',
        ...literal('true'),
      },
    },
    ['ce_specversion', 'ce_id', 'ce_source', 'ce_type', 'ce_subject', 'ce_time', 'content-type', 'head'],
  ),
  Decision: {
    oneOf: ['Accepted', 'Reserved', 'Reported', 'Closed', 'Refused', 'Invalid'].map((name) => ref(`${name}Decision`)),
  },
  AcceptedDecision: decided('Accepted'),
  ReservedDecision: decided('Reserved'),
  ReportedDecision: decided('Reported'),
  ClosedDecision: decided('Closed'),
  RefusedDecision: object({ ...without(PROBLEM, ['errors']), ...propertiesOf(named('Refusal')), ...WHOSE }),
  InvalidDecision: object(
    {
      decision: literal('invalid'),
      ...PROBLEM,
      code: { enum: INVALID_CODES },
      id: TEXT,
      source: TEXT,
      receipt: ref('Receipt'),
      ...WHOSE,
    },
    ['errors'],
  ),
  DecidedRequest: {
    description: 'Whose request it was. Where a reservation was closed, id is that of the reservation.',
    ...object({ source: TEXT, id: TEXT }),
  },
  Cause: {
    description: 'What made the record: a request over HTTP, an operator, the ledger itself, or a message.',
    oneOf: [
      ...['http', 'cli', 'system'].map((kind) => object({ kind: literal(kind) })),
      object(
        {
          kind: literal('kafka'),
          topic: TEXT,
          partition: integer(0),
          offset: OFFSET,
          leaderEpoch: integer(0),
          digest: { type: 'string', pattern: '^[0-9a-f]{32}$' },
          transactional: { description: 'It came in a transaction, perhaps in one that was aborted.', const: true },
        },
        ['leaderEpoch', 'transactional'],
      ),
    ],
  },
  BlockHeaders: open(
    {
      ledger: { description: 'Id of the ledger.', ...TEXT },
      block: { description: 'Number of the block, from 0 without gaps.', ...OFFSET },
      first: { description: 'Number of its first record.', ...OFFSET },
      last: { description: 'Number of its last record.', ...OFFSET },
      epoch: { description: 'Of its records.', ...OFFSET },
      leaf: { description: 'Hash of its last record.', ...ref('Leaf') },
    },
    ['ledger', 'block', 'first', 'last', 'epoch', 'leaf'],
  ),
  Leaf: { type: 'string', pattern: '^[0-9a-f]{64}$' },
  DeadLetterHeaders: open(
    {
      epsilon_reason: {
        oneOf: Object.entries(QUARANTINE_REASONS).map(([code, meaning]) => ({ const: code, description: meaning })),
      },
      epsilon_detail: TEXT,
      epsilon_topic: TEXT,
      epsilon_partition: OFFSET,
      epsilon_offset: OFFSET,
      epsilon_timestamp: { description: 'Milliseconds since 1970, as the message had it.', ...TEXT },
    },
    ['epsilon_reason', 'epsilon_detail', 'epsilon_topic', 'epsilon_partition', 'epsilon_offset', 'epsilon_timestamp'],
  ),
  AnyBytes: { description: 'Whatever was sent, or nothing.' },
}

/**
 * `components.schemas` of the document of the topics: what is its own, and what it takes from that of HTTP under the same
 * names. In the dialect of AsyncAPI, JSON Schema draft 07.
 */
export const messageSchemas = (): Schemas => {
  const all: Schemas = { ...OPENAPI, ...OWN }
  const reached = new Map<string, Schema>()
  const reach = (name: string): void => {
    if (reached.has(name)) return
    const schema = draft07(all[name]) as Schema
    reached.set(name, schema)
    for (const other of referencesIn(schema)) reach(other)
  }
  for (const name of [...Object.keys(OWN), 'RecordLines']) reach(name)
  return Object.fromEntries([...reached].sort(([one], [other]) => (one < other ? -1 : 1)))
}

const referencesIn = (schema: unknown): readonly string[] =>
  [...JSON.stringify(schema).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map((match) => match[1] ?? '')

/** Draft 07 knows no `prefixItems`, and nothing counts beside a `$ref`. */
const draft07 = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(draft07)
  if (typeof schema !== 'object' || schema === null) return schema
  const { $ref, prefixItems, items, ...rest } = schema as Schema
  const others = Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, draft07(value)]))
  if ($ref !== undefined) return Object.keys(others).length === 0 ? { $ref } : { ...others, allOf: [{ $ref }] }
  if (prefixItems !== undefined) return { ...others, items: draft07(prefixItems), additionalItems: false }
  return items === undefined ? others : { ...others, items: draft07(items) }
}
