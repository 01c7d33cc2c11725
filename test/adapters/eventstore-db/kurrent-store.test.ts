import { randomUUID } from 'node:crypto'
import { NO_STREAM, type RecordedEvent } from '@eventstore/db-client'
import { describe, expect, test, vi } from 'vitest'
import { eventId, eventOf, streamName } from '../../../src/adapters/eventstore-db/block-event.js'
import { type Block, positionOf } from '../../../src/ledger/block.js'
import { blockAfter, blocksOf, collect } from '../../support/logs.js'
import { storeContract } from '../event-store.contract.js'
import { useKurrent } from './use-kurrent.js'

const server = useKurrent()

describe('the contract of every store', () => storeContract(() => server().open()))

const head = (blocks: readonly Block[]) => positionOf(blocks.at(-1) as Block)

/** A ledger with these blocks, and the name of its stream. */
const filled = async (...sizes: readonly number[]) => {
  const ledger = randomUUID()
  const store = await server().open({ ledger })
  const blocks = blocksOf(...sizes)
  await store.append(blocks, undefined)
  return { ledger, store, blocks, stream: streamName(ledger, 0) }
}

const eventsOf = async (stream: string): Promise<readonly RecordedEvent[]> =>
  (await collect(server().reader.readStream(stream))).flatMap(({ event }) => (event === undefined ? [] : [event]))

describe('what a stream looks like', () => {
  test('each block is one event: its number the revision, its exact bytes the data, the rest in the metadata', async () => {
    const { blocks, stream } = await filled(3, 1, 2)
    expect(stream).toMatch(/^epsilon-[\da-f-]{36}-0$/)
    const events = await eventsOf(stream)
    expect(
      events.map(({ revision, type, isJson, metadata, id }) => ({ revision, type, isJson, metadata, id })),
    ).toEqual(
      blocks.map((block) => ({
        revision: BigInt(block.number),
        type: 'epsilon.block.v1',
        isJson: false,
        metadata: { first: block.first, last: block.last, leaf: block.leaf },
        id: eventId(stream, block),
      })),
    )
    for (const [index, { data }] of events.entries()) {
      expect(Buffer.compare(data as Uint8Array, (blocks[index] as Block).bytes)).toBe(0)
    }
  })

  test('each call appends one event at a number or at no stream, never at any, and with no credentials of its own', async () => {
    const append = vi.spyOn(server().client, 'appendToStream')
    const { blocks, stream } = await filled(1, 1, 1)
    const calls = append.mock.calls.filter(([name]) => name === stream)
    append.mockRestore()
    expect(calls.map(([, events, options]) => [events, options])).toEqual(
      blocks.map((block, index) => [
        eventOf(stream, block),
        { expectedRevision: index === 0 ? NO_STREAM : BigInt(index - 1) },
      ]),
    )
  })

  test('everything is read from the leader', async () => {
    const read = vi.spyOn(server().reader, 'readStream')
    const subscribe = vi.spyOn(server().reader, 'subscribeToStream')
    const { store, blocks } = await filled(2, 2)
    await collect(store.read(1))
    await store.head()
    await store.blockOf(3)
    await store.inspect()
    const following = store.subscribe(0, new AbortController().signal)[Symbol.asyncIterator]()
    expect((await following.next()).value).toMatchObject({ leaf: blocks[0]?.leaf })
    await following.return?.()
    const options = [...read.mock.calls, ...subscribe.mock.calls].map(([, option]) => option?.requiresLeader)
    read.mockRestore()
    subscribe.mockRestore()
    expect(options.length).toBeGreaterThan(5)
    expect(new Set(options)).toEqual(new Set([true]))
  })

  test('shards and ledgers on one server know nothing of each other', async () => {
    const ledger = randomUUID()
    const [one, two] = [await server().open({ ledger }), await server().open({ ledger, shard: 1 })]
    await one.append(blocksOf(1), undefined)
    expect(await two.head()).toBeUndefined()
    await two.append(blocksOf(2), undefined)
    expect((await one.head())?.seq).toBe(0)
  })
})

describe('several writers', () => {
  test('two stores on one stream race as two appends on one store do', async () => {
    const { ledger, store, blocks } = await filled(1)
    const other = await server().open({ ledger })
    await expect(other.append(blocks, undefined)).rejects.toMatchObject({ code: 'APPEND_CONFLICT', head: head(blocks) })
    const next = blockAfter(head(blocks), 1)
    await other.append([next], head(blocks))
    const rival = blockAfter(head(blocks), 1, 'rival')
    await expect(store.append([rival], head(blocks))).rejects.toMatchObject({
      code: 'APPEND_CONFLICT',
      head: positionOf(next),
    })
    expect(await collect(store.read(1))).toHaveLength(1)
    expect(await store.head()).toEqual(positionOf(next))
  })

  test('the first of several blocks may be kept before the next one meets another: then that is a conflict', async () => {
    const { store, blocks, stream } = await filled(1)
    const ours = [blockAfter(head(blocks), 1, 'ours')]
    ours.push(blockAfter(head(ours), 1, 'ours'))
    const { client } = server()
    const append = client.appendToStream.bind(client)
    let calls = 0
    const spy = vi.spyOn(client, 'appendToStream').mockImplementation(async (name, events, options) => {
      // Between the two somebody else appends.
      const rival = blockAfter(head(ours.slice(0, 1)), 1, 'rival')
      if (++calls === 2) await append(stream, eventOf(stream, rival), { expectedRevision: 1n })
      return append(name, events, options)
    })
    const error = await store.append(ours, head(blocks)).catch((thrown: unknown) => thrown)
    spy.mockRestore()
    expect(error).toMatchObject({ code: 'APPEND_CONFLICT', head: { block: 2 } })
    expect((await collect(store.read(0))).map(({ leaf }) => leaf).slice(0, 2)).toEqual([blocks[0]?.leaf, ours[0]?.leaf])
    expect(store.keepsAllOrNone).toBe(false)
  })

  test('another block of the same number is a conflict even where it follows another history', async () => {
    const { store, blocks } = await filled(1, 1)
    const forged = { ...head(blocks), leaf: 'f'.repeat(64) }
    const other = await server().open({ ledger: randomUUID() })
    await other.append(blocksOf(1, 1), undefined)
    await expect(store.append([blockAfter(forged, 1)], forged)).rejects.toMatchObject({ code: 'APPEND_CONFLICT' })
  })
})

describe('reading', () => {
  test('any record is found among blocks of all sizes, with few reads', async () => {
    const sizes = Array.from({ length: 120 }, (_, index) => (index % 10 === 0 ? 40 : 1))
    const { ledger, blocks } = await filled(...sizes)
    const read = vi.spyOn(server().reader, 'readStream')
    for (const seq of [0, 39, 40, 41, 49, 100, 246, 333, 470, 587]) {
      const store = await server().open({ ledger })
      read.mockClear()
      const expected = blocks.find(({ first, last }) => first <= seq && seq <= last)
      expect((await store.blockOf(seq))?.number).toBe(expected?.number)
      expect(read.mock.calls.length).toBeLessThanOrEqual(12)
      read.mockClear()
      expect((await store.blockOf(seq))?.number).toBe(expected?.number)
      expect(read.mock.calls).toHaveLength(0)
    }
    read.mockRestore()
  })

  test('a reader that stops early leaves no call open: a connection has room for a hundred', async () => {
    const { store } = await filled(...Array.from({ length: 70 }, () => 1))
    for (let round = 0; round < 130; round++) {
      for await (const block of store.read(round % 60)) {
        if (block.number >= round % 60) break
      }
    }
    const abort = new AbortController()
    for (let round = 0; round < 130; round++) {
      for await (const _ of store.subscribe(0, abort.signal)) break
    }
    expect(await collect(store.read(69))).toHaveLength(1)
  })

  test('a page of large blocks is cut short and read on', async () => {
    const store = await server().open()
    const blocks = blocksOf(...Array.from({ length: 9 }, () => 1)).map((block) => ({
      ...block,
      bytes: new Uint8Array(512 * 1024).fill(block.number),
    }))
    await store.append(blocks, undefined)
    const read = await collect(store.read(0))
    expect(read.map(({ number, bytes }) => [number, bytes.length, bytes[7]])).toEqual(
      blocks.map(({ number }) => [number, 512 * 1024, number]),
    )
  })

  test('what follows the end is nothing, and a stream that is not there is an empty ledger', async () => {
    const { store } = await filled(2)
    expect(await collect(store.read(100))).toEqual([])
    const empty = await server().open()
    expect(await collect(empty.read(0))).toEqual([])
    expect(await collect(empty.read(5))).toEqual([])
    expect(await empty.inspect()).toBeUndefined()
  })

  test('a subscription that began before the stream has its first block', async () => {
    const store = await server().open()
    const abort = new AbortController()
    const seen = collect(
      (async function* () {
        for await (const block of store.subscribe(0, abort.signal)) {
          yield block.number
          if (block.number === 2) abort.abort()
        }
      })(),
    )
    await new Promise((resolve) => setTimeout(resolve, 50))
    await store.append(blocksOf(1, 1, 1), undefined)
    expect(await seen).toEqual([0, 1, 2])
  })

  test('an event that somebody else put there is named, and never taken for a block', async () => {
    const { store, stream } = await filled(1)
    await server().client.appendToStream(
      stream,
      { id: randomUUID(), type: 'note', contentType: 'application/json', data: { text: 'hello' }, metadata: undefined },
      { expectedRevision: 0n },
    )
    for (const action of [() => store.head(), () => collect(store.read(0))]) {
      await expect(action()).rejects.toMatchObject({
        code: 'STORE_UNREADABLE',
        exitCode: 20,
        message: `event 1 of stream ${stream} is a note, and no block of a ledger`,
      })
    }
  })
})

describe('what was taken from a stream', () => {
  const stringContaining = (text: string): unknown => expect.stringContaining(text)

  test('a sound stream, with an access list of its own, is found sound', async () => {
    const { store, stream } = await filled(1, 1)
    expect(await store.inspect()).toBeUndefined()
    await server().client.setStreamMetadata(stream, { acl: { deleteRoles: ['$admins'] } })
    expect(await store.inspect()).toBeUndefined()
  })

  test('truncated: STREAM_TRUNCATED, also where its head is untouched', async () => {
    const { ledger, store, blocks, stream } = await filled(1, 1, 1)
    await server().client.setStreamMetadata(stream, { truncateBefore: 2 })
    expect(await store.inspect()).toMatchObject({
      code: 'STREAM_TRUNCATED',
      exitCode: 20,
      message: stringContaining('it begins with revision 2 instead of 0, and its metadata has $tb 2'),
      hint: stringContaining('docs/runbooks/kurrentdb.md'),
    })
    expect(await store.head()).toEqual(head(blocks))
    const again = await server().open({ ledger })
    await expect(collect(again.read(0))).rejects.toMatchObject({ code: 'STREAM_TRUNCATED' })
    await expect(again.blockOf(0)).rejects.toMatchObject({ code: 'STREAM_TRUNCATED' })
  })

  test('emptied: STREAM_TRUNCATED, and never a new ledger', async () => {
    const { ledger, store, blocks, stream } = await filled(1, 1)
    await server().client.setStreamMetadata(stream, { truncateBefore: 100 })
    expect(await store.inspect()).toMatchObject({
      code: 'STREAM_TRUNCATED',
      message: stringContaining('nothing in it can be read'),
    })
    const again = await server().open({ ledger })
    for (const action of [
      () => again.head(),
      () => collect(again.read(0)),
      () => again.append(blocksOf(1), undefined),
      () => again.append([blockAfter(head(blocks), 1)], head(blocks)),
    ]) {
      await expect(action()).rejects.toMatchObject({ code: 'STREAM_TRUNCATED' })
    }
  })

  test.each([
    ['maxCount', { maxCount: 2 }, '$maxCount 2, and it begins with revision 1 instead of 0'],
    ['maxCount that nothing has reached yet', { maxCount: 50 }, '$maxCount 50, and it still begins with revision 0'],
    ['maxAge', { maxAge: 3_600 }, '$maxAge 3600, and it still begins with revision 0'],
  ])('capped by %s: STREAM_CAPPED', async (_, metadata, found) => {
    const { store, stream } = await filled(1, 1, 1)
    await server().client.setStreamMetadata(stream, metadata)
    expect(await store.inspect()).toMatchObject({
      code: 'STREAM_CAPPED',
      exitCode: 20,
      message: stringContaining(found),
      hint: stringContaining('$maxCount and $maxAge'),
    })
  })

  test('deleted: STREAM_DELETED, and its place is not taken by a new ledger', async () => {
    const { ledger, store, blocks, stream } = await filled(1, 1)
    await server().client.deleteStream(stream)
    expect(await store.inspect()).toMatchObject({ code: 'STREAM_DELETED', exitCode: 20 })
    const again = await server().open({ ledger })
    expect(await again.inspect()).toMatchObject({ code: 'STREAM_DELETED' })
    for (const action of [
      () => again.append(blocksOf(1), undefined),
      () => again.append([blockAfter(undefined, 1, 'other')], undefined),
      () => again.append([blockAfter(head(blocks), 1)], head(blocks)),
    ]) {
      await expect(action()).rejects.toMatchObject({ code: 'STREAM_DELETED' })
    }
    expect(await eventsOf(stream).catch((error: { type?: string }) => error.type)).toBe('stream-not-found')
  })

  test('deleted and written to again by somebody: STREAM_TRUNCATED, since its revisions go on', async () => {
    const { store, stream } = await filled(1, 1)
    await server().client.deleteStream(stream)
    await server().client.appendToStream(stream, eventOf(stream, blocksOf(1)[0] as Block), { expectedRevision: 1n })
    expect(await store.inspect()).toMatchObject({ code: 'STREAM_TRUNCATED' })
  })

  test('tombstoned: STREAM_TOMBSTONED, for every call and for ever', async () => {
    const { ledger, store, blocks, stream } = await filled(1, 1)
    await server().client.tombstoneStream(stream)
    const next = blockAfter(head(blocks), 1)
    const again = await server().open({ ledger })
    expect(await again.inspect()).toMatchObject({ code: 'STREAM_TOMBSTONED', exitCode: 20 })
    for (const action of [
      () => store.append([next], head(blocks)),
      () => again.append([next], head(blocks)),
      () => again.append(blocksOf(1), undefined),
      () => again.head(),
      () => again.blockOf(0),
      () => collect(again.read(0)),
      () => collect(again.subscribe(0, new AbortController().signal)),
    ]) {
      await expect(action()).rejects.toMatchObject({ code: 'STREAM_TOMBSTONED', retry: 'never' })
    }
  })

  test('a subscription ends where the stream was cut ahead of it', async () => {
    const { store, blocks, stream } = await filled(1, 1, 1)
    await server().client.setStreamMetadata(stream, { truncateBefore: 2 })
    await expect(collect(store.subscribe(0, new AbortController().signal))).rejects.toMatchObject({
      code: 'STREAM_TRUNCATED',
      message: stringContaining('block 0 is gone, the next one is 2'),
    })
    expect(blocks).toHaveLength(3)
  })
})
