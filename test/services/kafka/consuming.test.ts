import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer } from 'kafkajs'
import { afterEach, expect, onTestFinished, test } from 'vitest'
import { ends } from '../../../src/kafka/tail.js'
import { KafkaBroker } from '../../support/kafka-broker.js'
import { withServer } from '../with-server.js'
import { emit, PRICE, Stage, type StoredRecord, spendOf } from './stage.js'
import { deleteBelow, transact } from './topic.js'

const broker = withServer(() => KafkaBroker.start())
const stages: Stage[] = []

afterEach(async () => {
  for (const stage of stages.splice(0)) await stage.close()
})

const open = async (options: Parameters<typeof Stage.open>[1] = {}): Promise<Stage> => {
  const stage = await Stage.open(broker(), options)
  stages.push(stage)
  return stage
}

interface TopicsBody {
  readonly published: { readonly journal: number; readonly decisions: number }
  readonly position: { readonly seq: number }
  readonly group: string
  readonly partitions: readonly {
    readonly partition: number
    readonly next: string
    readonly standing: string
    readonly why?: { readonly code: string; readonly from?: string; readonly to?: string }
  }[]
}

const topicsOf = async (stage: Stage): Promise<TopicsBody> =>
  (await (await stage.service.as('operator')).get<TopicsBody>('/v1/topics')).body

const until = async <Value>(
  read: () => Promise<Value | undefined>,
  what: string,
  withinMs = 180_000,
): Promise<Value> => {
  const deadline = performance.now() + withinMs
  for (;;) {
    const value = await read()
    if (value !== undefined) return value
    if (performance.now() > deadline) throw new Error(`${what} did not come within ${withinMs} ms`)
    await sleep(200)
  }
}

const spentBy = (records: readonly StoredRecord[]): bigint =>
  BigInt(records.filter(({ type }) => type === 'SpendAccepted').length) * PRICE

const spends = (count: number, name = 's') =>
  Array.from({ length: count }, (_, index) => spendOf(`${name}-${index}`, `unit-${index % 50}`))

test('the whole topic again, under another group and with a fresh state, charges nothing', async () => {
  const stage = await open()
  await emit(stage, spends(500))
  await stage.decided(500)
  const before = await stage.records()
  await stage.service.stop()
  stage.service = await stage.service.restart({ environment: { ...stage.environment, EPSILON_KAFKA_GROUP: 'other' } })
  await emit(stage, [spendOf('last', 'unit-0')])
  await stage.decided(501)
  expect((await topicsOf(stage)).group).toMatch(/^other-/)
  expect(await stage.decisions()).toBe(501)
  expect(spentBy(await stage.records())).toBe(spentBy(before) + PRICE)
})

test('the same requests sent again get their first answers, and charge nothing', async () => {
  const stage = await open()
  await emit(stage, spends(100))
  await stage.decided(100)
  await emit(stage, spends(100))
  await emit(stage, [spendOf('last', 'unit-0')])
  await stage.decided(101)
  const repeats = await until(async () => {
    const sent = await stage.messages('decisions')
    const again = sent.filter(({ headers }) => headers['epsilon_repeat'] === 'true')
    return new Set(again.map(({ headers }) => headers['ce_subject'])).size === 100 ? sent : undefined
  }, 'an answer to every repeat')
  const values = new Map<string, string>()
  for (const { headers, value } of repeats) {
    const id = headers['ce_id'] as string
    expect(values.get(id) ?? String(value)).toBe(String(value))
    values.set(id, String(value))
  }
  expect(values.size).toBe(101)
})

test('two ledgers share a topic, each decides its own partitions, whoever joins and leaves their groups', async () => {
  const one = await open({ environment: { EPSILON_KAFKA_PARTITIONS: '0-2' } })
  const two = await one.beside({ EPSILON_KAFKA_PARTITIONS: '3-5' })
  stages.push(two)
  const emitting = emit(one, spends(20_000))
  for (let round = 0; round < 3; round++) {
    for (const stage of [one, two]) await disturb(stage, (await topicsOf(stage)).group)
  }
  await emitting
  await until(
    async () => ((await one.decisions()) + (await two.decisions()) >= 20_000 ? true : undefined),
    'all decisions',
  )
  const records = [await one.records(), await two.records()].map((all) =>
    all.filter(({ type }) => type === 'SpendAccepted' || type === 'SpendRefused'),
  )
  const [first = [], second = []] = records
  expect(new Set(first.map(({ cause }) => cause.partition))).toEqual(new Set([0, 1, 2]))
  expect(new Set(second.map(({ cause }) => cause.partition))).toEqual(new Set([3, 4, 5]))
  expect(first.length + second.length).toBe(20_000)
  expect(new Set([...first, ...second].map(({ data }) => data.id)).size).toBe(20_000)
})

/** Another member takes some partitions for a moment, and takes no message. */
const disturb = async (stage: Stage, groupId: string): Promise<void> => {
  const consumer: Consumer = stage.broker.client().consumer({ groupId, sessionTimeout: 10_000, maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic: stage.clients.topic('spends') })
  const joined = new Promise<void>((resolve) => consumer.on(consumer.events.GROUP_JOIN, () => resolve()))
  await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async () => {} })
  await joined
  await sleep(500)
  await consumer.disconnect()
}

/** Joins the group as a member that is given partitions first, until the end of the test. */
const intrude = async (stage: Stage): Promise<void> => {
  const { group: groupId } = await topicsOf(stage)
  const consumer = stage.broker.client({ clientId: 'a' }).consumer({ groupId, maxWaitTimeInMs: 100 })
  onTestFinished(() => consumer.disconnect())
  await consumer.connect()
  await consumer.subscribe({ topic: stage.clients.topic('spends') })
  await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async () => {} })
}

test('a partition that another member of the group has is named, and the rest goes on', async () => {
  const stage = await open({ partitions: 2 })
  await intrude(stage)
  await until(async () => {
    const standings = (await topicsOf(stage)).partitions.map(({ standing }) => standing)
    return standings.join() === 'running,elsewhere' ? true : undefined
  }, 'a partition elsewhere')
  await emit(stage, spends(100))
  const operator = await stage.service.as('operator')
  await until(async () => ((await operator.get('/health/ready')).status === 200 ? true : undefined), 'readiness')
  await until(async () => ((await stage.decisions()) > 0 ? true : undefined), 'decisions of the other partition')
  const { partitions } = await topicsOf(stage)
  expect(partitions.at(-1)?.why?.code).toBe('PARTITIONS_ELSEWHERE')
  expect(stage.service.output).toMatch(/another member of this group has partitions \d,/)
})

test('partitions that are added are read within seconds, and nobody else is said to have them', async () => {
  const stage = await open({ partitions: 1 })
  const admin = stage.broker.client().admin()
  await admin.connect()
  await admin.createPartitions({ topicPartitions: [{ topic: stage.clients.topic('spends'), count: 4 }] })
  await admin.disconnect()
  await emit(stage, spends(100))
  // The client alone would look for them after five minutes.
  await stage.decided(100, 120_000)
  await until(async () => {
    const standings = (await topicsOf(stage)).partitions.map(({ standing }) => standing)
    return standings.join() === 'running,running,running,running' ? true : undefined
  }, 'four partitions that run')
  expect(stage.service.output).not.toContain('another member')
})

test('a ledger whose every partition is elsewhere is not ready', async () => {
  const stage = await open({ partitions: 1 })
  await intrude(stage)
  const operator = await stage.service.as('operator')
  const ready = await until(async () => {
    const reply = await operator.get('/health/ready')
    return reply.text.includes('PARTITIONS_ELSEWHERE') ? reply : undefined
  }, 'the reason')
  expect([ready.status, ready.text]).toEqual([503, expect.stringContaining('partitions 0: held by another member')])
})

test('where every decision has expired, a start sends the last of them again, and not all', async () => {
  const stage = await open({ epsilon: '10' })
  await emit(stage, spends(12_000))
  await stage.decided(12_000)
  const decisions = stage.clients.topic('decisions')
  const published = async (): Promise<number | undefined> => {
    const { published, position } = await topicsOf(stage)
    return published.decisions >= position.seq ? published.decisions : undefined
  }
  await until(published, 'all decisions')
  const note = await until(
    async () =>
      (await stage.records()).find(({ type, data }) => type === 'OffsetsRecorded' && data['topic'] === decisions),
    'the note of how far decisions have gone out',
  )
  expect(Number(note.data['next'])).toBeGreaterThan(10_000)
  await stage.service.stop()
  for (const [partition, { high }] of await ends(stage.clients, decisions))
    await deleteBelow(stage.broker, decisions, partition, high)
  await stage.restart()
  await until(published, 'what was not noted')
  const again = new Set((await stage.messages('decisions')).map(({ headers }) => Number(headers['ce_id']?.slice(2))))
  const lacking = (await stage.records()).filter(
    ({ type, seq }) => type === 'SpendAccepted' && seq >= Number(note.data['next']) && !again.has(seq),
  )
  expect(lacking).toEqual([])
  expect(again.size).toBeLessThan(3_000)
})

test('messages that were deleted before they were applied stop their partition until two people decide', async () => {
  const stage = await open({ partitions: 2 })
  await stage.service.stop()
  const topic = stage.clients.topic('spends')
  await emit(stage, spends(200))
  await deleteBelow(stage.broker, topic, 0, 10n)
  stage.service = await stage.service.restart({ untilReady: false })
  const lost = await until(async () => {
    const { partitions } = await topicsOf(stage)
    return partitions.find(({ standing }) => standing === 'lost')
  }, 'the lost range')
  expect(lost).toMatchObject({ partition: 0, why: { code: 'LOG_START_BEYOND', from: '0', to: '9' } })
  const operator = await stage.service.as('operator')
  const ready = await operator.get('/health/ready')
  expect([ready.status, ready.text]).toEqual([503, expect.stringContaining('offsets 0 to 9')])
  await until(async () => ((await stage.decisions()) > 50 ? true : undefined), 'the other partition')
  const path = `/v1/topics/${topic}/partitions/0/reset`
  await operator.post(path, { to: '10', reason: 'the ten are gone' })
  await (await stage.service.as('approver')).post(`${path}/approve`, { to: '10' })
  await stage.decided(190)
  await until(async () => ((await operator.get('/health/ready')).status === 200 ? true : undefined), 'readiness')
})

test('a topic that was made anew is refused, even where it has grown beyond the old offset', async () => {
  const stage = await open({ partitions: 1 })
  await emit(stage, spends(50))
  await stage.decided(50)
  await stage.service.stop()
  await stage.recreateSpends()
  await emit(stage, spends(80, 'other'))
  stage.service = await stage.service.restart({ untilReady: false })
  const lost = await until(async () => {
    const { partitions } = await topicsOf(stage)
    return partitions.find(({ standing }) => standing === 'lost')
  }, 'the lost range')
  expect(lost.why).toMatchObject({ code: 'TOPIC_EXCHANGED', from: '0', to: '49' })
  expect(await stage.decisions()).toBe(50)
})

test('a halt holds messages back, and loses none', async () => {
  const stage = await open()
  const operator = await stage.service.as('operator')
  await operator.post('/v1/halt', { reason: 'somebody looks into it' })
  await emit(stage, spends(30))
  await until(async () => {
    const { partitions } = await topicsOf(stage)
    return partitions.some(({ standing }) => standing === 'waiting') ? true : undefined
  }, 'waiting partitions')
  expect(await stage.decisions()).toBe(0)
  await operator.post('/v1/resume', { reason: 'all is well' })
  await stage.decided(30)
})

test('committed messages of transactions are decided once, and the marks between them are no gaps', async () => {
  const stage = await open({ partitions: 1 })
  const topic = stage.clients.topic('spends')
  const of = (name: string, end: 'commit' | 'abort') => ({ messages: spends(5, name), end })
  await transact(stage.broker, topic, [of('a', 'commit'), of('b', 'abort'), of('c', 'commit')])
  await emit(stage, spends(5, 'plain'))
  await stage.decided(15)
  const records = (await stage.records()).filter(({ type }) => type === 'SpendAccepted')
  const ids = records.map(({ data }) => data.id)
  for (const name of ['a', 'c', 'plain'])
    for (const { headers } of spends(5, name)) expect(ids).toContain(headers?.['ce_id'])
  expect(records.filter(({ cause }) => cause.transactional)).toHaveLength(10)
  expect((await topicsOf(stage)).partitions[0]).toMatchObject({ standing: 'running' })
})

test('bytes that nobody can read are kept, recorded, and hold up nothing', async () => {
  const stage = await open()
  await emit(stage, [{ key: 'k', value: 'no event at all' }, { key: 'k', value: null }, spendOf('good', 'unit-1')])
  await stage.decided(1)
  const operator = await stage.service.as('operator')
  await until(async () => {
    const { body } = await operator.get<{ quarantine: readonly { seq: number }[] }>('/v1/quarantine')
    return body.quarantine.length === 2 ? true : undefined
  }, 'both in quarantine')
  const dead = await stage.messages('dead-letter')
  expect(dead.map(({ value }) => (value === null ? null : String(value)))).toEqual(['no event at all', null])
})

test('an answer over HTTP waits for the journal where that is asked for', async () => {
  const stage = await open({ environment: { EPSILON_ACK: 'journal' } })
  const token = await stage.service.createToken('emitter', 'trainer')
  const emitter = stage.service.client(token)
  const spend = (id: string) =>
    emitter.post('/v1/spends', { id, unit: 'u', mechanism: 'laplace', noiseMultiplier: '100' })
  expect((await spend('first')).status).toBe(201)
  stage.broker.freeze()
  let answered = false
  const second = spend('second').then((reply) => {
    answered = true
    return reply
  })
  await sleep(1_000)
  expect(answered).toBe(false)
  stage.broker.thaw()
  const { status, body } = await second
  expect(status).toBe(201)
  const journal = await stage.messages('journal')
  const { seq } = body['receipt'] as { seq: number }
  expect(journal.some(({ headers }) => Number(headers['first']) <= seq && seq <= Number(headers['last']))).toBe(true)
})
