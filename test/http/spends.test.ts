import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Client } from '../support/client.js'
import { costing, Edge, type Folder, temporaryData } from './edge.js'

let folder: Folder
let edge: Edge
let emitter: Client
let auditor: Client

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

test('an accepted spend says what it stands on and what remains', async () => {
  const reply = await emitter.post('/v1/spends', { id: 's1', unit: 'ann', ...costing('0.4') })
  expect(reply.status).toBe(201)
  expect(reply.body).toEqual({
    decision: 'accepted',
    id: 's1',
    source: 'trainer',
    receipt: { ledger: edge.service.ledgerId, epoch: 0, seq: edge.head, leaf: edge.service.position().leaf },
    budgets: [
      {
        policy: 'units',
        key: 'ann',
        window: 'lifetime',
        spent: { epsilon: '0.4' },
        reserved: { epsilon: '0' },
        cap: { epsilon: '1' },
        remaining: { epsilon: '0.6' },
      },
    ],
  })
})

test('a refused spend is a problem document with the facts of the decision', async () => {
  const reply = await emitter.post('/v1/spends', { id: 's2', unit: 'ann', ...costing('0.25', { count: 3 }) })
  expect(reply.status).toBe(409)
  expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/)
  expect(reply.body).toMatchObject({
    type: 'urn:epsilon-ledger:problem:BUDGET_EXHAUSTED',
    status: 409,
    code: 'BUDGET_EXHAUSTED',
    decision: 'refused',
    failingCount: 1,
    largestCount: 2,
    receipt: { seq: edge.head },
    failing: [
      { policy: 'units', key: 'ann', spent: { epsilon: '0.4' }, requested: { epsilon: '0.75' }, cap: { epsilon: '1' } },
    ],
  })
})

test('the same request again has the same status, receipt and decision, and adds nothing', async () => {
  const before = edge.head
  for (const [id, epsilon, more] of [
    ['s1', '0.4', {}],
    ['s2', '0.25', { count: 3 }],
  ] as const) {
    const first = await auditor.get(`/v1/spends/${id}?source=trainer`)
    const again = await emitter.post('/v1/spends', { id, unit: 'ann', ...costing(epsilon, more) })
    expect(again.headers['idempotency-replayed']).toBe('true')
    expect(again.status).toBe(id === 's1' ? 201 : 409)
    const { position: _, ...answer } = first.body
    expect(again.body).toMatchObject(answer)
  }
  expect(edge.head).toBe(before)
})

test('the same numbers written otherwise are the same request', async () => {
  const reply = await emitter.post('/v1/spends', { id: 's1', unit: 'ann', ...costing('4e-1') })
  expect([reply.status, reply.headers['idempotency-replayed']]).toEqual([201, 'true'])
})

test('another request with a used id is a conflict, and the id of another source is not used', async () => {
  const before = edge.head
  const conflict = await emitter.post('/v1/spends', { id: 's1', unit: 'ann', ...costing('0.3') })
  expect([conflict.status, conflict.body['code']]).toEqual([422, 'IDEMPOTENCY_CONFLICT'])
  expect(edge.head).toBe(before)
  const other = await edge.as('emitter', 'reports')
  expect((await other.post('/v1/spends', { id: 's1', unit: 'bob', ...costing('0.3') })).status).toBe(201)
})

test('an emitter reads the answers to its own alone', async () => {
  const other = await edge.as('emitter', 'stranger')
  expect((await emitter.get('/v1/spends/s1')).body).toMatchObject({
    decision: 'accepted',
    position: { seq: edge.head },
  })
  expect((await other.get('/v1/spends/s1')).status).toBe(404)
  expect((await other.get('/v1/spends/s1?source=trainer')).body).toMatchObject({ code: 'FORBIDDEN' })
})

test('each spend of a batch is decided on its own, in order', async () => {
  const spends = [
    { id: 'b1', unit: 'cid', ...costing('0.6') },
    { id: 'b2', unit: 'cid', ...costing('0.6') },
    { id: 'b3', unit: 'cid', epsilon: 'much' },
    { id: 'b4', unit: 'cid', ...costing('0.4') },
    { id: 'b1', unit: 'cid', ...costing('0.6') },
  ]
  const { status, body } = await emitter.post<{ results: Record<string, unknown>[] }>('/v1/spends/batch', { spends })
  expect(status).toBe(200)
  expect(
    body.results.map((result) => [result['status'], result['decision'] ?? result['code'], result['replayed'] ?? false]),
  ).toEqual([
    [201, 'accepted', false],
    [409, 'refused', false],
    [422, 'INVALID', false],
    [201, 'accepted', false],
    [201, 'accepted', true],
  ])
})

test('a batch has 1 to 1,000 spends', async () => {
  for (const count of [0, 1001]) {
    const spends = Array.from({ length: count }, (_, index) => ({ id: `m${index}`, unit: 'u', ...costing('0.1') }))
    const reply = await emitter.post('/v1/spends/batch', { spends })
    expect([reply.status, reply.body['code']]).toEqual([422, 'OUT_OF_RANGE'])
  }
})

test('an estimate says what would happen and how often, and changes nothing', async () => {
  const before = edge.head
  const reply = await emitter.post('/v1/spends/estimate', { unit: 'dan', ...costing('0.3') })
  expect(reply.body).toMatchObject({
    admitted: true,
    largestCount: 3,
    repetitions: '3',
    budgetCount: 1,
    budgets: [
      { policy: 'units', key: 'dan', admitted: true, requested: { epsilon: '0.3' }, remaining: { epsilon: '1' } },
    ],
  })
  const refused = await emitter.post('/v1/spends/estimate', { unit: 'dan', ...costing('2') })
  expect(refused.body).toMatchObject({ admitted: false, largestCount: 0, repetitions: '0' })
  const free = await emitter.post('/v1/spends/estimate', { unit: 'dan', mechanism: 'no_op' })
  expect(free.body).toMatchObject({ admitted: true, repetitions: null })
  expect(edge.head).toBe(before)
})

test('units that cannot pay are left out where the spend says so, and named', async () => {
  await emitter.post('/v1/spends', { id: 'full', unit: 'full', ...costing('1') })
  const units = ['eve', 'full', 'fay']
  const refused = await emitter.post('/v1/spends', { id: 'd1', units, ...costing('0.5') })
  expect(refused.body).toMatchObject({ status: 409, failingCount: 1 })
  const dropped = await emitter.post('/v1/spends', { id: 'd2', units, onExhausted: 'drop', ...costing('0.5') })
  expect(dropped.body).toMatchObject({ decision: 'accepted', dropped: ['full'] })
  const again = await emitter.post('/v1/spends', { id: 'd2', units, onExhausted: 'drop', ...costing('0.5') })
  expect(again.body).toEqual(dropped.body)
  const none = await emitter.post('/v1/spends', { id: 'd3', units: ['full'], onExhausted: 'drop', ...costing('0.5') })
  expect(none.status).toBe(409)
})

test('one spend over 20,000 units is one decision', async () => {
  const units = Array.from({ length: 20_000 }, (_, index) => `many-${index}`)
  const reply = await emitter.post('/v1/spends', { id: 'many', units, ...costing('0.9') })
  expect(reply.status).toBe(201)
  expect(reply.body).not.toHaveProperty('budgets')
  expect(reply.body['receipt']).toMatchObject({ seq: edge.head })
  const over = await emitter.post('/v1/spends', { id: 'many-2', units, ...costing('0.2') })
  expect(over.body).toMatchObject({ status: 409, failingCount: 20_000, largestCount: 0 })
  const { length } = over.body['failing'] as unknown[]
  expect(length).toBeGreaterThan(10)
  expect(length).toBeLessThanOrEqual(100)
  expect((await auditor.get('/v1/units/many-7/budgets')).body['budgets']).toMatchObject([{ spent: { epsilon: '0.9' } }])
})

/** `npm run test:model` runs a thousand. */
const RACES = Number(process.env['RACES'] ?? 50)

test('of two clients that race for the last of a budget exactly one gets it, every time', async () => {
  const rival = await edge.as('emitter', 'rival')
  for (let round = 0; round < RACES; round++) {
    const body = { id: `race-${round}`, unit: `prize-${round}`, ...costing('0.7') }
    const replies = await Promise.all([emitter.post('/v1/spends', body), rival.post('/v1/spends', body)])
    expect(replies.map(({ status }) => status).sort()).toEqual([201, 409])
  }
})

test('two requests with one id at the same time are one decision', async () => {
  for (let round = 0; round < 20; round++) {
    const body = { id: `twin-${round}`, unit: `twin-${round}`, ...costing('0.7') }
    const [one, other] = await Promise.all([emitter.post('/v1/spends', body), emitter.post('/v1/spends', body)])
    expect([one?.status, other?.status]).toEqual([201, 201])
    expect(one?.body['receipt']).toEqual(other?.body['receipt'])
  }
})

test('a report is always recorded, and says where it went beyond a guarantee', async () => {
  const fine = await emitter.post('/v1/reports', { id: 'r1', unit: 'gus', ...costing('0.9') })
  expect([fine.status, fine.body['violation']]).toEqual([201, false])
  const beyond = await emitter.post('/v1/reports', { id: 'r2', unit: 'gus', ...costing('0.9') })
  expect([beyond.status, beyond.body['violation']]).toEqual([201, true])
  const { body } = await auditor.get<{ count: number; violations: object[] }>('/v1/violations')
  expect(body.count).toBe(1)
  expect(body.violations).toMatchObject([
    { seq: edge.head, id: 'r2', violation: true, violations: [{ policy: 'units', key: 'gus' }] },
  ])
})

test('a reservation is settled once, for at most what was set aside', async () => {
  const terms = { unit: 'hal', ...costing('0.2', { count: 4 }), expiresInSeconds: 60 }
  const opened = await emitter.post('/v1/reservations', { id: 'v1', ...terms })
  expect(opened.status).toBe(201)
  expect(opened.body).toMatchObject({
    decision: 'accepted',
    budgets: [{ reserved: { epsilon: '0.8' }, remaining: { epsilon: '0.2' } }],
  })
  expect((await auditor.get<{ reservations: object[] }>('/v1/reservations?open')).body.reservations).toMatchObject([
    { id: 'v1', overdue: false },
  ])
  expect((await emitter.post('/v1/reservations/v1/settle', { count: 5 })).body).toMatchObject({
    status: 422,
    code: 'RESERVATION_EXCEEDED',
  })
  const settled = await emitter.post('/v1/reservations/v1/settle', { count: 3 })
  expect(settled.body).toMatchObject({ decision: 'accepted', state: 'settled', id: 'v1' })
  const again = await emitter.post('/v1/reservations/v1/settle', { count: '3' })
  expect([again.status, again.headers['idempotency-replayed'], again.body]).toEqual([200, 'true', settled.body])
  expect((await emitter.post('/v1/reservations/v1/settle', { count: 2 })).body).toMatchObject({
    status: 409,
    code: 'RESERVATION_CLOSED',
  })
  expect((await emitter.post('/v1/reservations/v1/release', { reason: 'no' })).body).toMatchObject({
    status: 409,
    code: 'RESERVATION_CLOSED',
  })
  expect((await auditor.get('/v1/units/hal/budgets')).body['budgets']).toMatchObject([
    { spent: { epsilon: '0.6' }, reserved: { epsilon: '0' } },
  ])
  expect((await auditor.get('/v1/reservations?open')).body['reservations']).toEqual([])
})

test('open reservations come in pages, oldest first, and never more at once than a page holds', async () => {
  type Page = { reservations: { id: string; seq: number }[]; next: number | null; count: number }
  const ids = Array.from({ length: 105 }, (_, index) => `page-${index}`)
  for (const id of ids) {
    await emitter.post('/v1/reservations', { id, unit: id, ...costing('0.1'), expiresInSeconds: 60 })
  }
  const whole = await auditor.get<Page>('/v1/reservations?open')
  expect([whole.body.reservations.length, whole.body.count]).toEqual([100, 105])
  const walked: string[] = []
  for (let next: number | null = -1; next !== null; ) {
    const { body }: { body: Page } = await auditor.get<Page>(
      `/v1/reservations?open&limit=35${next < 0 ? '' : `&after=${next}`}`,
    )
    expect(body.reservations.length).toBe(35)
    expect(body.next).toBe(walked.length === 70 ? null : body.reservations.at(-1)?.seq)
    walked.push(...body.reservations.map(({ id }) => id))
    next = body.next
  }
  expect(walked).toEqual(ids)
  for (const query of ['limit=0', 'limit=1001', 'after=-1', 'open=no', 'from=1'])
    expect((await auditor.get(`/v1/reservations?${query}`)).status).toBe(422)
  for (const id of ids) await emitter.post(`/v1/reservations/${id}/release`, { reason: 'tested' })
  expect((await auditor.get<Page>('/v1/reservations?open')).body).toMatchObject({
    reservations: [],
    next: null,
    count: 0,
  })
})

test('a settle may name the release that really ran', async () => {
  await emitter.post('/v1/reservations', { id: 'v2', unit: 'ida', ...costing('0.5'), expiresInSeconds: 60 })
  const reply = await emitter.post('/v1/reservations/v2/settle', costing('0.1'))
  expect(reply.status).toBe(200)
  expect((await auditor.get('/v1/units/ida/budgets')).body['budgets']).toMatchObject([{ spent: { epsilon: '0.1' } }])
})

test('what is released is free again, and only its own source can release it', async () => {
  await emitter.post('/v1/reservations', { id: 'v3', unit: 'jon', ...costing('0.5'), expiresInSeconds: 60 })
  const stranger = await edge.as('emitter', 'other')
  expect((await stranger.post('/v1/reservations/v3/release', { reason: 'mine' })).status).toBe(404)
  expect((await emitter.post('/v1/reservations/v3/release', { reason: 'the run was cancelled' })).body).toMatchObject({
    state: 'released',
  })
  expect((await auditor.get('/v1/units/jon/budgets')).body['budgets']).toMatchObject([
    { spent: { epsilon: '0' }, reserved: { epsilon: '0' } },
  ])
})

test('what expires counts as spent at once, and is closed', async () => {
  await emitter.post('/v1/reservations', { id: 'v4', unit: 'kim', ...costing('0.5'), expiresInSeconds: 1 })
  await sleep(1_100)
  const before = edge.head
  expect((await auditor.get('/v1/units/kim/budgets')).body['budgets']).toMatchObject([
    { spent: { epsilon: '0.5' }, reserved: { epsilon: '0' } },
  ])
  expect((await auditor.get<{ reservations: object[] }>('/v1/reservations?open')).body.reservations).toMatchObject([
    { id: 'v4', overdue: true },
  ])
  expect(edge.head).toBe(before)
  expect((await emitter.post('/v1/reservations/v4/settle', { count: 1 })).body).toMatchObject({
    status: 409,
    code: 'RESERVATION_CLOSED',
  })
})

test('a delta of its own cannot be reserved on a zcdp budget', async () => {
  await edge.policy({
    id: 'z',
    metric: 'zcdp',
    scope: ['dataset'],
    role: 'quota',
    delta: '1e-5',
    deltaForSpends: '5e-6',
  })
  const terms = { unit: 'leo', dataset: 'd', mechanism: 'declared_approx', epsilon: '0.1', delta: '1e-9' }
  const reply = await emitter.post('/v1/reservations', { id: 'v5', ...terms, expiresInSeconds: 60 })
  expect([reply.status, reply.body['code']]).toEqual([422, 'DELTA_NOT_RESERVABLE'])
})

test('the history of a unit comes in pages, oldest first', async () => {
  for (let index = 0; index < 5; index++)
    await emitter.post('/v1/spends', { id: `h${index}`, unit: 'mia', ...costing('0.1') })
  type Page = { spends: { id: string }[]; next: number | null }
  const first = await auditor.get<Page>('/v1/units/mia/spends?limit=3')
  const rest = await auditor.get<Page>(`/v1/units/mia/spends?limit=3&after=${first.body.next}`)
  expect([...first.body.spends, ...rest.body.spends].map(({ id }) => id)).toEqual(['h0', 'h1', 'h2', 'h3', 'h4'])
  expect(first.body.spends[0]).toMatchObject({
    decision: 'accepted',
    charges: [{ policy: 'units', cost: { epsilon: '0.1' } }],
  })
  expect(rest.body.next).toBeNull()
})

test('a name with any characters that may stand in it finds its way through the path', async () => {
  const unit = 'a/b ü%☃?#&'
  await emitter.post('/v1/spends', { id: 'odd', unit, ...costing('0.1') })
  const reply = await auditor.get(`/v1/units/${encodeURIComponent(unit)}/budgets`)
  expect(reply.body).toMatchObject({ unit, budgets: [{ key: unit, spent: { epsilon: '0.1' } }] })
})
