import { randomUUID } from 'node:crypto'
import { statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { binaryEvent, EventStoreDBClient, NO_STREAM, StreamNotFoundError } from '@eventstore/db-client'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { KurrentDouble } from '../../support/kurrent/kurrent-double.js'

let double: KurrentDouble
let client: EventStoreDBClient
beforeAll(async () => {
  double = await KurrentDouble.start()
  client = EventStoreDBClient.connectionString(double.url)
})
afterEach(() => double.behave())
afterAll(async () => {
  await client.dispose()
  await double.stop()
})

const event = () => binaryEvent({ id: randomUUID(), type: 't', data: Buffer.from('a') })
const append = (stream: string, events = [event()]) =>
  client.appendToStream(stream, events, { expectedRevision: NO_STREAM })
const count = async (stream: string, requiresLeader = false): Promise<number> => {
  let events = 0
  for await (const _ of client.readStream(stream, { requiresLeader })) events++
  return events
}
const exists = async (stream: string): Promise<boolean> => {
  try {
    return (await count(stream)) > 0
  } catch (error) {
    if (error instanceof StreamNotFoundError) return false
    throw error
  }
}

test('cut: the append is stored, and its connection ends instead of an answer', async () => {
  const stream = randomUUID()
  const events = [event()]
  await double.misbehave({ cut: 1 })
  await expect(append(stream, events)).rejects.toMatchObject({ type: 'unavailable', code: 14 })
  expect(await exists(stream)).toBe(true)
  expect((await append(stream, events)).nextExpectedRevision).toBe(0n)
})

test('mute: the append is stored and never answered, and the connection serves on', async () => {
  const stream = randomUUID()
  await double.misbehave({ mute: 1 })
  const unanswered = append(stream).then(() => 'answered')
  expect((await append(randomUUID())).success).toBe(true)
  expect(await exists(stream)).toBe(true)
  expect(await Promise.race([unanswered, append(randomUUID()).then(() => 'the next is')])).toBe('the next is')
})

test('hold: nothing is done or answered until it ends', async () => {
  const stream = randomUUID()
  await double.misbehave({ hold: true })
  const { size } = statSync(double.dataFile)
  let answers = 0
  const read = count(randomUUID()).catch(() => answers++)
  const appended = append(stream).then(() => answers++)
  await sleep(100)
  await double.misbehave({ hold: true, mute: 1 })
  await sleep(100)
  expect(answers).toBe(0)
  expect(statSync(double.dataFile).size).toBe(size)
  await double.behave()
  await Promise.all([appended, read])
  expect(await exists(stream)).toBe(true)
})

test('refuse: the answers of a server that is still starting, and nothing is stored', async () => {
  const stream = randomUUID()
  await double.misbehave({ refuse: true })
  const refused = { type: 'unknown', message: 'Could not recognize Server Is Not Ready' }
  await expect(append(stream)).rejects.toMatchObject(refused)
  await expect(exists(stream)).rejects.toMatchObject({ type: 'unavailable' })
  await double.behave()
  expect(await exists(stream)).toBe(false)
})

test('delay: answers come late and in order', async () => {
  await append(randomUUID())
  await double.misbehave({ delayMs: 50 })
  const from = performance.now()
  const order: number[] = []
  await Promise.all([1, 2, 3].map((number) => append(randomUUID()).then(() => order.push(number))))
  expect(order).toEqual([1, 2, 3])
  expect(performance.now() - from).toBeGreaterThanOrEqual(49)
})

test('leader: reads that require it are sent there, others and appends are not', async () => {
  const stream = randomUUID()
  await double.misbehave({ leader: { address: '127.0.0.1', port: double.port } })
  await append(stream)
  expect(await count(stream)).toBe(1)
  const leader = { address: '127.0.0.1', port: double.port }
  await expect(count(stream, true)).rejects.toMatchObject({ type: 'not-leader', leader })
})

test('a frozen server answers nothing, and does what it was asked when it goes on', async () => {
  const stream = randomUUID()
  await append(randomUUID())
  double.freeze()
  const late = append(stream)
  const early = sleep(100, 'no answer yet')
  expect(await Promise.race([late, early])).toBe('no answer yet')
  double.thaw()
  expect((await late).success).toBe(true)
})
