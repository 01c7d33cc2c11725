import http from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parsePolicy } from '../../src/budget/policy-request.js'
import { leafHash } from '../../src/ledger/record.js'
import type { Client } from '../support/client.js'
import { onOneDay } from '../support/midnight.js'
import { costing, Edge, type Folder, LIFETIME, temporaryData } from './edge.js'

let folder: Folder
let edge: Edge
let emitter: Client
let auditor: Client

/** What the guarantees of these tests look at. */
const EVERYWHERE = { dataset: 'views', analyst: 'ann', purpose: 'none' }

beforeAll(async () => {
  folder = temporaryData()
  edge = await Edge.open(folder.path)
  await edge.policy({ id: 'units' })
  emitter = await edge.as('emitter', 'trainer')
  auditor = await edge.as('auditor')
})

afterAll(async () => {
  await edge.close()
  folder.remove()
})

test('a new policy holds at once, with the caps that follow from it', async () => {
  const reply = await edge.policy({
    id: 'z',
    scope: ['dataset'],
    match: { purpose: 'z' },
    metric: 'zcdp',
    epsilon: '3',
    delta: '1e-6',
  })
  expect(reply.status).toBe(201)
  expect(reply.body).toMatchObject({
    id: 'z',
    version: 1,
    status: 'active',
    warnings: [],
    policy: {
      match: { purpose: ['z'] },
      delta: '0.000001',
      alphaStar: '8.875',
      caps: { rho: '0.185062672407983', delta: '0' },
    },
    receipt: { seq: edge.head },
  })
})

test('tightening holds at once, everything looser waits for another person', async () => {
  await edge.policy({ id: 'p', scope: ['analyst'], match: { purpose: 'p' }, epsilon: '5' })
  expect(
    (await edge.policy({ id: 'p', scope: ['analyst'], match: { purpose: 'p' }, epsilon: '4' })).body,
  ).toMatchObject({ status: 412, code: 'VERSION_MISMATCH' })
  const tighter = await edge.policy({ id: 'p', scope: ['analyst'], match: { purpose: 'p' }, epsilon: '4', replaces: 1 })
  expect([tighter.status, tighter.body['version'], tighter.body['status']]).toEqual([200, 2, 'active'])
  const looser = await edge.policy({ id: 'p', scope: ['analyst'], match: { purpose: 'p' }, epsilon: '6', replaces: 2 })
  expect([looser.status, looser.body['version'], looser.body['status']]).toEqual([202, 3, 'proposed'])
  expect((await edge.operator.post('/v1/policies/p/approve', { version: 3 })).status).toBe(403)
  expect((await edge.approver.post('/v1/policies/p/approve', { version: 2 })).body).toMatchObject({
    status: 412,
    code: 'VERSION_MISMATCH',
  })
  expect((await auditor.get('/v1/policies/p')).body).toMatchObject({
    version: 2,
    proposal: { version: 3, removes: false },
  })
  expect((await edge.approver.post('/v1/policies/p/approve', { version: 3 })).body).toMatchObject({
    id: 'p',
    version: 3,
    status: 'approved',
  })
  const { body } = await auditor.get<{ versions: object[]; changes: { kind: string }[] }>('/v1/policies/p')
  expect(body).toMatchObject({ status: 'active', version: 3, policy: { epsilon: '6' }, proposal: null })
  expect(body.versions).toHaveLength(3)
  expect(body.changes.map(({ kind }) => kind)).toEqual(['set', 'set', 'proposed', 'approved'])
})

test('a policy is removed by two people', async () => {
  await edge.policy({ id: 'gone', scope: ['source'], match: { purpose: 'gone' } })
  const proposed = await edge.operator.send<{ version: number }>('DELETE', '/v1/policies/gone')
  expect([proposed.status, proposed.body]).toMatchObject([202, { id: 'gone', version: 2, status: 'proposed' }])
  expect((await auditor.get('/v1/policies/gone')).body).toMatchObject({ status: 'active', proposal: { removes: true } })
  expect((await edge.approver.post('/v1/policies/gone/approve', { version: 2 })).status).toBe(200)
  expect((await auditor.get('/v1/policies/gone')).body).toMatchObject({
    status: 'removed',
    policy: null,
    version: null,
  })
})

const WRONG: readonly (readonly [name: string, terms: object, code: string, pointer: string])[] = [
  ['an empty scope', { scope: [] }, 'INVALID', '/scope'],
  ['an attribute twice', { scope: ['unit', 'unit'] }, 'INVALID', '/scope/1'],
  ['an unknown attribute', { scope: ['planet'] }, 'INVALID', '/scope/0'],
  ['a match on an unknown attribute', { match: { planet: 'x' } }, 'INVALID', '/match/planet'],
  ['an empty list of values', { match: { dataset: [] } }, 'OUT_OF_RANGE', '/match/dataset'],
  [
    '1,001 values',
    { match: { dataset: Array.from({ length: 1001 }, (_, index) => `d${index}`) } },
    'OUT_OF_RANGE',
    '/match/dataset',
  ],
  ['a guarantee for a day', { window: 'day' }, 'INVALID', '/window'],
  ['delta on a pure budget', { delta: '1e-6' }, 'OUT_OF_RANGE', '/delta'],
  ['delta 1', { metric: 'approx', delta: '1' }, 'OUT_OF_RANGE', '/delta'],
  ['epsilon above the largest cap', { epsilon: '4612' }, 'OUT_OF_RANGE', '/epsilon'],
  ['epsilon NaN', { epsilon: 'NaN' }, 'INVALID_NUMBER', '/epsilon'],
  ['a negative epsilon', { epsilon: -1 }, 'OUT_OF_RANGE', '/epsilon'],
  ['orders on a pure budget', { orders: [{ alpha: 8 }] }, 'INVALID', '/orders'],
  ['alphaStar on an rdp budget', { metric: 'rdp', delta: '1e-6', alphaStar: '4' }, 'INVALID', '/alphaStar'],
  ['order 1', { metric: 'rdp', delta: '1e-6', orders: [{ alpha: 1 }] }, 'OUT_OF_RANGE', '/orders/0/alpha'],
  [
    'only dead orders',
    { metric: 'rdp', epsilon: '0.01', delta: '1e-9', orders: [{ alpha: 2 }] },
    'OUT_OF_RANGE',
    '/epsilon',
  ],
  [
    'a zcdp budget without room',
    { metric: 'zcdp', epsilon: '0.01', delta: '1e-9', alphaStar: '2' },
    'OUT_OF_RANGE',
    '/epsilon',
  ],
  [
    'a planned spend with a mistake',
    { metric: 'rdp', delta: '1e-6', plannedFor: { mechanism: 'gaussian', noiseMultiplier: '-1' } },
    'OUT_OF_RANGE',
    '/plannedFor/noiseMultiplier',
  ],
  [
    'a planned spend of 21 parts',
    { metric: 'rdp', delta: '1e-6', plannedFor: { parts: Array(21).fill({ mechanism: 'no_op' }) } },
    'OUT_OF_RANGE',
    '/plannedFor',
  ],
  [
    'a planned spend of 17 KiB',
    { metric: 'rdp', delta: '1e-6', plannedFor: { mechanism: 'no_op', count: '1'.repeat(17 * 1_024) } },
    'OUT_OF_RANGE',
    '/plannedFor',
  ],
  ['an unknown field', { colour: 'red' }, 'INVALID', '/colour'],
  ['replaces 0', { replaces: 0 }, 'OUT_OF_RANGE', '/replaces'],
]

test.each(WRONG)('a policy with %s is refused without a record', async (_, terms, code, pointer) => {
  const before = edge.head
  const reply = await edge.policy({ id: 'wrong', ...terms })
  expect(reply.body).toMatchObject({ status: 422, code })
  expect((reply.body['errors'] as { pointer: string }[]).map((error) => error.pointer)).toContain(pointer)
  expect(edge.head).toBe(before)
})

test('a policy that plans for a spend gets the order that the exact costs of that spend give', async () => {
  const steps = { mechanism: 'gaussian', noiseMultiplier: '1.1', sampling: { method: 'poisson', probability: '0.004' } }
  const plannedFor = {
    parts: [
      { ...steps, count: 9 },
      { mechanism: 'laplace', noiseMultiplier: '20' },
    ],
  }
  const terms = {
    id: 'planned',
    match: { purpose: ['planned'] },
    metric: 'rdp',
    epsilon: '3',
    delta: '1e-6',
    plannedFor,
  }
  expect((await edge.policy(terms)).status).toBe(201)
  const held = edge.service.state.registry.policies.get('planned')?.versions[0]
  expect(held).toMatchObject(parsePolicy({ ...LIFETIME, ...terms }).terms)
})

test('policies with different relations cannot meet in one spend', async () => {
  const reply = await edge.policy({ id: 'other', neighboring: 'replace_one' })
  expect(reply.body).toMatchObject({ status: 422, code: 'RELATION_CONFLICT' })
})

test('halted: spends wait and stay usable, reports are taken, and resuming takes the same scope', async () => {
  const scope = { dataset: 'clicks' }
  expect((await edge.operator.post('/v1/halt', { scope, reason: 'a defect' })).status).toBe(200)
  const spend = { id: 'halted', unit: 'u', ...EVERYWHERE, dataset: 'clicks', ...costing('0.1') }
  const before = edge.head
  const refused = await emitter.post('/v1/spends', spend)
  expect([refused.status, refused.body['code'], refused.headers['retry-after']]).toEqual([503, 'HALTED', '1'])
  expect(edge.head).toBe(before)
  expect((await emitter.post('/v1/reports', { ...spend, id: 'reported' })).status).toBe(201)
  expect((await emitter.post('/v1/spends', { ...spend, id: 'elsewhere', dataset: 'views' })).status).toBe(201)
  expect((await auditor.get('/v1/ledger')).body).toMatchObject({
    halts: [{ scope: { dataset: ['clicks'] }, reason: 'a defect' }],
  })
  expect((await edge.operator.post('/v1/resume', { reason: 'fixed' })).status).toBe(404)
  expect((await edge.operator.post('/v1/resume', { scope, reason: 'fixed' })).status).toBe(200)
  expect((await emitter.post('/v1/spends', spend)).status).toBe(201)
})

test('the clock is confirmed by an operator, in a record', async () => {
  const before = edge.head
  expect((await edge.operator.post('/v1/clock/confirm', { reason: 'the time server was wrong' })).status).toBe(200)
  const { body } = await auditor.get(`/v1/records/${before + 1}`)
  expect(body).toMatchObject({ type: 'ClockConfirmed', by: 'operator:operator', cause: { kind: 'http' } })
})

test('the log comes out as its exact bytes, a record a line, from anywhere', async () => {
  const all = await auditor.get('/v1/records')
  expect(all.headers['content-type']).toBe('application/x-ndjson')
  const lines = all.text.split('\n')
  expect(lines.pop()).toBe('')
  expect(lines).toHaveLength(edge.head + 1)
  for (const [seq, line] of lines.entries()) {
    const record = JSON.parse(line) as { seq: number; prev: string }
    expect(record.seq).toBe(seq)
    if (seq > 0) expect(record.prev).toBe(leafHash(lines[seq - 1] ?? ''))
  }
  expect(leafHash(lines.at(-1) ?? '')).toBe(edge.service.position().leaf)
  expect((await auditor.get('/v1/records?from=3&limit=4')).text).toBe(`${lines.slice(3, 7).join('\n')}\n`)
  expect((await auditor.get('/v1/records/5')).text).toBe(lines[5])
  expect((await auditor.get(`/v1/records?from=${edge.head + 1}`)).text).toBe('')
})

test('whoever reads the log slowly holds up nobody, and gets all of it', async () => {
  for (let round = 0; round < 5; round++) {
    const spends = Array.from({ length: 1000 }, (_, index) => ({
      id: `long-${round}-${index}`,
      unit: `long-${index}`,
      ...EVERYWHERE,
      ...costing('0.01'),
    }))
    expect((await emitter.post('/v1/spends/batch', { spends })).status).toBe(200)
  }
  const head = edge.head
  const response = await new Promise<http.IncomingMessage>((resolve) =>
    http.get(`${edge.url}/v1/records`, { headers: { authorization: `Bearer ${auditor.token}` } }, resolve),
  )
  const spend = { id: 'meanwhile', unit: 'pat', ...EVERYWHERE, ...costing('0.1') }
  expect((await emitter.post('/v1/spends', spend)).status).toBe(201)
  let lines = 0
  for await (const chunk of response) lines += (chunk as Buffer).toString('latin1').split('\n').length - 1
  expect(lines).toBeGreaterThanOrEqual(head + 1)
})

test('an answer reflects at least the record that is asked for', async () => {
  const next = edge.head + 1
  const waiting = auditor.get(`/v1/ledger?atLeast=${next}`)
  await emitter.post('/v1/spends', { id: 'next', unit: 'nina', ...EVERYWHERE, ...costing('0.1') })
  expect((await waiting).body).toMatchObject({ position: { seq: next } })
  const late = await auditor.get(`/v1/ledger?atLeast=${next + 1000}`)
  expect([late.status, late.body['code'], late.headers['retry-after']]).toEqual([503, 'NOT_READY', '1'])
})

test('a windowed budget shows its lifetime beside it', async () => {
  await onOneDay(20_000)
  await edge.policy({ id: 'daily', role: 'quota', window: 'day' })
  await emitter.post('/v1/spends', { id: 'windowed', unit: 'olaf', ...EVERYWHERE, ...costing('0.2') })
  const { body } = await auditor.get('/v1/units/olaf/budgets')
  expect(body['budgets']).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ policy: 'units', window: 'lifetime', inForce: true }),
      expect.objectContaining({
        policy: 'daily',
        window: new Date().toISOString().slice(0, 10),
        lifetime: { spent: { epsilon: '0.2' } },
      }),
    ]),
  )
})

test('a content type without a body does no harm', async () => {
  const headers = { 'content-type': 'application/json' }
  expect((await edge.operator.send('DELETE', '/v1/policies/none', undefined, { headers })).status).toBe(404)
  expect((await edge.operator.send('DELETE', '/v1/policies/none', '', { headers })).status).toBe(404)
})

test('metrics tell what was decided', async () => {
  const { text } = await auditor.get('/metrics')
  expect(text).toMatch(/^epsilon_head_seq \d+$/m)
  expect(text).toMatch(/^epsilon_ready 1$/m)
  expect(text).toMatch(/^epsilon_decisions_total\{kind="spend",outcome="accepted"\} [1-9]/m)
  expect(text).toMatch(/^epsilon_decisions_total\{kind="message",outcome="invalid"\} 0$/m)
  expect(text).toMatch(/route="\/v1\/spends"/)
  expect(text).toMatch(/^epsilon_open_reservations 0$/m)
  expect(text).not.toContain('olaf')
})

test('metrics tell how long appends take, and what they hold', async () => {
  const figure = async (name: string): Promise<number> => {
    const { text } = await auditor.get('/metrics')
    return Number(new RegExp(`^${name} ([\\d.e-]+)$`, 'm').exec(text)?.[1])
  }
  const names = ['duration_seconds_count', 'duration_seconds_sum', 'commands_sum', 'records_sum'] as const
  const figures = () => Promise.all(names.map((name) => figure(`epsilon_append_${name}`)))
  const [count = 0, seconds = 0, commands = 0, records = 0] = await figures()
  expect(count).toBeGreaterThan(0)
  const spends = [
    ...['timed-1', 'timed-2'].map((id) => ({ id, unit: id, ...EVERYWHERE, ...costing('0.1') })),
    { id: 'timed-1', unit: 'timed-1', ...EVERYWHERE, ...costing('0.1') },
  ]
  const startedMs = performance.now()
  expect((await emitter.post('/v1/spends/batch', { spends })).status).toBe(200)
  const answeredAfterMs = performance.now() - startedMs
  const [after = 0, later = 0, ...sizes] = await figures()
  expect([after, ...sizes]).toEqual([count + 1, commands + 3, records + 2])
  expect(later).toBeGreaterThan(seconds)
  expect((later - seconds) * 1000).toBeLessThan(answeredAfterMs)
})

test('closing answers what is in flight, and the same directory opens again', async () => {
  const own = temporaryData()
  const first = await Edge.open(own.path)
  await first.policy({ id: 'units' })
  const client = await first.as('emitter')
  const spends = Array.from({ length: 50 }, (_, index) =>
    client.post('/v1/spends', { id: `c${index}`, unit: `c${index}`, ...costing('0.1') }),
  )
  await spends[0]
  const replies = Promise.allSettled(spends)
  await first.close()
  const accepted = (await replies).filter((reply) => reply.status === 'fulfilled' && reply.value.status === 201).length
  const second = await Edge.open(own.path)
  expect(second.service.state.counts().get('SpendAccepted')).toBeGreaterThanOrEqual(accepted)
  await second.close()
  own.remove()
})
