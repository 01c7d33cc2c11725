import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { KafkaBroker } from '../../support/kafka-broker.js'
import { withServer } from '../with-server.js'
import { emit, PRICE, type Sent, Stage, type StoredRecord, spendOf } from './stage.js'

/** KAFKA_SPENDS and KAFKA_KILLS change the run. */
const SPENDS = Number(process.env['KAFKA_SPENDS'] ?? '200000')
const KILLS = Number(process.env['KAFKA_KILLS'] ?? '20')
/** Each has room for 100 spends, and is asked for 125: some are refused. */
const UNITS = Math.ceil(SPENDS / 125)

const broker = withServer(() => KafkaBroker.start({ heapMiB: 512 }))

const unitOf = (index: number): string => `unit-${index % UNITS}`

test('whatever is killed, every spend is decided once, and nobody is charged twice', async () => {
  const stage = await Stage.open(broker())
  const messages = Array.from({ length: SPENDS }, (_, index) => spendOf(`s-${index}`, unitOf(index)))
  const emitting = emit(stage, messages)
  for (let kill = 1; kill <= KILLS; kill++) {
    await progress(stage)
    await sleep(Math.random() * 500)
    if (kill % Math.ceil(KILLS / 3) === 0) await killBoth(stage)
    else await stage.service.kill()
    await stage.restart()
    if (kill % 5 === 0) console.log(`${kill} kills: ${await stage.decisions()} of ${SPENDS} decided`)
  }
  await emitting
  await stage.decided(SPENDS, 600_000)
  const records = await stage.records()
  expectEachOnce(records)
  expectIndependentSum(records)
  expectPublished(await published(stage), records)
  const { code, stdout } = await stage.verify()
  expect({ code, stdout }).toMatchObject({ code: 0 })
  await stage.close()
})

/** A kill before anything was decided since the last one would show nothing. */
const progress = async (stage: Stage): Promise<void> => {
  const before = await stage.decisions()
  for (let waited = 0; waited < 15_000 && before < SPENDS; waited += 50) {
    if ((await stage.decisions()) > before) return
    await sleep(50)
  }
}

/** The broker goes first, so that the service meets its absence before its own end. */
const killBoth = async (stage: Stage): Promise<void> => {
  await stage.broker.kill9()
  await sleep(500)
  await stage.service.kill()
  await stage.broker.restart()
}

const decisionsIn = (records: readonly StoredRecord[]): readonly StoredRecord[] =>
  records.filter(({ type }) => type === 'SpendAccepted' || type === 'SpendRefused')

const expectEachOnce = (records: readonly StoredRecord[]): void => {
  const decisions = decisionsIn(records)
  expect(decisions.length).toBe(SPENDS)
  expect(new Set(decisions.map(({ data }) => data.id)).size).toBe(SPENDS)
  const offsets = decisions.map(({ cause }) => `${cause.partition} ${cause.offset}`)
  expect(new Set(offsets).size).toBe(SPENDS)
}

/** A unit has room for exactly 100: the first hundred that came are taken, and no more. */
const expectIndependentSum = (records: readonly StoredRecord[]): void => {
  const taken = new Map<string, bigint>()
  for (const { type, data } of decisionsIn(records)) {
    const { unit } = data['spend'] as { unit: string }
    if (type === 'SpendAccepted') taken.set(unit, (taken.get(unit) ?? 0n) + PRICE)
    else expect(taken.get(unit)).toBe(100n * PRICE)
  }
  for (let unit = 0; unit < UNITS; unit++) {
    const asked = BigInt(Math.ceil((SPENDS - unit) / UNITS))
    expect(taken.get(`unit-${unit}`)).toBe((asked < 100n ? asked : 100n) * PRICE)
  }
}

/** Waits until the last decision is on its topic. */
const published = async (stage: Stage): Promise<readonly Sent[]> => {
  for (let attempt = 0; ; attempt++) {
    const sent = await stage.messages('decisions')
    if (new Set(sent.map(({ headers }) => headers['ce_id'])).size >= SPENDS || attempt > 60) return sent
    await sleep(1_000)
  }
}

const expectPublished = (sent: readonly Sent[], records: readonly StoredRecord[]): void => {
  const first = new Map<string, Sent>()
  for (const message of sent) {
    const id = message.headers['ce_id'] as string
    if (!first.has(id)) first.set(id, message)
  }
  expect(first.size).toBe(SPENDS)
  for (const { seq, epoch, type, data } of decisionsIn(records)) {
    const message = first.get(`${epoch}-${seq}`)
    expect(message?.headers['ce_subject']).toBe(data.id)
    const { decision } = JSON.parse(String(message?.value)) as { decision: string }
    expect(decision).toBe(type === 'SpendAccepted' ? 'accepted' : 'refused')
  }
  expectInOrder([...first.values()])
}

/** Of one unit, whoever drops repeats sees the decisions in the order of their records. */
const expectInOrder = (sent: readonly Sent[]): void => {
  const last = new Map<string, number>()
  for (const { key, headers } of sent) {
    const seq = Number(headers['ce_id']?.split('-')[1])
    expect(seq).toBeGreaterThan(last.get(key) ?? -1)
    last.set(key, seq)
  }
}
