import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/adapters/memory-store.js'
import { type Block, type Position, positionOf } from '../../src/ledger/block.js'
import { appendUncertain, type EventStore } from '../../src/ledger/event-store.js'
import { type CopySource, copyLog } from '../../src/recovery/copy-log.js'
import { FaultyStore } from '../support/faulty-store.js'
import { blockAfter, blocksOf, collect } from '../support/logs.js'
import { PiecewiseStore } from '../support/piecewise-store.js'

const sourceOf = (store: EventStore): CopySource => ({
  head: () => store.head(),
  async *blocks(last, after) {
    for await (const block of store.read(after === undefined ? 0 : after.seq + 1)) if (block.number <= last) yield block
  },
  block: async ({ seq }) => store.blockOf(seq),
})

const filled = async (...sizes: readonly number[]): Promise<MemoryStore> => {
  const store = new MemoryStore()
  await store.append(blocksOf(...sizes), undefined)
  return store
}

const bytesIn = async (store: EventStore) =>
  (await collect(store.read(0))).map((block) => ({ ...block, bytes: Buffer.from(block.bytes).toString() }))

const nothing = { progress: (): void => {} }

test.each([
  ['in one append where that is all or none', () => new FaultyStore(new MemoryStore()), 1],
  ['block after block elsewhere', () => new PiecewiseStore(), undefined],
])('a log is copied byte for byte, %s', async (_, make, appends) => {
  const source = await filled(3, 1, 2)
  const target = make()
  const seen: number[] = []
  const copied = await copyLog(sourceOf(source), target, { progress: (seq) => void seen.push(seq) })
  expect(copied).toEqual({ head: await source.head(), from: undefined, ahead: undefined })
  expect(await bytesIn(target)).toEqual(await bytesIn(source))
  expect(seen.at(-1)).toBe(5)
  if (target instanceof FaultyStore) expect(target.appends).toBe(appends)
})

test('an interrupted copy goes on where it ended, and a finished one has nothing to do', async () => {
  const source = await filled(...Array.from({ length: 9 }, () => 2))
  const inner = new PiecewiseStore()
  const target = new FaultyStore(inner)
  Object.defineProperty(target, 'keepsAllOrNone', { value: false })
  target.plan.push('fine', 'fine', 'fine', 'kept')
  await expect(copyLog(sourceOf(source), target, nothing)).rejects.toThrow('the connection broke')
  expect((await inner.head())?.block).toBe(3)
  const { from, head } = await copyLog(sourceOf(source), target, nothing)
  expect([from?.block, head]).toEqual([3, await inner.head()])
  expect(await bytesIn(inner)).toEqual(await bytesIn(source))
  const before = target.appends
  expect((await copyLog(sourceOf(source), target, nothing)).from).toEqual(head)
  expect(target.appends).toBe(before)
})

test('what is there already has to be a beginning of the log', async () => {
  const source = await filled(2, 2)
  const head = (await source.head()) as Position
  const longer = await filled(2, 2)
  await longer.append([blockAfter(head, 1)], head)
  const other = new MemoryStore()
  await other.append([blockAfter(undefined, 2, 'another')], undefined)
  const otherwiseCut = await filled(1)
  for (const target of [longer, other, otherwiseCut]) {
    const before = await target.head()
    const refused = copyLog(sourceOf(source), target, nothing)
    await expect(refused).rejects.toMatchObject({ code: 'COPY_MISMATCH', exitCode: 3 })
    await expect(refused).rejects.toThrow(before?.leaf ?? '')
    await expect(refused).rejects.toThrow(head.leaf)
    expect(await target.head()).toEqual(before)
  }
  await expect(copyLog(sourceOf(new MemoryStore()), other, nothing)).rejects.toMatchObject({ code: 'COPY_EMPTY' })
})

test('a damaged source is copied up to its damage at most', async () => {
  const source = await filled(2, 2, 2)
  const damaged: CopySource = {
    ...sourceOf(source),
    async *blocks(last, after) {
      for await (const block of sourceOf(source).blocks(last, after))
        yield block.number === 1 ? { ...block, leaf: 'f'.repeat(64) } : block
    },
  }
  const target = new PiecewiseStore()
  await expect(copyLog(damaged, target, nothing)).rejects.toMatchObject({ code: 'CHAIN_BROKEN', exitCode: 20 })
  expect(await target.head()).toEqual(positionOf(source.blockOf(0) as Block))
})

test('a target that somebody else writes to is left alone', async () => {
  const source = await filled(2, 2)
  const target = new PiecewiseStore()
  const contested: CopySource = {
    ...sourceOf(source),
    async *blocks(last, after) {
      await target.append([blockAfter(undefined, 1, 'a rival')], undefined)
      yield* sourceOf(source).blocks(last, after)
    },
  }
  await expect(copyLog(contested, target, nothing)).rejects.toMatchObject({ code: 'COPY_CONFLICT', exitCode: 3 })
  expect(await collect(target.read(0))).toHaveLength(1)
})

test('a target that takes no more says so, and the same copy goes on there', async () => {
  const source = await filled(2, 2)
  let full = true
  class Full extends PiecewiseStore {
    override async append(blocks: readonly Block[], after: Position | undefined): Promise<Position> {
      if (full && after !== undefined) throw appendUncertain(blocks, new Error('disk is full'))
      return super.append(blocks, after)
    }
  }
  const target = new Full()
  await expect(copyLog(sourceOf(source), target, nothing)).rejects.toMatchObject({
    code: 'COPY_INTERRUPTED',
    exitCode: 3,
    message: expect.stringContaining('disk is full'),
  })
  full = false
  const from = positionOf(source.blockOf(0) as Block)
  expect(await copyLog(sourceOf(source), target, nothing)).toMatchObject({ from, head: await source.head() })
})

test('a source that goes on meanwhile is told', async () => {
  const source = await filled(2)
  const head = (await source.head()) as Position
  const next = blockAfter(head, 3)
  const target = new MemoryStore()
  const copied = await copyLog(sourceOf(source), target, { progress: () => void source.append([next], head) })
  expect(copied).toEqual({ head, from: undefined, ahead: positionOf(next) })
  expect((await copyLog(sourceOf(source), target, nothing)).head).toEqual(positionOf(next))
  expect(await bytesIn(target)).toEqual(await bytesIn(source))
})

test('what a target is to end with is said before anything is appended, and never of one that is not taken', async () => {
  const source = await filled(2, 2)
  const target = new MemoryStore()
  const said: unknown[] = []
  const begins = (head: Position): void => void target.head().then((there) => said.push(head, there))
  await copyLog(sourceOf(source), target, { ...nothing, begins })
  expect(said).toEqual([await source.head(), undefined])
  const other = new MemoryStore()
  await other.append([blockAfter(undefined, 1, 'another log')], undefined)
  await expect(copyLog(sourceOf(source), other, { ...nothing, begins })).rejects.toMatchObject({
    code: 'COPY_MISMATCH',
  })
  expect(said).toHaveLength(2)
})
