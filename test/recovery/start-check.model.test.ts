import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/adapters/memory-store.js'
import { chainAt } from '../../src/budget/catch-up.js'
import { type Block, BlockBuilder, type Position, recordsOf } from '../../src/ledger/block.js'
import { ChainCheck, type ChainState } from '../../src/ledger/chain.js'
import { LedgerError } from '../../src/ledger/errors.js'
import { decodeRecord, GENESIS_PREV } from '../../src/ledger/record.js'
import { checkAtStart } from '../../src/recovery/start-check.js'
import { blocksOf, collect } from '../support/logs.js'
import { type JournalFate, MemoryTopics } from '../support/memory-topics.js'

/** `RUNS=10000 npx vitest run test/recovery/start-check.model.test.ts` is the long form. */
const RUNS = Number(process.env['RUNS'] ?? 200)
const LEDGER = 'ours'

/** One process on one data directory. Only one is started at a time, but older ones may go on for a while. */
interface Process {
  readonly store: MemoryStore
  /** The first of its blocks that it has not sent to the journal. */
  unsent: number
  /** Another one has the place of a block that it sent: it writes nothing any more. */
  isFenced: boolean
}

/** Everything that happens around a ledger whose answers wait for the journal. */
class World {
  readonly topics = new MemoryTopics()
  readonly copies: (readonly Block[])[] = []
  readonly older: Process[] = []
  serving: Process | undefined
  /** The highest number that any process has written, answered or not. */
  highest = 0
  #notes = 0

  async begin(): Promise<void> {
    const store = new MemoryStore()
    await store.append(blocksOf(1), undefined)
    this.serving = { store, unsent: 0, isFenced: false }
    this.copies.push(await collect(store.read(0)))
    await this.publish(1)
  }

  async append(sizes: readonly number[]): Promise<void> {
    if (this.serving === undefined) return
    const { store } = this.serving
    for (const size of sizes) {
      const head = (await store.head()) as Position
      const block = await this.#block(store, head, size)
      await store.append([block], head)
      this.highest = Math.max(this.highest, block.last)
    }
  }

  /** The publisher never sends a block before those below it; a lost acknowledgement makes it send one again. */
  async publish(count: number, again = 0): Promise<void> {
    if (this.serving !== undefined) await this.#publish(this.serving, count, again)
  }

  async copy(): Promise<void> {
    if (this.serving !== undefined) this.copies.push(await collect(this.serving.store.read(0)))
  }

  /** A process that should be dead sends once more; its publisher then sees that another one has the place. */
  async late(which: number): Promise<void> {
    const process = this.older[which % Math.max(1, this.older.length)]
    if (process !== undefined) await this.#publish(process, 1 + (which % 5), which % 2)
  }

  /** Processes that should be dead may still write while the copy is brought up: as many blocks as `late` says. */
  async restore(which: number, plan: readonly JournalFate[], interrupted: number, late: number): Promise<void> {
    const blocks = this.copies[which % this.copies.length] as readonly Block[]
    const store = new MemoryStore()
    await store.append(blocks, undefined)
    let left = late
    this.topics.onAppend = async () => {
      if (left-- > 0) await this.late(left)
    }
    await this.start({ store, unsent: 0, isFenced: false }, plan, interrupted)
  }

  /** Starts until it is not interrupted any more; `interrupted` appends to the log fail on the way. */
  async start(process: Process, plan: readonly JournalFate[], interrupted: number): Promise<void> {
    const { store } = process
    if (this.serving !== undefined && this.serving !== process) this.older.push(this.serving)
    this.serving = undefined
    this.topics.plan.splice(0, Number.POSITIVE_INFINITY, ...plan)
    const before = (await store.head()) as Position
    const append = store.append.bind(store)
    let left = interrupted
    store.append = async (added, after) => {
      if (left-- > 0) throw new Error('interrupted')
      return append(added, after)
    }
    for (;;) {
      try {
        await checkAtStart(
          { ledger: LEDGER, store, topics: this.topics },
          { seen: { position: undefined, path: '' }, stamp: (lastAt) => lastAt, progress: () => {} },
        )
        break
      } catch (error) {
        if (!(error instanceof LedgerError)) continue
        // Only what went on by itself, and was never answered, may be refused.
        expect(error.code).toBe('FORKED')
        expect(await this.#isApart(store)).toBe(true)
        store.append = append
        return
      }
    }
    store.append = append
    await this.#check(process, before)
    this.serving = process
  }

  /** The blocks that count, by a look at the whole journal: the first one that follows takes the place. */
  counting(): readonly Block[] {
    const counting: Block[] = []
    let state: ChainState | undefined
    for (const { ledger, block } of this.topics.messages) {
      if (ledger !== LEDGER || !follows(block, counting.at(-1))) continue
      const chain = new ChainCheck(state)
      chain.add(block)
      state = chain.state
      counting.push(block)
    }
    return counting
  }

  async #isApart(store: MemoryStore): Promise<boolean> {
    const counting = this.counting()
    const log = await collect(store.read(0))
    return log.some((block) => counting[block.number] !== undefined && counting[block.number]?.leaf !== block.leaf)
  }

  async #check({ store }: Process, before: Position): Promise<void> {
    const counting = this.counting()
    const log = await collect(store.read(0))
    const chain = new ChainCheck()
    for (const block of log) chain.add(block)
    // Whatever was answered is in the log, byte for byte.
    expect(log.slice(0, counting.length).map(({ leaf }) => leaf)).toEqual(counting.map(({ leaf }) => leaf))
    const { seq } = (await store.head()) as Position
    if (seq === before.seq) return
    // It was an older copy: no number that anybody has written is given out again.
    expect(seq).toBeGreaterThan(this.highest)
    expect(log).toHaveLength(counting.length)
    this.highest = seq
  }

  async #publish(process: Process, count: number, again: number): Promise<void> {
    if (process.isFenced) return
    const blocks = await collect(process.store.read(0))
    const to = Math.min(blocks.length, process.unsent + count)
    const sent = blocks.slice(Math.max(0, process.unsent - again), to)
    this.topics.put(LEDGER, ...sent)
    const counting = this.counting()
    process.isFenced = sent.some((block) => counting[block.number]?.leaf !== block.leaf)
    process.unsent = to
    if (process.isFenced && process === this.serving) {
      this.older.push(process)
      this.serving = undefined
    }
  }

  async #block(store: MemoryStore, head: Position, size: number): Promise<Block> {
    const { epoch, at } = (await chainAt(store, head)) as ChainState
    const builder = new BlockBuilder(head)
    for (let index = 0; index < size; index++) {
      const data = { note: this.#notes++ }
      builder.add({ at, by: 'service:test', cause: { kind: 'http' }, data, epoch, type: 'Noted', v: 1 })
    }
    return builder.blocks()[0] as Block
  }
}

const follows = (block: Block, before: Block | undefined): boolean => {
  const [first] = recordsOf(block)
  return decodeRecord(first?.bytes ?? Buffer.alloc(0)).prev === (before?.leaf ?? GENESIS_PREV)
}

type Step = (world: World) => Promise<void>

const few = fc.nat({ max: 6 })
const fate = fc.constantFrom<JournalFate>('fine', 'lost', 'kept', 'twice')
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 5 }).map(
      (sizes): Step =>
        (world) =>
          world.append(sizes),
    ),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(few, few).map(
      ([count, again]): Step =>
        (world) =>
          world.publish(count, again),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.nat({ max: 80 }).map(
      (count): Step =>
        async (world) => {
          for (let index = 0; index < count; index++) world.topics.put('theirs', ...blocksOf(1))
        },
    ),
  },
  { weight: 2, arbitrary: fc.constant<Step>((world) => world.copy()) },
  {
    weight: 2,
    arbitrary: few.map(
      (which): Step =>
        (world) =>
          world.late(which),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.nat(), fc.array(fate, { maxLength: 3 }), fc.nat({ max: 2 }), fc.nat({ max: 3 })).map(
      ([which, plan, interrupted, late]): Step =>
        (world) =>
          world.restore(which, plan, interrupted, late),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(), fc.array(fate, { maxLength: 2 })).map(
      ([which, plan]): Step =>
        async (world) => {
          const processes = [...world.older, ...(world.serving === undefined ? [] : [world.serving])]
          const process = processes[which % Math.max(1, processes.length)]
          if (process !== undefined) await world.start(process, plan, 0)
        },
    ),
  },
)

test('whatever is copied, restored, interrupted and overtaken, nothing that was answered is lost, and no number is given out twice', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 5, maxLength: 40 }), async (history) => {
      const world = new World()
      await world.begin()
      for (const step of history) await step(world)
    }),
    { numRuns: RUNS },
  )
})
