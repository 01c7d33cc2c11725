import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { ends } from '../../../src/kafka/tail.js'
import { KafkaBroker } from '../../support/kafka-broker.js'
import { withServer } from '../with-server.js'
import { emit, Stage, spendOf } from './stage.js'
import { deleteBelow, deleteTopic, fill } from './topic.js'

const broker = withServer(() => KafkaBroker.start())

const UNITS = 10
const spends = (count: number, name: string) =>
  Array.from({ length: count }, (_, index) => spendOf(`${name}-${index}`, `unit-${index % UNITS}`))

const open = async (): Promise<Stage> => {
  const stage = await Stage.open(broker(), { epsilon: '100' })
  onTestFinished(() => stage.close())
  return stage
}

/** Stops the service, and takes a copy of its data directory; what it gives puts the copy back. */
const backUp = async (stage: Stage): Promise<() => void> => {
  await stage.service.stop()
  const copy = join(mkdtempSync(join(tmpdir(), 'epsilon-ledger-copy-')), 'data')
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }))
  cpSync(stage.service.data, copy, { recursive: true })
  await stage.restart()
  return () => {
    rmSync(stage.service.data, { recursive: true })
    cpSync(copy, stage.service.data, { recursive: true })
  }
}

const spent = async (stage: Stage): Promise<readonly number[]> => {
  const operator = await stage.service.as('operator')
  const balances: number[] = []
  for (let unit = 0; unit < UNITS; unit++) {
    const { body } = await operator.get<{ budgets: { spent: { epsilon: string } }[] }>(`/v1/units/unit-${unit}/budgets`)
    balances.push(Number(body.budgets[0]?.spent.epsilon ?? 0))
  }
  return balances
}

/** Waits until so many reports are on record. */
const reported = async (stage: Stage, count: number): Promise<void> => {
  const operator = await stage.service.as('operator')
  for (let waited = 0; waited < 900; waited++) {
    const { body } = await operator.get<{ counts: Record<string, number> }>('/v1/ledger')
    if (body.counts['SpendReported'] === count) return
    await sleep(100)
  }
  throw new Error(`there are not ${count} reports:\n${stage.service.output}`)
}

/** Waits until journal and decisions have everything. */
const published = async (stage: Stage): Promise<void> => {
  const operator = await stage.service.as('operator')
  for (;;) {
    const { body } = await operator.get<{
      published: { journal: number; decisions: number }
      position: { seq: number }
    }>('/v1/topics')
    if (Math.min(body.published.journal, body.published.decisions) >= body.position.seq) return
    await sleep(100)
  }
}

test('an older copy gets back what it missed, and nobody gets anything refunded', async () => {
  const stage = await open()
  await emit(stage, spends(100, 'first'))
  await stage.decided(100)
  const putBack = await backUp(stage)
  await emit(stage, spends(100, 'second'))
  await stage.decided(200)
  const emitter = stage.service.client(await stage.service.createToken('emitter', 'analyst'))
  for (let index = 0; index < UNITS; index++) {
    const spend = { id: `http-${index}`, unit: `unit-${index}`, mechanism: 'laplace', noiseMultiplier: '10' }
    expect((await emitter.post('/v1/spends', spend)).status).toBe(201)
  }
  await published(stage)
  const before = await spent(stage)
  const lines = (await (await stage.service.as('operator')).get('/v1/records')).text
  await stage.service.kill()
  await emit(stage, spends(20, 'unknown'))
  putBack()
  await stage.restart()
  await reported(stage, 20)
  const after = (await (await stage.service.as('operator')).get('/v1/records')).text
  expect(after.startsWith(lines)).toBe(true)
  const records = await stage.records()
  const gap = records.find(({ type }) => type === 'GapDeclared')
  expect(gap).toMatchObject({ epoch: 1 })
  const undecided = records.filter(({ type, data }) => type === 'SpendReported' && data['undecided'] === true)
  expect(new Set(undecided.map(({ data }) => data.id))).toEqual(new Set(spends(20, 'unknown').map(idOf)))
  const seqs = records.map(({ seq }) => seq)
  expect(new Set(seqs).size).toBe(seqs.length)
  const now = await spent(stage)
  for (const [unit, amount] of before.entries()) expect(now[unit]).toBeCloseTo(amount + 0.02, 9)
  await emit(stage, spends(10, 'later'))
  await stage.decided(210)
  expect((await stage.verify()).code).toBe(0)
})

const idOf = ({ headers }: ReturnType<typeof spendOf>): string => String(headers?.['ce_id'])

test('an older copy whose journal was emptied or made anew is refused', async () => {
  const stage = await open()
  await emit(stage, spends(50, 'first'))
  await stage.decided(50)
  const putBack = await backUp(stage)
  await emit(stage, spends(50, 'second'))
  await stage.decided(100)
  await published(stage)
  await stage.service.kill()
  await deleteTopic(stage.broker, stage.clients.topic('journal'))
  await stage.makeTopics()
  putBack()
  await expect(stage.restart()).rejects.toThrow(/ended with 21[\s\S]*records? \d+/)
  await stage.service.kill()
})

/** The journal, and what decisions would say of it, are made anew. */
const loseJournalAndDecisions = async (stage: Stage): Promise<void> => {
  for (const name of ['journal', 'decisions'] as const) await deleteTopic(stage.broker, stage.clients.topic(name))
  await stage.makeTopics()
}

test('an older copy is refused where journal and decisions were both made anew', async () => {
  const stage = await open()
  await emit(stage, spends(20, 'first'))
  await stage.decided(20)
  await published(stage)
  const putBack = await backUp(stage)
  await emit(stage, spends(20, 'second'))
  await stage.decided(40)
  await stage.service.kill()
  await loseJournalAndDecisions(stage)
  putBack()
  await expect(stage.restart()).rejects.toThrow(/ended with 21[\s\S]*JOURNAL_REPLACED: the log says that /)
})

/** What the runbook says: without Kafka, an operator and an approver agree that the journal begins anew. */
const agreeOnNewJournal = async (stage: Stage): Promise<void> => {
  const alone = await stage.service.restart({ environment: {} })
  const path = `/v1/topics/${stage.clients.topic('journal')}/partitions/0/reset`
  const [operator, approver] = [await alone.as('operator'), await alone.as('approver')]
  expect((await operator.post('/v1/halt', { reason: 'the journal begins anew' })).status).toBe(200)
  expect((await operator.post(path, { to: '0', reason: 'the brokers burnt down' })).status).toBe(202)
  expect((await approver.post(`${path}/approve`, { to: '0' })).status).toBe(200)
  await alone.stop()
}

test('the newest log is served with topics that were made anew, once two people say so', async () => {
  const stage = await open()
  await emit(stage, spends(20, 'first'))
  await stage.decided(20)
  await published(stage)
  await stage.service.stop()
  await loseJournalAndDecisions(stage)
  await expect(stage.restart()).rejects.toThrow(/ended with 21[\s\S]*JOURNAL_REPLACED/)
  await agreeOnNewJournal(stage)
  await stage.restart()
  expect((await (await stage.service.as('operator')).post('/v1/resume', { reason: 'done' })).status).toBe(200)
  await emit(stage, spends(20, 'second'))
  await stage.decided(40)
  await published(stage)
  const records = await stage.records()
  expect(records.filter(({ type }) => type === 'GapDeclared')).toEqual([])
  const journal = (await stage.messages('journal')).map(({ headers }) => Number(headers['last']))
  expect(Math.max(...journal)).toBeGreaterThanOrEqual(records.at(-1)?.seq ?? Number.NaN)
  expect((await stage.messages('journal'))[0]?.headers['first']).toBe('0')
  expect((await stage.verify()).code).toBe(0)
  // It is known again that there is a journal.
  await loseJournalAndDecisions(stage)
  await expect(stage.restart()).rejects.toThrow(/ended with 21[\s\S]*JOURNAL_REPLACED/)
})

test('a ledger begins on a journal that others share and whose oldest messages are gone; its log alone does not', async () => {
  const stage = await open()
  await published(stage)
  await deleteBelow(stage.broker, stage.clients.topic('journal'), 0, 2n)
  const beside = await stage.beside({})
  onTestFinished(() => beside.close())
  await published(beside)
  const { high } = (await ends(beside.clients, beside.clients.topic('journal'))).get(0) ?? { high: 0n }
  await beside.service.stop()
  await stage.service.stop()
  await deleteBelow(stage.broker, stage.clients.topic('journal'), 0, high)
  await expect(beside.restart()).rejects.toThrow(/ended with 21[\s\S]*JOURNAL_EMPTIED/)
  await agreeOnNewJournal(beside)
  await beside.restart()
  await published(beside)
})

test('a stray message in the journal is passed and named; one that says that it is of this ledger has to be whole', async () => {
  const stage = await open()
  const journal = stage.clients.topic('journal')
  await emit(stage, spends(20, 'first'))
  await stage.decided(20)
  await published(stage)
  const putBack = await backUp(stage)
  await fill(stage.broker, journal, [{ value: 'hello' }])
  await emit(stage, spends(20, 'second'))
  await stage.decided(40)
  await published(stage)
  expect(stage.service.output).toContain("is no ledger's, and was passed")
  await stage.service.kill()
  putBack()
  await stage.restart()
  expect(stage.service.output).toMatch(/journal: 1 messages from offset \d+ to \d+ are no ledger's/)
  const { headers } = (await stage.messages('journal')).at(-1) ?? { headers: {} }
  await stage.service.stop()
  await fill(stage.broker, journal, [{ value: 'hello', headers }])
  await expect(stage.restart()).rejects.toThrow(/ended with 20[\s\S]*JOURNAL_BLOCK_DAMAGED/)
})

test('while no broker can be reached, nothing is decided that a copy could give out twice', async () => {
  const stage = await open()
  await stage.service.stop()
  await stage.broker.kill9()
  stage.service = await stage.service.restart({ untilReady: false, readyWithinMs: 180_000 })
  expect((await stage.service.client(undefined).get('/health/ready')).text).toContain('JOURNAL_UNCHECKED')
  const operator = await stage.service.as('operator')
  expect((await operator.get('/v1/ledger')).status).toBe(200)
  expect((await operator.post('/v1/halt', { reason: 'a test' })).status).toBe(503)
  await stage.broker.restart()
  for (let waited = 0; (await operator.get('/health/ready')).status !== 200 && waited < 900; waited++) await sleep(200)
  expect((await operator.post('/v1/halt', { reason: 'a test' })).status).toBe(200)
})
