import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { MemoryStore } from '../../../src/adapters/memory-store.js'
import { emptyRegistry } from '../../../src/budget/registry.js'
import type { BudgetState } from '../../../src/budget/state.js'
import { journalMessage } from '../../../src/kafka/journal-message.js'
import { StartGate } from '../../../src/kafka/start-gate.js'
import { mendTopics } from '../../../src/kafka/topics.js'
import { KafkaBroker } from '../../support/kafka-broker.js'
import { blocksOf } from '../../support/logs.js'
import { PostgresServer } from '../../support/postgres-server.js'
import { runWith, Service } from '../../support/service.js'
import { withServer } from '../with-server.js'
import { emit, Stage, spendOf } from './stage.js'
import { clientsOf, fill } from './topic.js'

const broker = withServer(() => KafkaBroker.start())
const postgres = withServer(() => PostgresServer.start())

const UNITS = 40
const EACH = 1_000

const spends = (name: string) =>
  Array.from({ length: EACH }, (_, index) => spendOf(`${name}-${index}`, `unit-${index % UNITS}`))

/** Two instances of one ledger, with the partitions that each takes. */
const open = async (one: string, other: string): Promise<readonly [Stage, Service]> => {
  const shared = { EPSILON_STORE: 'postgres', EPSILON_POSTGRES_URL: postgres().url, EPSILON_LEDGER: randomUUID() }
  const environment = { ...shared, EPSILON_KAFKA_PARTITIONS: one }
  const stage = await Stage.open(broker(), { partitions: 4, epsilon: '100', environment })
  onTestFinished(() => stage.close())
  const beside = await Service.start({ environment: { ...stage.environment, EPSILON_KAFKA_PARTITIONS: other } })
  onTestFinished(() => beside.remove())
  return [stage, beside]
}

interface TopicsBody {
  readonly published: { readonly journal: number; readonly decisions: number }
  readonly position: { readonly seq: number }
}

/** Waits until an instance has sent all that there is. */
const published = async (service: Service, token: string | undefined): Promise<void> => {
  const operator = service.client(token)
  for (;;) {
    const { body } = await operator.get<TopicsBody>('/v1/topics')
    if (Math.min(body.published.journal, body.published.decisions) >= body.position.seq) return
    await sleep(100)
  }
}

test.each([
  ['the same partitions', '0,1,2,3', '0,1,2,3'],
  ['partitions of their own', '0,1', '2,3'],
])('two instances of one ledger with %s decide every message once, also where one is killed', async (_, one, other) => {
  const [stage, beside] = await open(one, other)
  await emit(stage, spends('first'))
  await stage.decided(EACH)
  const emitting = emit(stage, spends('second'))
  await stage.decided(EACH + 1)
  await beside.kill()
  await emitting
  const again = await beside.restart()
  onTestFinished(() => again.remove())
  await stage.decided(2 * EACH)
  const { token } = await stage.service.as('operator')
  for (const service of [stage.service, again]) await published(service, token)

  const records = await stage.records()
  const places = records.flatMap(({ cause }) => (cause.kind === 'kafka' ? [`${cause.partition}-${cause.offset}`] : []))
  expect(places).toHaveLength(2 * EACH)
  expect(new Set(places).size).toBe(2 * EACH)
  const decided = new Map(
    (await stage.messages('decisions')).map(({ headers }) => [headers['ce_id'], headers['ce_subject']]),
  )
  expect([...decided.values()].sort()).toEqual([...spends('first'), ...spends('second')].map(idOf).sort())
  expect(await journalled(stage)).toBe(records.length)
  await again.stop()
  await stage.service.stop()
  expect(await runWith(stage.environment, 'verify', '--data', stage.service.data)).toMatchObject({ code: 0 })
})

test('after a shared store is restored, nothing is decided before what every instance takes is charged', async () => {
  const [stage, beside] = await open('0,1', '2,3')
  await emit(stage, spends('first'))
  await stage.decided(EACH)
  const ledger = stage.environment['EPSILON_LEDGER']
  const rows = `FROM epsilon_blocks WHERE ledger = '${ledger}/0'`
  const kept = (await postgres().run('psql', ['-Atc', `SELECT max(last) ${rows}`])).trim()
  await emit(stage, spends('second'))
  await stage.decided(2 * EACH)
  const { token } = await stage.service.as('operator')
  for (const service of [stage.service, beside]) await published(service, token)
  for (const service of [stage.service, beside]) await service.kill()
  await emit(stage, spends('unknown'))
  await postgres().run('psql', ['-c', `DELETE ${rows} AND last > ${kept}`])

  stage.service = await stage.service.restart({ untilReady: false })
  const operator = await stage.service.as('operator')
  const unready = async () => (await operator.get('/health/ready')).text
  for (let waited = 0; !/offset|200/.test(await unready()) && waited < 1_800; waited++) await sleep(100)
  await sleep(2_000)
  expect(await unready()).toMatch(/RECOVERING.*partition [23] of/)
  const again = await beside.restart()
  onTestFinished(() => again.remove())
  for (let waited = 0; (await operator.get('/health/ready')).status !== 200 && waited < 1_800; waited++)
    await sleep(100)
  const fates = (await stage.records()).flatMap(({ type, data }) => (data.id?.startsWith('unknown-') ? [type] : []))
  expect(fates).toEqual(new Array(EACH).fill('SpendReported'))
})

test('a journal that another instance begins while this one starts is not taken for a replaced one', async () => {
  const clients = clientsOf([broker()])
  await mendTopics(clients, 1)
  const store = new MemoryStore()
  const blocks = blocksOf(2)
  await store.append(blocks, undefined)
  const gate = new StartGate(clients, () => {})
  await gate.atStart('ours', store, { seen: { position: undefined, path: '' }, stamp: (at) => at, progress: () => {} })
  const state = { offset: () => ({ next: 1n, digest: null }), registry: emptyRegistry } as unknown as BudgetState
  await expect(gate.accept(state, 1)).rejects.toMatchObject({ code: 'JOURNAL_REPLACED' })
  await fill(
    broker(),
    clients.topic('journal'),
    blocks.map((block) => journalMessage('ours', block)),
  )
  await gate.accept(state, 1)
  expect(gate.compared).toMatchObject({ journalled: { seq: 1 }, high: 1n })
})

const idOf = ({ headers }: ReturnType<typeof spendOf>): string => String(headers?.['ce_id'])

/** How many records the journal has, each counted once; they must follow one another. */
const journalled = async (stage: Stage): Promise<number> => {
  let next = 0
  for (const { headers } of await stage.messages('journal')) {
    if (Number(headers['first']) === next) next = Number(headers['last']) + 1
  }
  return next
}
