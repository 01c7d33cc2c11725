import { expect, test } from 'vitest'
import { type Block, positionOf } from '../../src/ledger/block.js'
import { AppendConflict, type EventStore } from '../../src/ledger/event-store.js'
import { blockAfter, blocksOf, collect } from '../support/logs.js'

/** What every store promises to the ledger. `open` gives a new, empty one. */
export const storeContract = (open: () => EventStore | Promise<EventStore>): void => {
  const filled = async (
    ...sizes: readonly number[]
  ): Promise<{ store: EventStore; blocks: readonly Block[]; next: Block }> => {
    const store = await open()
    const blocks = blocksOf(...sizes)
    await store.append(blocks, undefined)
    const head = positionOf(blocks.at(-1) as Block)
    return { store, blocks, next: blockAfter(head, 2) }
  }

  test('a new store has no head and no blocks', async () => {
    const store = await open()
    expect(await store.head()).toBeUndefined()
    expect(await collect(store.read(0))).toEqual([])
    expect(await store.blockOf(0)).toBeUndefined()
  })

  test('what was appended is read back in order, byte for byte', async () => {
    const { store, blocks, next } = await filled(3, 1, 2)
    expect(await store.append([next], positionOf(blocks.at(-1) as Block))).toEqual(positionOf(next))
    const read = await collect(store.read(0))
    expect(read.map((block) => ({ ...block, bytes: Buffer.from(block.bytes) }))).toEqual(
      [...blocks, next].map((block) => ({ ...block, bytes: Buffer.from(block.bytes) })),
    )
    expect(await store.head()).toEqual(positionOf(next))
  })

  test('bytes are kept as they are, whatever they mean', async () => {
    const store = await open()
    const bytes = Uint8Array.from({ length: 512 * 1024 }, (_, index) => index % 251)
    await store.append([{ ...(blocksOf(1)[0] as Block), bytes }], undefined)
    const [block] = await collect(store.read(0))
    expect(Buffer.compare(block?.bytes ?? new Uint8Array(), bytes)).toBe(0)
  })

  test('an append that follows anything but the head is a conflict and writes nothing', async () => {
    const { store, blocks, next } = await filled(2, 2)
    const head = positionOf(blocks.at(-1) as Block)
    const others = [
      undefined,
      positionOf(blocks[0] as Block),
      { ...head, leaf: 'c'.repeat(64) },
      { ...head, seq: 9 },
      { ...head, block: 9 },
    ]
    for (const after of others) {
      const error = await store.append([blockAfter(after, 2)], after).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(AppendConflict)
      expect(error).toMatchObject({ code: 'APPEND_CONFLICT', retry: 'now', head })
    }
    const early = await (await open()).append([next], head).catch((thrown: unknown) => thrown)
    expect(early).toMatchObject({ code: 'APPEND_CONFLICT', head: undefined })
    expect(await collect(store.read(0))).toHaveLength(2)
    expect(await store.head()).toEqual(head)
  })

  test('of two appends that follow the same head, one wins', async () => {
    const { store, blocks } = await filled(1)
    const head = positionOf(blocks[0] as Block)
    const rivals = ['a', 'b', 'c', 'd'].map((note) => store.append([blockAfter(head, 2, note)], head))
    const outcomes = await Promise.allSettled(rivals)
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected'])
    expect(await collect(store.read(0))).toHaveLength(2)
  })

  test('an append that cannot follow is a mistake of the caller, and writes nothing', async () => {
    const { store, blocks, next } = await filled(2)
    const head = positionOf(blocks[0] as Block)
    await expect(store.append([], head)).rejects.toThrow('at least one block')
    for (const wrong of [{ number: 0 }, { number: 2 }, { first: 1 }, { last: 1 }]) {
      await expect(store.append([{ ...next, ...wrong }], head)).rejects.toThrow('cannot follow block 0 (to 1)')
    }
    await expect(store.append([next, next], head)).rejects.toThrow('cannot follow block 1')
    expect(await store.append([next], head)).toEqual(positionOf(next))
  })

  test('reading begins with the block that holds the record asked for', async () => {
    const { store, blocks } = await filled(3, 1, 2)
    const numbersFrom = async (seq: number) => (await collect(store.read(seq))).map((block) => block.number)
    expect(await Promise.all([0, 2, 3, 4, 5, 6].map(numbersFrom))).toEqual([[0, 1, 2], [0, 1, 2], [1, 2], [2], [2], []])
    expect((await store.blockOf(2))?.number).toBe(0)
    expect((await store.blockOf(5))?.leaf).toBe(blocks[2]?.leaf)
    expect(await store.blockOf(6)).toBeUndefined()
  })

  test('a gap in the numbers is stepped over', async () => {
    const { store, blocks } = await filled(2)
    const late = { ...blockAfter(positionOf(blocks[0] as Block), 1), first: 10, last: 10 }
    await store.append([late], positionOf(blocks[0] as Block))
    expect((await collect(store.read(5))).map((block) => block.number)).toEqual([1])
    expect(await store.blockOf(5)).toBeUndefined()
    expect((await store.blockOf(10))?.number).toBe(1)
  })

  test('many blocks are read once each, in order', async () => {
    const store = await open()
    const blocks = blocksOf(...Array.from({ length: 100 }, () => 1))
    await store.append(blocks, undefined)
    expect((await collect(store.read(7))).map((block) => block.number)).toEqual(
      blocks.slice(7).map((block) => block.number),
    )
  })

  test('a subscription gives everything once and in order, across appends, until it is aborted', async () => {
    const { store, blocks } = await filled(2, 1)
    const seen: number[] = []
    const abort = new AbortController()
    const following = (async () => {
      for await (const block of store.subscribe(2, abort.signal)) {
        seen.push(block.number)
        if (block.number === 6) abort.abort()
      }
    })()
    let head = positionOf(blocks.at(-1) as Block)
    for (let round = 0; round < 6; round++) {
      head = await store.append([blockAfter(head, 1 + (round % 2))], head)
      if (round % 2 === 0) await new Promise(setImmediate)
    }
    await following
    expect(seen).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('a subscription also gives what was appended while its last block was being read', async () => {
    const { store, blocks, next } = await filled(1)
    const abort = new AbortController()
    const seen: number[] = []
    for await (const block of store.subscribe(0, abort.signal)) {
      seen.push(block.number)
      if (block.number === 0) await store.append([next], positionOf(blocks[0] as Block))
      else abort.abort()
    }
    expect(seen).toEqual([0, 1])
  })

  test('a subscription ends when it is aborted while it waits, or before it began, or when the store is closed', async () => {
    const { store } = await filled(1)
    const abort = new AbortController()
    const waiting = following(store, abort.signal)
    await waiting.first
    abort.abort()
    expect(await waiting.count).toBe(1)
    expect(await collect(store.subscribe(0, AbortSignal.abort()))).toEqual([])
    const open = following(store, new AbortController().signal)
    await open.first
    await store.close()
    expect(await open.count).toBe(1)
  })

  test('a subscription ends, at whatever moment of its beginning it is aborted', async () => {
    const { store } = await filled(1)
    for (let moment = 0; moment < 12; moment++) {
      const abort = new AbortController()
      // Nothing is there that it could give, and wake up by.
      const ended = collect(store.subscribe(1, abort.signal))
      await (moment < 6 ? new Promise(setImmediate) : new Promise((resolve) => setTimeout(resolve, moment - 5)))
      abort.abort()
      expect(await ended).toEqual([])
    }
  })

  test('a closed store takes no more appends', async () => {
    const store = await open()
    await store.close()
    await expect(store.append(blocksOf(1), undefined)).rejects.toMatchObject({ code: 'STORE_CLOSED' })
  })
}

/** A subscription that counts: when it has its first block, and how many it had when it ended. */
const following = (store: EventStore, signal: AbortSignal): { first: Promise<void>; count: Promise<number> } => {
  let begun = (): void => {}
  const first = new Promise<void>((resolve) => {
    begun = resolve
  })
  const counted = async (): Promise<number> => {
    let count = 0
    for await (const _ of store.subscribe(0, signal)) if (++count === 1) begun()
    return count
  }
  return { first, count: counted() }
}
