import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Ingest } from '../../src/application/ingest.js'
import type { Client } from '../support/client.js'
import { verifiedBlocks } from '../support/verified.js'
import { Edge, type Folder, temporaryData } from './edge.js'

let folder: Folder
let edge: Edge
let auditor: Client
let offset = 0

beforeAll(async () => {
  folder = temporaryData()
  edge = await Edge.open(folder.path)
  await edge.policy({ id: 'units' })
  auditor = await edge.as('auditor')
})

afterAll(async () => {
  await edge.close()
  folder.remove()
})

/** A message that nobody could read, as the consumer brings it. */
const quarantined = async (): Promise<number> => {
  const digest = '0'.repeat(32)
  const item: Ingest = {
    request: 'quarantine',
    message: { reason: 'NOT_JSON', detail: 'no JSON', bytes: 3, key: null },
    cause: { kind: 'kafka', topic: 'epsilon.spends', partition: 1, offset: String(offset++), digest },
  }
  const [outcome] = await edge.service.ledger.ingest([item])
  if (outcome?.kind !== 'decided') throw new Error(`the message was ${outcome?.kind}`)
  return outcome.answered.receipt.seq
}

interface Quarantine {
  readonly quarantine: readonly { readonly seq: number }[]
  readonly next: number | null
  readonly count: number
}

const waiting = async (query = ''): Promise<Quarantine> =>
  (await auditor.get<Quarantine>(`/v1/quarantine${query}`)).body

test('what nobody could account is listed in pages, with the place where it came from', async () => {
  const seqs = [await quarantined(), await quarantined(), await quarantined()]
  const first = await waiting('?limit=2')
  expect(first.quarantine).toMatchObject([
    { seq: seqs[0], reason: 'NOT_JSON', cause: { partition: 1 }, dismissal: null },
    { seq: seqs[1] },
  ])
  expect(first.next).toBe(seqs[1])
  const second = await waiting(`?limit=2&after=${first.next}`)
  expect(second.quarantine.map(({ seq }) => seq)).toEqual([seqs[2]])
  expect(second.next).toBeNull()
  expect([first.count, second.count]).toEqual([3, 3])
})

test('an operator charges what a message had spent, once', async () => {
  const seq = await quarantined()
  const charge = { source: 'trainer', id: 'lost-1', unit: 'u-1', mechanism: 'laplace', noiseMultiplier: '10' }
  const done = await edge.operator.post(`/v1/quarantine/${seq}`, { charge })
  expect([done.status, done.body]).toMatchObject([201, { id: 'lost-1', source: 'trainer', violation: false }])
  const { body } = await auditor.get<{ budgets: { spent: unknown }[] }>('/v1/units/u-1/budgets')
  expect(body.budgets[0]?.spent).toEqual({ epsilon: '0.1' })
  expect((await waiting()).quarantine.map((one) => one.seq)).not.toContain(seq)
  const again = await edge.operator.post(`/v1/quarantine/${seq}`, { charge: { ...charge, id: 'lost-2' } })
  expect([again.status, again.body['code']]).toEqual([404, 'NOT_FOUND'])
})

test('that a message was no spend takes two people', async () => {
  const seq = await quarantined()
  expect((await edge.approver.send('POST', `/v1/quarantine/${seq}/approve`)).body).toMatchObject({
    status: 412,
    code: 'PROPOSAL_MISMATCH',
  })
  const proposed = await edge.operator.post(`/v1/quarantine/${seq}`, { dismiss: { reason: 'a test message' } })
  expect([proposed.status, proposed.body]).toMatchObject([202, { quarantined: seq, status: 'proposed' }])
  expect((await waiting()).quarantine.at(-1)).toMatchObject({ seq, dismissal: { reason: 'a test message' } })
  expect((await edge.operator.send('POST', `/v1/quarantine/${seq}/approve`)).status).toBe(403)
  const approved = await edge.approver.send('POST', `/v1/quarantine/${seq}/approve`)
  expect([approved.status, approved.body]).toMatchObject([200, { quarantined: seq, status: 'dismissed' }])
  expect((await waiting()).quarantine.map((one) => one.seq)).not.toContain(seq)
})

test.each([
  [{}, 422],
  [{ charge: { source: 'a', id: 'b' }, dismiss: { reason: 'c' } }, 422],
  [{ dismiss: {} }, 422],
  [{ charge: { id: 'x', unit: 'u', mechanism: 'laplace', noiseMultiplier: '1' } }, 422],
  [{ charge: { source: 'a', id: 'x', unit: 'u', mechanism: 'unknown' } }, 422],
  [{ other: 1 }, 422],
])('a resolution of %j is answered with %i, and nothing is resolved', async (body, status) => {
  const seq = await quarantined()
  const { head } = edge
  expect((await edge.operator.post(`/v1/quarantine/${seq}`, body)).status).toBe(status)
  expect(edge.head).toBe(head)
})

test('what is wrong with a charge is named where it stands in the body', async () => {
  const charge = { source: 'a', id: 'x', unit: 'u', mechanism: 'laplace', noiseMultiplier: '-1' }
  const { body } = await edge.operator.post(`/v1/quarantine/${await quarantined()}`, { charge })
  expect(body).toMatchObject({ status: 422, errors: [{ pointer: '/charge/noiseMultiplier' }] })
})

test('a charge that is sent again gets its first answer', async () => {
  const seq = await quarantined()
  const charge = { source: 'trainer', id: 'lost-9', unit: 'u-9', mechanism: 'laplace', noiseMultiplier: '10' }
  const first = await edge.operator.post(`/v1/quarantine/${seq}`, { charge })
  const again = await edge.operator.post(`/v1/quarantine/${seq}`, { charge })
  expect([again.status, again.body, again.headers['idempotency-replayed']]).toEqual([201, first.body, 'true'])
})

test('a charge of more units than one record names is one decision, and the log verifies', async () => {
  const units = Array.from({ length: 120 }, (_, index) => `many-${index}`)
  const charge = { source: 'trainer', id: 'many', units, mechanism: 'laplace', noiseMultiplier: '10' }
  expect((await edge.operator.post(`/v1/quarantine/${await quarantined()}`, { charge })).status).toBe(201)
  const { fault } = await verifiedBlocks(edge.service.store)
  expect(fault, fault?.message).toBeUndefined()
})

test('where a partition goes on takes two people, who mean the same offset', async () => {
  const path = '/v1/topics/epsilon.spends/partitions/0/reset'
  const proposed = await edge.operator.post(path, { to: '120', reason: 'the messages are gone' })
  expect([proposed.status, proposed.body]).toMatchObject([
    202,
    { partition: 0, from: '0', to: '120', status: 'proposed' },
  ])
  const other = await edge.approver.post(`${path}/approve`, { to: '121' })
  expect([other.status, other.body['code']]).toEqual([412, 'PROPOSAL_MISMATCH'])
  const approved = await edge.approver.post(`${path}/approve`, { to: '120' })
  expect([approved.status, approved.body]).toMatchObject([200, { to: '120', status: 'approved' }])
  expect(edge.service.state.offset('epsilon.spends', 0)).toMatchObject({ next: 120n, digest: null })
  const { body } = await auditor.get('/v1/topics')
  expect(body).toMatchObject({ inUse: false, resets: [{ partition: 0, from: '0', to: '120', status: 'approved' }] })
})

test.each([
  ['/v1/topics/t/partitions/-1/reset', { to: '1', reason: 'r' }, 404],
  ['/v1/topics/t/partitions/x/reset', { to: '1', reason: 'r' }, 404],
  ['/v1/topics/a%20b/partitions/0/reset', { to: '1', reason: 'r' }, 404],
  [`/v1/topics/${'t'.repeat(250)}/partitions/0/reset`, { to: '1', reason: 'r' }, 404],
  ['/v1/topics/t/partitions/0/reset', { to: 1, reason: 'r' }, 422],
  ['/v1/topics/t/partitions/0/reset', { to: '-1', reason: 'r' }, 422],
  ['/v1/topics/t/partitions/0/reset', { to: '1' }, 422],
])('%s with %j is %i', async (path, body, status) => {
  expect((await edge.operator.post(path, body)).status).toBe(status)
})
