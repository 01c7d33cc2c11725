import { randomUUID } from 'node:crypto'
import {
  BACKWARDS,
  binaryEvent,
  END,
  type EventData,
  EventStoreDBClient,
  NO_STREAM,
  START,
} from '@eventstore/db-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
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
  for await (const { event } of subscription) {
    told.push(Buffer.from(event?.data as Uint8Array).toString())
    if (told.includes('c')) break
  }
  await subscription.unsubscribe()
  expect(told).toEqual(['a', 'b', 'caught up', 'c'])
})

test('the last event is read backwards from the end', async () => {
  const stream = randomUUID()
  await client.appendToStream(stream, [event('a'), event('b')], { expectedRevision: NO_STREAM })
  const options = { direction: BACKWARDS, fromRevision: END, maxCount: 1 } as const
  for await (const { event } of client.readStream(stream, options)) expect(event?.revision).toBe(1n)
})
