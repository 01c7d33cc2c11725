import { randomUUID } from 'node:crypto'
import { copyFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EventStoreDBClient } from '@eventstore/db-client'
import { expect, test, vi } from 'vitest'
import { eventOf } from '../../../src/adapters/eventstore-db/block-event.js'
import type { KurrentStore } from '../../../src/adapters/eventstore-db/kurrent-store.js'
import { type Block, type Position, positionOf } from '../../../src/ledger/block.js'
import { useDouble } from '../../adapters/eventstore-db/use-kurrent.js'
import { startChild } from '../../support/child.js'
import { blockAfter, collect } from '../../support/logs.js'

const server = useDouble()

/** What everybody sees who asks anew. */
const numbersIn = async (ledger: string): Promise<readonly number[]> =>
  (await collect((await server().open({ ledger })).read(0))).map(({ number }) => number)

test.each(['cut', 'mute'] as const)(
  'an append whose answer is lost (%s) is kept once, and then acknowledged',
  async (fault) => {
    const { ledger, store, head, next } = await server().begun({ patienceMs: 9_000 })
    await server().double.misbehave({ [fault]: 1 })
    expect(await store.append([next], head)).toEqual(positionOf(next))
    expect(await numbersIn(ledger)).toEqual([0, 1])
  },
)

test('every answer lost, one after the other: each append is kept once', async () => {
  const { ledger, store, head } = await server().begun()
  await server().double.misbehave({ cut: 30 })
  let at = head
  for (let round = 0; round < 15; round++) at = await store.append([blockAfter(at, 1)], at)
  await server().double.behave()
  expect(await numbersIn(ledger)).toEqual(Array.from({ length: 16 }, (_, number) => number))
})

test('an answer that is lost while somebody else goes on is found all the same, however much came after', async () => {
  const { ledger, store, head, next } = await server().begun()
  const { client } = server()
  const send = client.appendToStream.bind(client)
  const spy = vi.spyOn(client, 'appendToStream').mockImplementationOnce(async (...call) => {
    await send(...call)
    let at = positionOf(next)
    for (let round = 0; round < 20; round++) {
      const block = blockAfter(at, 1, 'later')
      await send(call[0], eventOf(call[0], block), { expectedRevision: BigInt(at.block) })
      at = positionOf(block)
    }
    throw new Error('the answer is lost')
  })
  expect(await store.append([next], head)).toEqual(positionOf(next))
  spy.mockRestore()
  expect(await numbersIn(ledger)).toHaveLength(22)
})

test('a server that is killed under an append, or is not there yet when it begins, has it once when it is back', async () => {
  const { ledger, store, head } = await server().begun()
  let at = head
  for (let round = 0; round < 3; round++) {
    if (round % 2 === 0) await server().double.misbehave({ mute: 1 })
    else await server().double.kill9()
    const block = blockAfter(at, 1)
    const appending = store.append([block], at)
    await sleep(20)
    await server().double.kill9()
    await server().double.restart()
    at = await appending
    expect(at).toEqual(positionOf(block))
  }
  expect(await numbersIn(ledger)).toEqual([0, 1, 2, 3])
})

test('the same event again, at the same revision and after a kill, is stored once: what every repeat relies on', async () => {
  const { ledger, store, head, next, stream } = await server().begun()
  await store.append([next], head)
  await server().double.kill9()
  await server().double.restart()
  const third = blockAfter(positionOf(next), 1)
  await store.append([third], positionOf(next))
  const again = await server().client.appendToStream(stream, eventOf(stream, next), { expectedRevision: 0n })
  expect(again.nextExpectedRevision).toBe(1n)
  expect(await numbersIn(ledger)).toEqual([0, 1, 2])
})

test('a server that is starting, hung, or ending in order is waited for', async () => {
  const { ledger, store, head } = await server().begun()
  const { double } = server()
  const troubles = [
    async () => {
      await double.misbehave({ refuse: true })
      return () => double.behave()
    },
    async () => {
      await double.misbehave({ hold: true })
      return () => double.behave()
    },
    async () => {
      double.freeze()
      return async () => double.thaw()
    },
    async () => {
      // Else it may still carry out what comes before it has taken notice of the signal.
      await double.misbehave({ hold: true })
      const ended = double.term()
      return async () => {
        await ended
        await double.restart()
      }
    },
  ]
  let at: Position = head
  for (const [index, trouble] of troubles.entries()) {
    const end = await trouble()
    const block = blockAfter(at, 1)
    const appending = store.append([block], at)
    let answered = false
    void appending.finally(() => {
      answered = true
    })
    await sleep(300)
    expect([index, answered]).toEqual([index, false])
    await end()
    at = await appending
  }
  expect(await numbersIn(ledger)).toEqual([0, 1, 2, 3, 4])
})

test('an append that is given up may be carried out later, so nobody is told that it was not', async () => {
  const { ledger, store, head, next } = await server().begun({ patienceMs: 3_000 })
  await server().double.misbehave({ hold: true })
  await expect(store.append([next], head)).rejects.toMatchObject({ code: 'APPEND_UNCERTAIN' })
  await expect(store.append([next], head)).rejects.toMatchObject({ code: 'APPEND_UNCERTAIN' })
  await server().double.behave()
  await vi.waitFor(async () => expect(await numbersIn(ledger)).toEqual([0, 1]), { timeout: 60_000 })
})

test('a server that is away for longer than anybody waits: STORE_UNREACHABLE, naming the hosts', async () => {
  const { store, head } = await server().begun({ patienceMs: 3_000 })
  await server().double.kill9()
  const unreachable = {
    code: 'STORE_UNREACHABLE',
    exitCode: 3,
    message: expect.stringContaining(server().url.slice(7, 20)),
  }
  try {
    await expect(store.head()).rejects.toMatchObject(unreachable)
    await expect(collect(store.read(0))).rejects.toMatchObject(unreachable)
    await expect(store.inspect()).rejects.toMatchObject(unreachable)
    await expect(server().open({ patienceMs: 3_000 })).rejects.toMatchObject(unreachable)
  } finally {
    await server().double.restart()
  }
  expect(await store.head()).toEqual(head)
})

test('a subscription goes on by itself after kills, with every block once', async () => {
  const { store, first, head } = await server().begun()
  const abort = new AbortController()
  const seen: Block[] = []
  const following = (async () => {
    for await (const block of store.subscribe(0, abort.signal)) seen.push(block)
  })()
  let at = head
  const blocks = [first]
  for (let round = 0; round < 3; round++) {
    for (let count = 0; count < 3; count++) {
      const block = blockAfter(at, 1)
      at = await store.append([block], at)
      blocks.push(block)
    }
    await server().double.kill9()
    await server().double.restart()
  }
  await vi.waitFor(() => expect(seen).toHaveLength(10), { timeout: 120_000 })
  abort.abort()
  await following
  expect(seen.map(({ leaf }) => leaf)).toEqual(blocks.map(({ leaf }) => leaf))
})

test('a subscription that is left, or whose store is closed, ends also while the server is away', async () => {
  const { ledger, store } = await server().begun()
  const other = await server().open({ ledger })
  const abort = new AbortController()
  const seen = { left: 0, closed: 0 }
  const count = async (which: keyof typeof seen, from: KurrentStore, signal: AbortSignal): Promise<void> => {
    for await (const _ of from.subscribe(0, signal)) seen[which]++
  }
  const ends = [count('left', store, abort.signal), count('closed', other, new AbortController().signal)]
  await vi.waitFor(() => expect(seen).toEqual({ left: 1, closed: 1 }), { timeout: 60_000 })
  await server().double.kill9()
  await sleep(100)
  abort.abort()
  await other.close()
  try {
    await Promise.all(ends)
    expect(seen).toEqual({ left: 1, closed: 1 })
  } finally {
    await server().double.restart()
  }
})

test('a read goes on where a kill has broken it', async () => {
  const { store, head } = await server().begun()
  let at = head
  for (let round = 0; round < 100; round++) at = await store.append([blockAfter(at, 1)], at)
  const seen: number[] = []
  for await (const { number } of store.read(0)) {
    if (number === 10) {
      await server().double.kill9()
      setTimeout(() => void server().double.restart(), 100)
    }
    seen.push(number)
  }
  expect(seen).toEqual(Array.from({ length: 101 }, (_, number) => number))
})

test('a server whose data were replaced by an older copy says so by its head, and takes nothing that follows more', async () => {
  const { ledger, store, head, next } = await server().begun()
  const { double } = server()
  await double.term()
  copyFileSync(double.dataFile, `${double.dataFile}.copy`)
  await double.restart()
  await store.append([next], head)
  await double.term()
  copyFileSync(`${double.dataFile}.copy`, double.dataFile)
  await double.restart()
  expect(await store.head()).toEqual(head)
  // The stream is sound in itself: whoever has seen more knows better.
  expect(await store.inspect()).toBeUndefined()
  const third = blockAfter(positionOf(next), 1)
  for (const one of [store, await server().open({ ledger })]) {
    await expect(one.append([third], positionOf(next))).rejects.toMatchObject({ code: 'APPEND_CONFLICT', head })
  }
  expect(await numbersIn(ledger)).toEqual([0])
})

test('a process has one client that appends, whatever is opened and closed, and none for a second server', async () => {
  const { client } = server()
  const dispose = vi.spyOn(client, 'dispose')
  const one = await server().begun()
  const two = await server().begun()
  await one.store.close()
  await one.store.close()
  expect(await two.store.append([two.next], two.head)).toEqual(positionOf(two.next))
  expect(server().client).toBe(client)
  expect(dispose).not.toHaveBeenCalled()
  await expect(server().open({ url: 'esdb://elsewhere:2113' })).rejects.toMatchObject({
    code: 'STORE_CLIENT_TAKEN',
    message: expect.stringContaining('kurrentdb://elsewhere:2113'),
  })
  await expect(server().open({ url: `${server().url}&keepAliveInterval=5000` })).rejects.toMatchObject({
    code: 'STORE_CLIENT_TAKEN',
  })
})

test('a read that fails moves the reads to another connection, and leaves the one that appends wait on', async () => {
  const { store } = await server().begun({ patienceMs: 3_000 })
  const channelOf = (client: EventStoreDBClient): Promise<unknown> =>
    (client as unknown as { getChannel(): Promise<unknown> }).getChannel()
  const before = [await channelOf(server().client), await channelOf(server().reader)]
  await server().double.misbehave({ refuse: true })
  await expect(store.head()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })
  await server().double.behave()
  const after = [await channelOf(server().client), await channelOf(server().reader)]
  expect(after.map((channel, index) => channel === before[index])).toEqual([true, false])
})

test('a process that has closed its stores ends by itself', async () => {
  const child = startChild(new URL('open-and-close.ts', import.meta.url), [server().url, randomUUID()])
  expect(await child.line()).toBe('{"ended":true}')
  expect(await child.line()).toBeUndefined()
})

test('close waits for the append that is on its way', async () => {
  const { ledger, store, head, next } = await server().begun()
  await server().double.misbehave({ delayMs: 300 })
  const appending: Promise<Position> = store.append([next], head)
  await sleep(50)
  await (store satisfies KurrentStore).close()
  await server().double.behave()
  expect(await appending).toEqual(positionOf(next))
  expect(await numbersIn(ledger)).toEqual([0, 1])
})
