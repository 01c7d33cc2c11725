import { EXACT, INSTANT, integer, LEAF, list, literal, object, RELATION, ref, type Schema, SEQ } from './values.js'

const DECIMALS: Schema = {
  description:
    'Exact decimals in natural units: {"epsilon":"0.4"}, {"rho":"0.02","delta":"0"}, {"delta":"0","rdp":{"8":"1.2"}}.',
  type: 'object',
  properties: {
    epsilon: EXACT,
    rho: EXACT,
    delta: EXACT,
    rdp: { type: 'object', additionalProperties: EXACT },
  },
  additionalProperties: false,
}

const ANY_NAME: Schema = { type: 'string' }
const BUDGET = { policy: ANY_NAME, key: ANY_NAME, window: ANY_NAME }
const STANDING = { spent: ref('Amounts'), reserved: ref('Amounts'), cap: ref('Amounts'), remaining: ref('Amounts') }
const RECEIPT = { receipt: ref('Receipt') }
const POSITION = { position: ref('Position') }
const REQUEST = { id: ANY_NAME, source: ANY_NAME }
const nullable = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] })

const accepted = {
  decision: literal('accepted'),
  ...REQUEST,
  ...RECEIPT,
  budgets: { description: 'Left out beyond 100.', ...list(ref('Budget')) },
  dropped: { description: 'Units that could not pay: leave their data out.', ...list(ANY_NAME) },
}
const OPTIONAL = ['budgets', 'dropped']
const reserved = { ...accepted, expiresAt: INSTANT }
const reported = { ...accepted, violation: { type: 'boolean' } }
const closed = { decision: literal('accepted'), state: { enum: ['settled', 'released'] }, ...REQUEST, ...RECEIPT }
const refused = {
  decision: literal('refused'),
  ...REQUEST,
  ...RECEIPT,
  code: {
    description: 'UNDECIDED: charged in full, because a restored ledger may have lost the first decision.',
    enum: ['BUDGET_EXHAUSTED', 'COST_INFINITE', 'UNDECIDED'],
  },
  failing: { description: 'At most 100 of them.', ...list(ref('FailingBudget')) },
  failingCount: integer(0),
  largestCount: { description: 'The largest count that would have passed.', ...integer(0, 1e12) },
}

const policyFields = {
  id: ANY_NAME,
  version: integer(1),
  scope: list(ANY_NAME),
  match: { type: 'object', additionalProperties: list(ANY_NAME) },
  metric: { enum: ['pure', 'approx', 'zcdp', 'rdp'] },
  epsilon: ANY_NAME,
  delta: ANY_NAME,
  deltaForSpends: ANY_NAME,
  neighboring: RELATION,
  window: { enum: ['lifetime', 'day', 'week', 'month', 'year'] },
  role: { enum: ['guarantee', 'quota'] },
  orders: list(object({ alpha: { anyOf: [integer(2, 1024), { const: 'inf' }] }, deltaShare: ANY_NAME })),
  alphaStar: ANY_NAME,
  caps: ref('Amounts'),
}

const policyState = {
  id: ANY_NAME,
  status: { enum: ['active', 'removed'] },
  version: nullable(integer(1)),
  policy: nullable(ref('Policy')),
  proposal: nullable(
    object({
      version: integer(1),
      replaces: integer(1),
      proposedBy: ANY_NAME,
      removes: { type: 'boolean' },
      policy: nullable(ref('Policy')),
    }),
  ),
}

const page = (name: string, item: Schema = ref('HistoryEntry')) => ({
  [name]: list(item),
  next: { description: '`after` of the next page; null at the end.', ...nullable(SEQ) },
})

/** What the service answers. */
export const ANSWER_SCHEMAS: Readonly<Record<string, Schema>> = {
  Amounts: DECIMALS,
  Receipt: {
    description: 'The record that the answer stands on.',
    ...object({ ledger: ANY_NAME, epoch: integer(0), seq: SEQ, leaf: LEAF }),
  },
  Position: { description: 'The record up to which the answer is true.', ...object({ seq: SEQ, leaf: LEAF }) },
  Budget: object({ ...BUDGET, ...STANDING }),
  FailingBudget: object({
    ...BUDGET,
    spent: ref('Amounts'),
    reserved: ref('Amounts'),
    requested: ref('Amounts'),
    cap: ref('Amounts'),
  }),
  Problem: {
    description: 'A problem document (RFC 9457).',
    type: 'object',
    properties: {
      type: { type: 'string', format: 'uri' },
      title: { type: 'string' },
      status: integer(400, 599),
      detail: { type: 'string' },
      code: { type: 'string', pattern: '^[A-Z_]+$' },
      errors: {
        description: 'With 422.',
        ...list(object({ pointer: { type: 'string' }, detail: { type: 'string' } })),
      },
    },
    required: ['type', 'title', 'status', 'detail', 'code'],
    examples: [
      {
        type: 'urn:epsilon-ledger:problem:INVALID',
        title: 'The request is not valid',
        status: 422,
        detail: 'unknown field "noiseMultipler"',
        code: 'INVALID',
        errors: [{ pointer: '/noiseMultipler', detail: 'unknown field "noiseMultipler"' }],
      },
    ],
  },
  Refusal: { type: 'object', properties: refused, required: Object.keys(refused) },
  RefusalProblem: {
    description: 'A recorded refusal has the facts of the decision beside the problem.',
    anyOf: [{ allOf: [ref('Problem'), ref('Refusal')] }, ref('Problem')],
  },
  Accepted: object(accepted, OPTIONAL),
  Reserved: object(reserved, OPTIONAL),
  Reported: object(reported, OPTIONAL),
  Closed: object(closed),
  StoredAnswer: {
    oneOf: [
      object({ ...accepted, ...POSITION }, OPTIONAL),
      object({ ...reserved, ...POSITION }, OPTIONAL),
      object({ ...reported, ...POSITION }, OPTIONAL),
      object({ ...refused, ...POSITION }),
    ],
  },
  BatchAnswer: object({
    results: list({
      description: 'What POST /v1/spends answers, with its status; replayed is true where it was answered before.',
      type: 'object',
      properties: { status: integer(201, 599) },
      required: ['status'],
    }),
  }),
  Estimate: object({
    admitted: { type: 'boolean' },
    largestCount: { description: 'The largest count that would be admitted as one spend.', ...integer(0, 1e12) },
    repetitions: {
      description: 'How many such spends would be admitted one after the other; null where they cost nothing.',
      ...nullable({ type: 'string', pattern: '^[0-9]+$' }),
    },
    budgetCount: integer(0),
    budgets: {
      description: 'At most 100, those that would refuse first.',
      ...list(object({ ...BUDGET, admitted: { type: 'boolean' }, ...STANDING, requested: ref('Amounts') })),
    },
  }),
  Policy: object(policyFields, ['deltaForSpends', 'orders', 'alphaStar']),
  PolicySet: object({
    id: ANY_NAME,
    version: integer(1),
    status: { enum: ['active', 'proposed'] },
    policy: ref('Policy'),
    warnings: list({ type: 'string' }),
    ...RECEIPT,
  }),
  PolicyApproved: object({ id: ANY_NAME, version: integer(1), status: literal('approved'), ...RECEIPT }),
  RemovalProposed: object({ id: ANY_NAME, version: integer(1), status: literal('proposed'), ...RECEIPT }),
  PolicyState: object(policyState),
  Policies: object({ policies: list(ref('PolicyState')), ...POSITION }),
  PolicyHistory: object({
    ...policyState,
    versions: list(ref('Policy')),
    changes: list(
      object({
        kind: { enum: ['set', 'proposed', 'removal-proposed', 'approved'] },
        version: integer(1),
        at: INSTANT,
        by: ANY_NAME,
        seq: SEQ,
      }),
    ),
    ...POSITION,
  }),
  Reservations: object({
    ...page(
      'reservations',
      object({
        ...REQUEST,
        seq: SEQ,
        expiresAt: INSTANT,
        overdue: { type: 'boolean' },
        policies: list(object({ policy: ANY_NAME, version: integer(1), window: ANY_NAME })),
        unitCount: integer(0),
      }),
    ),
    count: integer(0),
    ...POSITION,
  }),
  UnitBudgets: object({
    unit: ANY_NAME,
    budgets: list(
      object(
        {
          ...BUDGET,
          version: integer(1),
          inForce: { type: 'boolean' },
          role: { enum: ['guarantee', 'quota'] },
          scope: list(ANY_NAME),
          ...STANDING,
          lifetime: { description: 'With a window: over all of them.', ...object({ spent: ref('Amounts') }) },
        },
        ['lifetime'],
      ),
    ),
    ...POSITION,
  }),
  HistoryEntry: {
    description: 'What one record did.',
    type: 'object',
    properties: {
      seq: SEQ,
      at: INSTANT,
      type: { type: 'string' },
      ...REQUEST,
      decision: { enum: ['accepted', 'refused'] },
      code: { type: 'string' },
      charges: list(object({ policy: ANY_NAME, version: integer(1), window: ANY_NAME, cost: ref('Amounts') })),
    },
    required: ['seq', 'at', 'type'],
  },
  UnitSpends: object({ unit: ANY_NAME, ...page('spends'), ...POSITION }),
  Violations: object({ ...page('violations'), count: integer(0), ...POSITION }),
  Tokens: object({
    tokens: list(
      object({
        id: ANY_NAME,
        role: { enum: ['emitter', 'auditor', 'operator', 'approver'] },
        source: ANY_NAME,
        createdAt: INSTANT,
        expiresAt: nullable(INSTANT),
        revoked: { type: 'boolean' },
      }),
    ),
    ...POSITION,
  }),
  TokenCreated: object({
    id: ANY_NAME,
    token: { description: '256 random bits in base64url.', type: 'string', pattern: '^[A-Za-z0-9_-]{43}$' },
    role: { enum: ['emitter', 'auditor', 'operator', 'approver'] },
    source: ANY_NAME,
    expiresAt: nullable(INSTANT),
    ...RECEIPT,
  }),
  TokenRevoked: object({ id: ANY_NAME, revoked: { const: true }, ...RECEIPT }),
  Done: object(RECEIPT),
  Ledger: object({
    ledger: ANY_NAME,
    epoch: integer(0),
    head: ref('Position'),
    counts: { description: 'Records by type.', type: 'object', additionalProperties: integer(0) },
    halts: list(object({ scope: nullable({ type: 'object' }), reason: { type: 'string' }, at: INSTANT })),
    ...POSITION,
  }),
  Topics: object({
    inUse: { description: 'Whether this ledger is told of brokers.', type: 'boolean' },
    group: nullable(ANY_NAME),
    partitions: list(
      object(
        {
          topic: ANY_NAME,
          partition: integer(0),
          next: ref('Offset'),
          high: ref('Offset'),
          lag: { type: 'string' },
          standing: { enum: ['checking', 'running', 'waiting', 'lost', 'elsewhere'] },
          why: object({ code: ANY_NAME, detail: { type: 'string' }, from: ref('Offset'), to: ref('Offset') }, [
            'from',
            'to',
          ]),
        },
        ['why'],
      ),
    ),
    published: {
      description: 'Number of the last record that each topic has; -1 for none.',
      ...object({ journal: integer(-1), decisions: integer(-1) }),
    },
    resets: list({ type: 'object' }),
    ...POSITION,
  }),
  TopicReset: object({
    topic: ANY_NAME,
    partition: integer(0),
    from: ref('Offset'),
    to: ref('Offset'),
    status: { enum: ['proposed', 'approved'] },
    ...RECEIPT,
  }),
  Quarantine: object({ ...page('quarantine', ref('QuarantinedMessage')), count: integer(0), ...POSITION }),
  QuarantinedMessage: object(
    {
      seq: SEQ,
      at: INSTANT,
      cause: { description: 'Where the message was.', type: 'object' },
      reason: { description: 'A stable code.', type: 'string' },
      detail: { type: 'string' },
      bytes: { description: 'Of its value.', ...integer(0) },
      key: { description: 'In base64, at most its first 256 bytes.', ...nullable({ type: 'string' }) },
      source: ANY_NAME,
      id: ANY_NAME,
      ceType: ANY_NAME,
      dismissal: {
        description: 'What waits for a second person.',
        ...nullable(object({ reason: { type: 'string' }, proposedBy: ANY_NAME })),
      },
    },
    ['source', 'id', 'ceType'],
  ),
  QuarantineResolution: object({
    quarantined: SEQ,
    status: { enum: ['proposed', 'dismissed'] },
    ...RECEIPT,
  }),
  Offset: {
    description: 'A decimal string: offsets pass 2^53.',
    type: 'string',
    pattern: '^(?:0|[1-9][0-9]{0,18})$',
    examples: ['120'],
  },
  Record: {
    description: 'A record of the log; data is told by type.',
    ...object({
      at: INSTANT,
      by: { type: 'string' },
      cause: { type: 'object' },
      data: { type: 'object' },
      epoch: integer(0),
      prev: LEAF,
      seq: SEQ,
      type: { type: 'string' },
      v: integer(1),
    }),
  },
  RecordLines: { type: 'string' },
  Live: object({ status: literal('live') }),
  Ready: object({ status: literal('ready') }),
  MetricsText: { type: 'string' },
}
