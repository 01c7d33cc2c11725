import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/adapters/memory-store.js'
import { journalBlock, journalMessage } from '../../src/kafka/journal-message.js'
import { JournalPublisher } from '../../src/kafka/journal-publisher.js'
import { SteadyProducer } from '../../src/kafka/steady-producer.js'
import { type Block, type Position, positionOf } from '../../src/ledger/block.js'
import type { LedgerError } from '../../src/ledger/errors.js'
import type { Standing } from '../../src/recovery/start-check.js'
import { blockAfter, blocksOf, epochAfter } from '../support/logs.js'
import { type Fate, MemoryTopic } from './memory-topic.js'

const LEDGER = 'a-ledger'

/** A log in memory, a journal in memory, and publishers between them. */
class Bench {
  readonly store = new MemoryStore()
  readonly topic = new MemoryTopic('epsilon.journal')
  readonly fatal: LedgerError[] = []
  readonly lines: string[] = []
  head: Position | undefined
  /** Milliseconds after which a try without an end is given up. */
  patienceMs = 2

  async append(...blocks: readonly Block[]): Promise<void> {
    this.head = await this.store.append(blocks, this.head)
  }

  publish(start: Standing = { journalled: undefined, high: 0n }): JournalPublisher {
    const publisher = new JournalPublisher({
      ledger: LEDGER,
      store: this.store,
      topic: this.topic.name,
      producer: new SteadyProducer({
        open: () => this.topic.open(),
        now: () => performance.now(),
        attemptMs: this.patienceMs,
        pauseMs: 0,
      }),
      start,
      readBack: (range, take) => this.topic.readBack(range, take),
      onFatal: (error) => this.fatal.push(error),
      log: (line) => this.lines.push(line),
    })
    publisher.start()
    return publisher
  }

  /** The blocks of this ledger in the journal, without those that a reader has seen. */
  journal(): readonly Block[] {
    const blocks: Block[] = []
    for (const { ledger, block } of (this.topic.partitions[0] ?? []).map(journalBlock)) {
      if (ledger === LEDGER && block.last > (blocks.at(-1)?.last ?? -1)) blocks.push(block)
    }
    return blocks
  }
}

const plain = (blocks: readonly Block[]) => blocks.map(({ bytes, ...rest }) => ({ ...rest, text: String(bytes) }))

test('every block is in the journal with its bytes, in order, once', async () => {
  const bench = new Bench()
  const blocks = blocksOf(1, 3, 2, 5, 1)
  await bench.append(...blocks.slice(0, 2))
  const publisher = bench.publish()
  for (const block of blocks.slice(2)) await bench.append(block)
  await publisher.reached(11)
  expect(publisher.position()).toBe(11)
  expect(plain(bench.journal())).toEqual(plain(blocks))
  expect(bench.topic.values()).toHaveLength(5)
  await publisher.stop()
})

test('through any outage and any restarts a reader finds every block in order, and nothing else', async () => {
  const fate = fc.constantFrom<Fate>('written', 'answer lost', 'not written', 'written late')
  const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { maxLength: 10 }), sizes, fc.nat({ max: 7 }), async (fates, counts, cut) => {
      const bench = new Bench()
      bench.topic.fates.push(...fates)
      const blocks = blocksOf(...counts)
      const before = bench.publish()
      await bench.append(...blocks.slice(0, cut + 1))
      await before.stop()
      const newest = bench.journal().at(-1)
      const high = BigInt(bench.topic.values().length)
      const publisher = bench.publish({ journalled: newest && positionOf(newest), high })
      if (cut + 1 < blocks.length) await bench.append(...blocks.slice(cut + 1))
      await publisher.reached(bench.head?.seq ?? -1)
      await publisher.stop()
      expect(plain(bench.journal())).toEqual(plain(blocks))
      expect(bench.fatal).toEqual([])
    }),
    { numRuns: 100 },
  )
})

test('two instances of one ledger both publish its log: neither is fenced, and a reader finds every block once', async () => {
  const fate = fc.constantFrom<Fate>('written', 'answer lost', 'not written', 'written late')
  const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { maxLength: 10 }), sizes, fc.nat({ max: 11 }), async (fates, counts, begun) => {
      const bench = new Bench()
      bench.topic.fates.push(...fates)
      const blocks = blocksOf(...counts)
      const cut = Math.min(begun, blocks.length)
      const one = bench.publish()
      await bench.append(...blocks.slice(0, 1))
      for (const block of blocks.slice(1, cut)) await bench.append(block)
      const other = bench.publish()
      for (const block of blocks.slice(Math.max(1, cut))) await bench.append(block)
      const end = bench.head?.seq ?? -1
      await Promise.all([one.reached(end), other.reached(end)])
      expect(plain(bench.journal())).toEqual(plain(blocks))
      expect(bench.fatal).toEqual([])
      await Promise.all([one.stop(), other.stop()])
    }),
    { numRuns: 100 },
  )
})

test('an instance that lags behind another one sends a single time what the journal has already', async () => {
  const bench = new Bench()
  bench.patienceMs = 10_000
  const blocks = blocksOf(...Array.from({ length: 500 }, () => 1))
  await bench.append(...blocks.slice(0, 400))
  const one = bench.publish()
  await one.reached(399)
  await one.stop()
  const lagging = bench.publish()
  await lagging.reached(399)
  expect(bench.topic.values().length).toBeLessThanOrEqual(400 + 64)
  await bench.append(...blocks.slice(400))
  await lagging.reached(499)
  expect(bench.topic.values().length).toBeLessThanOrEqual(500 + 64)
  expect(plain(bench.journal())).toEqual(plain(blocks))
  await lagging.stop()
})

test('a record is reached only when its block is acknowledged', async () => {
  const bench = new Bench()
  bench.patienceMs = 10_000
  let open = (): void => {}
  bench.topic.gate = new Promise((resolve) => {
    open = resolve
  })
  await bench.append(...blocksOf(2))
  const publisher = bench.publish()
  let reached = false
  const waiting = publisher.reached(1).then(() => {
    reached = true
  })
  await new Promise((resolve) => setTimeout(resolve, 1))
  expect(reached).toBe(false)
  expect(publisher.waitingSince).toBeDefined()
  open()
  await waiting
  expect(publisher.waitingSince).toBeUndefined()
  await publisher.stop()
})

test('many small blocks go together, at most 64 in one send', async () => {
  const bench = new Bench()
  bench.patienceMs = 10_000
  bench.topic.gate = new Promise((resolve) => setTimeout(resolve, 10))
  await bench.append(...blocksOf(...Array.from({ length: 200 }, () => 1)))
  const publisher = bench.publish()
  await publisher.reached(199)
  expect(bench.topic.sends.slice(1)).toEqual([64, 64, 64, 7])
  await publisher.stop()
})

test("another ledger's blocks, our own repeats and what is no block are passed", async () => {
  const bench = new Bench()
  const blocks = blocksOf(1, 1, 1)
  await bench.append(...blocks.slice(0, 2))
  const publisher = bench.publish()
  await publisher.reached(1)
  bench.topic.write([
    journalMessage('another', blocks[0] as Block),
    journalMessage(LEDGER, blocks[0] as Block),
    { value: 'no block at all' },
  ])
  await bench.append(blocks[2] as Block)
  await publisher.reached(2)
  expect(bench.fatal).toEqual([])
  expect(bench.lines.join()).toContain("message 4 is no ledger's, and was passed")
  await publisher.stop()
})

test('another process that takes the place of our next block is fatal before anybody is told of a position', async () => {
  const bench = new Bench()
  const blocks = blocksOf(1, 1, 1)
  await bench.append(blocks[0] as Block, blocks[1] as Block)
  const publisher = bench.publish()
  await publisher.reached(1)
  bench.topic.write([journalMessage(LEDGER, blockAfter(positionOf(blocks[1] as Block), 1, 'of a copy'))])
  await bench.append(blocks[2] as Block)
  await expect(publisher.reached(2)).rejects.toMatchObject({ code: 'FENCED', exitCode: 11 })
  expect(bench.fatal).toMatchObject([{ code: 'FENCED' }])
  expect(publisher.position()).toBe(1)
  expect(publisher.trouble).toMatchObject({ code: 'FENCED' })
  await publisher.stop()
})

test('a process that we have overtaken is passed, however much of its own it still sends', async () => {
  const bench = new Bench()
  const shared = blocksOf(1, 1)
  await bench.append(...shared)
  const end = positionOf(shared[1] as Block)
  const first = bench.publish()
  await first.reached(1)
  await first.stop()
  const publisher = bench.publish({ journalled: end, high: 2n })
  const epoch = epochAfter(end, 1, 100)
  await bench.append(epoch)
  await publisher.reached(101)
  const theirs = blockAfter(end, 1, 'of the old process')
  bench.topic.write([theirs, blockAfter(positionOf(theirs), 3)].map((block) => journalMessage(LEDGER, block)))
  const ours = blockAfter(positionOf(epoch), 1)
  // A test's blocks are of epoch 0; nobody here looks at that.
  await bench.append(ours)
  await publisher.reached(ours.last)
  expect(bench.fatal).toEqual([])
  expect(bench.lines.join()).toContain('a process that was overtaken still writes')
  await publisher.stop()
})

test('a journal that is shorter than it was gets nothing more, and the ledger says so and goes on', async () => {
  const bench = new Bench()
  const blocks = blocksOf(1, 1, 1, 1)
  await bench.append(...blocks.slice(0, 2))
  const publisher = bench.publish()
  await publisher.reached(1)
  bench.topic.partitions[0]?.splice(0)
  await bench.append(blocks[2] as Block)
  while (publisher.trouble === undefined) await new Promise((resolve) => setTimeout(resolve, 1))
  expect(publisher.trouble).toMatchObject({ code: 'JOURNAL_WENT_BACK', exitCode: 21 })
  expect(publisher.position()).toBe(1)
  await bench.append(blocks[3] as Block)
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(bench.topic.values()).toHaveLength(1)
  expect(bench.fatal).toEqual([])
  const waiting = publisher.reached(2)
  await publisher.stop()
  await expect(waiting).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
})
