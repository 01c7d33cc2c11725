import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  BACKWARDS,
  binaryEvent,
  END,
  type EventData,
  EventStoreDBClient,
  NO_STREAM,
  type ReadStreamOptions,
  START,
  WrongExpectedVersionError,
} from '@eventstore/db-client'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { KurrentDouble } from '../../support/kurrent/kurrent-double.js'

let double: KurrentDouble
let client: EventStoreDBClient
beforeAll(async () => {
  double = await KurrentDouble.start()
  client = EventStoreDBClient.connectionString(double.url)
})
afterAll(async () => {
  await client.dispose()
  await double.stop()
})

const event = (text: string): EventData => binaryEvent({ type: 't', data: Buffer.from(text) })

const texts = async (stream: string): Promise<readonly string[]> => {
  const found: string[] = []
  for await (const { event } of client.readStream(stream)) found.push(Buffer.from(event?.data as Uint8Array).toString())
  return found
}

test('what the client was told is there after a kill, and repeating it changes nothing', async () => {
  const stream = randomUUID()
  const first = [event('a'), event('b')]
  await client.appendToStream(stream, first, { expectedRevision: NO_STREAM })
  const { nextExpectedRevision } = await client.appendToStream(stream, event('c'), { expectedRevision: 1n })
  expect(nextExpectedRevision).toBe(2n)
  await double.kill9()
  await double.restart()
  expect(await texts(stream)).toEqual(['a', 'b', 'c'])
  const again = await client.appendToStream(stream, first, { expectedRevision: NO_STREAM })
  expect(again.nextExpectedRevision).toBe(1n)
  const stale = client.appendToStream(stream, event('d'), { expectedRevision: 1n })
  await expect(stale).rejects.toMatchObject({ type: 'wrong-expected-version', expectedVersion: 1n, actualVersion: 2n })
  expect(await texts(stream)).toEqual(['a', 'b', 'c'])
})

test('a subscription is told what was there, that it has caught up, and what comes then', async () => {
  const stream = randomUUID()
  await client.appendToStream(stream, [event('a'), event('b')], { expectedRevision: NO_STREAM })
  const told: string[] = []
  const subscription = client.subscribeToStream(stream, { fromRevision: START })
  subscription.on('caughtUp', () => {
    told.push('caught up')
    void client.appendToStream(stream, event('c'), { expectedRevision: 1n })
  })
  for await (const { event: next } of subscription) {
    told.push(Buffer.from(next?.data as Uint8Array).toString())
    if (told.at(-1) === 'c') await client.appendToStream(stream, event('d'), { expectedRevision: 2n })
    if (told.at(-1) === 'd') break
  }
  await subscription.unsubscribe()
  expect(told).toEqual(['a', 'b', 'caught up', 'c', 'd'])
})

test('the last event is read backwards from the end', async () => {
  const stream = randomUUID()
  await client.appendToStream(stream, [event('a'), event('b')], { expectedRevision: NO_STREAM })
  const options = { direction: BACKWARDS, fromRevision: END, maxCount: 1 } as const
  for await (const { event } of client.readStream(stream, options)) expect(event?.revision).toBe(1n)
})

test('forwards from the end, or nothing at all, cannot be read', async () => {
  const stream = randomUUID()
  await client.appendToStream(stream, event('a'), { expectedRevision: NO_STREAM })
  for (const options of [{ fromRevision: END }, { maxCount: 0 }] satisfies ReadStreamOptions[])
    await expect(client.readStream(stream, options)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      type: 'unknown',
    })
})

test('killed three times under load it loses nothing that it has answered, and repeats leave nothing twice', async () => {
  const streams = Array.from({ length: 8 }, () => randomUUID())
  let ending = false
  let answers = 0
  const writeAll = async (stream: string): Promise<readonly string[]> => {
    const answered: string[] = []
    while (!ending) {
      const next = event(`${stream} ${answered.length}`)
      await until(() => appendAfter(stream, answered.length, next))
      answered.push(next.id)
      answers++
    }
    return answered
  }
  const writers = streams.map(writeAll)
  for (let kill = 0; kill < 3; kill++) {
    const before = answers
    await vi.waitFor(() => expect(answers).toBeGreaterThan(before + 100), { timeout: 120_000 })
    await double.kill9()
    await double.restart()
  }
  ending = true
  const answered = await Promise.all(writers)
  for (const [at, stream] of streams.entries()) expect(await until(() => ids(stream))).toEqual(answered[at])
})

/** Tries again through whatever a server that is down answers, but no other refusal. */
const until = async <Result>(attempt: () => Promise<Result>): Promise<Result> => {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (error instanceof WrongExpectedVersionError) throw error
      await sleep(20)
    }
  }
}

const appendAfter = (stream: string, count: number, next: EventData) =>
  client.appendToStream(stream, next, { expectedRevision: count === 0 ? NO_STREAM : BigInt(count - 1) })

const ids = async (stream: string): Promise<readonly string[]> => {
  const found: string[] = []
  for await (const { event } of client.readStream(stream)) found.push(event?.id as string)
  return found
}
