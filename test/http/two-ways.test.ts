import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AccountingError } from '../../src/accounting/errors.js'
import { parseRequest } from '../../src/budget/request.js'
import { problemsOf } from '../../src/http/body.pipe.js'
import { ReportDto, ReservationDto, SpendDto } from '../../src/http/dto/spend.dto.js'
import type { Client, Reply } from '../support/client.js'
import { Edge, type Folder, temporaryData } from './edge.js'

/** Mostly good values, with every kind of bad one among them. */
const mostly = (good: fc.Arbitrary<unknown>, ...bad: readonly unknown[]): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 8, arbitrary: good }, { weight: 1, arbitrary: fc.constantFrom(...bad) })

const amount = mostly(
  fc.constantFrom('0.1', 0.1, '1/3', '2.5e-3', 2, '7', 1e-7),
  ...['NaN', '-1', -1, '1e400', '1e-5000', '', 'x', null, true, {}, [], -0, '01', ' 1', `0.${'1'.repeat(61)}`],
)
const name = mostly(
  fc.constantFrom('ann', 'ü', 'a/b', 'x'.repeat(256)),
  '',
  5,
  null,
  'x'.repeat(257),
  'a\u0001',
  '\ud800',
  ['a'],
  {},
)
const relation = mostly(fc.constantFrom('add_or_remove_one'), 'replace_one', 'swap', 7, null)
const count = mostly(fc.constantFrom(1, '10', 1000, 1e12), 0, -1, 0.5, '1e13', 'x', null)
const sampling = mostly(
  fc.record({ method: fc.constant('poisson'), probability: fc.constantFrom('0.01', '250/60000', 1) }),
  ...[
    {},
    [],
    null,
    { probability: '0.5' },
    { method: 'shuffle', probability: '0.5' },
    { method: 'poisson', probability: 2 },
  ],
)
const optional = { requiredKeys: [] as never[] }

const mechanisms: readonly fc.Arbitrary<object>[] = [
  fc.record({ mechanism: fc.constant('laplace'), noiseMultiplier: amount, count }),
  fc.record({ mechanism: fc.constant('gaussian'), noiseMultiplier: amount, sampling }),
  fc.record({ mechanism: fc.constant('declared_pure'), epsilon: amount }),
  fc.record({ mechanism: fc.constant('declared_approx'), epsilon: amount, delta: amount }),
  fc.record({ mechanism: fc.constant('declared_zcdp'), rho: amount, xi: amount }),
  fc.record({
    mechanism: fc.constant('declared_rdp'),
    curve: mostly(fc.constantFrom({ 2: '1' }, { inf: 1 }), {}, [], null, { 1: 2 }),
  }),
  fc.record({
    mechanism: fc.constant('tree_aggregation'),
    noiseMultiplier: amount,
    steps: mostly(fc.constantFrom(5, [3, 4]), [], 'x'),
  }),
  fc.record({ mechanism: mostly(fc.constant('no_op'), 'magic', 5, null, 'non_private') }),
  fc.record({
    parts: mostly(
      fc.constant([{ mechanism: 'no_op' }, { mechanism: 'laplace', noiseMultiplier: 9 }]),
      [],
      {},
      [5],
      null,
    ),
  }),
  fc.record({
    dpEvent: mostly(fc.constant({ class_name: 'GaussianDpEvent', noise_multiplier: 3 }), {}, [], { class_name: 'X' }),
  }),
  fc.record({ opacusHistory: mostly(fc.constant([[1, 0.01, 100]]), [], [[1]], 'x', null) }),
  fc.constant({}),
]

const attributes = fc.record(
  {
    unit: name,
    units: mostly(fc.constant(['a', 'b']), [], ['a', 'a'], 'a', [5], null, {}),
    dataset: name,
    analyst: name,
    purpose: name,
    neighboring: relation,
    onExhausted: mostly(fc.constantFrom('refuse', 'drop'), 'maybe', 1, null),
    noise: mostly(
      fc.constant({ stream: 's', from: 0, to: '5' }),
      {},
      [],
      null,
      { stream: 's', from: 2, to: 1 },
      { stream: 's', from: 0, to: 1, x: 1 },
    ),
    clipping: mostly(fc.constantFrom({}, { norm: '1.5' }), [], null, { norm: -1 }, { '': 1 }),
    expiresInSeconds: mostly(fc.constantFrom(1, 3600, '60'), 0, -1, 'x', null, 2_592_001),
    [`${'un'}known`]: fc.constant(1),
  },
  optional,
)

/** Few fields a body, so that many are right. */
const sparse = attributes.map((all) => Object.fromEntries(Object.entries(all).filter((_, index) => index % 3 === 0)))
const bodies = fc
  .tuple(fc.oneof(sparse, attributes), fc.oneof(...mechanisms), mostly(name, undefined), fc.boolean())
  .map(([attribute, body, id, bare]) => ({ ...(bare ? {} : attribute), ...body, ...(id === undefined ? {} : { id }) }))
  .map((body) => JSON.parse(JSON.stringify(body)) as { id?: unknown })

const outcome = (read: () => unknown): string => {
  try {
    read()
    return 'accepted'
  } catch (error) {
    if (error instanceof AccountingError) return error.code
    throw error
  }
}

test.each([
  ['spend', SpendDto],
  ['report', ReportDto],
  ['reserve', ReservationDto],
] as const)('the class of a %s finds nothing wrong with what its reader accepts', (kind, dto) => {
  const seen = new Map<string, number>()
  const check = (sent: object): void => {
    const body = kind === 'reserve' ? { expiresInSeconds: 60, ...sent } : sent
    const byHand = outcome(() => parseRequest(kind, body, 'source'))
    if (byHand === 'accepted') expect(problemsOf(dto, body)).toEqual([])
    else if (problemsOf(dto, body).length > 0) seen.set('described', (seen.get('described') ?? 0) + 1)
    seen.set(byHand, (seen.get(byHand) ?? 0) + 1)
  }
  fc.assert(fc.property(bodies, check), { numRuns: 1500 })
  for (const common of ['accepted', 'described', 'INVALID']) expect(seen.get(common)).toBeGreaterThan(50)
  // Some 30 of the 1,500 each: by chance no more than three come less than once in 100 million runs.
  for (const rare of ['INVALID_NUMBER', 'OUT_OF_RANGE']) expect(seen.get(rare)).toBeGreaterThan(3)
})

let folder: Folder
let edge: Edge
let emitter: Client

beforeAll(async () => {
  folder = temporaryData()
  edge = await Edge.open(folder.path)
  await edge.policy({ id: 'sources', scope: ['source'], metric: 'approx', epsilon: '4000', delta: '0.9' })
  emitter = await edge.as('emitter', 'tester')
})

afterAll(async () => {
  await edge.close()
  folder.remove()
})

test('over HTTP a spend on its own gets the status and code that it gets in a batch', async () => {
  const sample = fc.sample(bodies, 1_000)
  const named = (prefix: string) =>
    sample.map((body, index) =>
      typeof body.id === 'string' && body.id.length < 200 ? { ...body, id: `${prefix}${index}${body.id}` } : body,
    )
  const single: Reply[] = []
  for (const body of named('one-')) single.push(await emitter.post('/v1/spends', body))
  const other = await edge.as('emitter', 'other')
  const batch = await other.post<{ results: { status: number; code?: string }[] }>('/v1/spends/batch', {
    spends: named('all-'),
  })
  expect(batch.body.results.map(({ status, code }) => [status, code])).toEqual(
    single.map(({ status, body }) => [status, body['code']]),
  )
  expect(single.filter(({ status }) => status === 201).length).toBeGreaterThan(10)
})
