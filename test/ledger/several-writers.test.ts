import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { MemoryStore } from '../../src/adapters/memory-store.js'
import type { Block, Position } from '../../src/ledger/block.js'
import { ChainCheck } from '../../src/ledger/chain.js'
import { TimeKeeper } from '../../src/ledger/clock.js'
import type { LedgerError } from '../../src/ledger/errors.js'
import type { EventStore } from '../../src/ledger/event-store.js'
import { Writer } from '../../src/ledger/writer.js'
import { Counter, type CounterAnswer, type CounterCommand } from '../support/counter.js'
import { ManualClock } from '../support/manual-clock.js'
import { PiecewiseStore } from '../support/piecewise-store.js'

interface Instance {
  readonly counter: Counter
  readonly writer: Writer<CounterCommand, CounterAnswer>
  readonly fatal: LedgerError[]
  /** Takes in what others append, until it is called. */
  readonly end: () => Promise<void>
}

/** A writer as a service has it on a shared store, following it or not. */
const instanceOn = (
  store: EventStore,
  { cap, follows = true, maxBatch = 5_000 }: { cap: number; follows?: boolean; maxBatch?: number },
): Instance => {
  const counter = new Counter(cap)
  const fatal: LedgerError[] = []
  const writer = new Writer({
    store,
    decider: counter,
    timeKeeper: new TimeKeeper(new ManualClock()),
    ledger: 'test',
    epoch: 0,
    position: undefined,
    maxBatch,
    onFatal: (error) => void fatal.push(error),
  })
  const abort = new AbortController()
  const following = (async () => {
    if (!follows) return
    for await (const block of store.subscribe(0, abort.signal)) await writer.takeIn(block)
  })()
  const end = async (): Promise<void> => {
    abort.abort()
    await following
    await writer.stop()
  }
  return { counter, writer, fatal, end }
}

const idsIn = async (store: EventStore): Promise<readonly number[]> => {
  const chain = new ChainCheck()
  const ids: number[] = []
  for await (const block of store.read(0))
    ids.push(...chain.add(block).map(({ record }) => record.data['id'] as number))
  chain.end((await store.head())?.leaf)
  return ids
}

const add = (amount: number, id = 0): CounterCommand => ({ kind: 'add', amount, id })

test('a writer that has nothing to write takes in what others append, each block once', async () => {
  const store = new MemoryStore()
  const [busy, idle] = [instanceOn(store, { cap: 100 }), instanceOn(store, { cap: 100 })]
  for (const id of [1, 2, 3]) await busy.writer.write(add(id, id))
  const head = await store.head()
  await vi.waitFor(() => expect(idle.writer.position).toEqual(head), { timeout: 60_000, interval: 1 })
  await Promise.all([busy.end(), idle.end()])
  expect([busy.counter.total, idle.counter.total]).toEqual([6, 6])
})

test('a block beyond the next one is fetched with those before it, and one that is known is passed over', async () => {
  const store = new MemoryStore()
  const writing = instanceOn(store, { cap: 100, follows: false })
  for (const id of [1, 2, 3]) await writing.writer.write(add(1, id))
  const late = instanceOn(store, { cap: 100, follows: false })
  await late.writer.takeIn(store.blockOf(2) as Block)
  expect(late.counter.total).toBe(3)
  await late.writer.takeIn(store.blockOf(1) as Block)
  expect([late.counter.total, late.writer.position]).toEqual([3, await store.head()])
})

test('what is taken in has to fit the chain, else nothing is ever written again', async () => {
  const store = new MemoryStore()
  const writing = instanceOn(store, { cap: 100, follows: false })
  await writing.writer.write(add(1, 1))
  const bytes = Buffer.from(
    Buffer.from((store.blockOf(0) as Block).bytes)
      .toString()
      .replace('"amount":1', '"amount":2'),
  )
  const other = instanceOn(store, { cap: 100, follows: false })
  const taken = other.writer.takeIn({ ...(store.blockOf(0) as Block), bytes })
  await expect(taken).rejects.toMatchObject({ code: 'CHAIN_BROKEN' })
  expect(other.fatal).toMatchObject([{ code: 'CHAIN_BROKEN' }])
  await expect(other.writer.write(add(1))).rejects.toMatchObject({ code: 'CHAIN_BROKEN' })
  await expect(other.writer.takeIn(store.blockOf(0) as Block)).rejects.toMatchObject({ code: 'CHAIN_BROKEN' })
})

/** Appends a record of a rival's before each of the first appends. */
class ContestedStore extends MemoryStore {
  readonly sizes: number[] = []

  constructor(
    private contests: number,
    private readonly rival: (store: EventStore) => Promise<void>,
  ) {
    super()
  }

  override async append(blocks: readonly Block[], after: Position | undefined): Promise<Position> {
    if (this.contests-- > 0) await this.rival(this)
    this.sizes.push(blocks.reduce((size, { first, last }) => size + last - first + 1, 0))
    return super.append(blocks, after)
  }
}

test('a writer that keeps coming second decides less at a time, and more again when it comes first', async () => {
  let rivals = 0
  const contested = new ContestedStore(4, async (store) => {
    const inner = Object.create(store, { append: { value: MemoryStore.prototype.append } }) as EventStore
    const rival = instanceOn(inner, { cap: 1_000, follows: false })
    await rival.writer.write(add(1, --rivals))
  })
  const { writer, counter } = instanceOn(contested, { cap: 1_000, follows: false, maxBatch: 64 })
  await writer.writeAll(Array.from({ length: 64 }, (_, id) => add(1, id)))
  expect(contested.sizes).toEqual([64, 32, 16, 8, 4, 8, 16, 32, 4])
  expect(counter.total).toBe(64 + 4)
  expect([...(await idsIn(contested))].sort((a, b) => a - b).slice(0, 5)).toEqual([-4, -3, -2, -1, 0])
})

test('where blocks are kept one by one, what others are told never shares an append with a command of many', async () => {
  const store = new PiecewiseStore()
  const { writer } = instanceOn(store, { cap: 1_000_000, follows: false })
  const many: CounterCommand = { kind: 'add', amount: 1, times: 6_000, id: 2 }
  const answers = await writer.writeAll([add(1, 1), many, add(1, 3)])
  expect(answers.map((answer) => ('said' in answer ? answer.said : answer))).toEqual(['added', 'added', 'added'])
  const firsts: number[][] = []
  for await (const { first, last } of store.read(0)) firsts.push([first, last])
  expect(firsts[0]).toEqual([0, 0])
  expect(firsts[1]?.[0]).toBe(1)
  expect(firsts.length).toBeGreaterThan(3)
  expect(firsts.at(-1)).toEqual([6_001, 6_001])
})

test('several writers on one store never pass the cap together, answer everybody, and write each command once', async () => {
  const command = fc.record({ writer: fc.nat(2), amount: fc.integer({ min: 1, max: 9 }), pause: fc.nat(3) })
  const runs = fc.array(command, { minLength: 1, maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(runs, fc.integer({ min: 1, max: 120 }), fc.boolean(), async (commands, cap, piecewise) => {
      const store = piecewise ? new PiecewiseStore() : new MemoryStore()
      const instances = [0, 1, 2].map((index) => instanceOn(store, { cap, follows: index !== 2 }))
      const answers: Promise<CounterAnswer>[] = []
      for (const [id, { writer, amount, pause }] of commands.entries()) {
        answers.push((instances[writer] as Instance).writer.write(add(amount, id)))
        for (let turn = 0; turn < pause; turn++) await new Promise(setImmediate)
      }
      const said = (await Promise.all(answers)).map((answer) => answer.said)
      await Promise.all(instances.map(({ end }) => end()))
      const ids = await idsIn(store)
      const added = commands.flatMap((_, id) => (said[id] === 'added' ? [id] : []))
      expect([...ids].sort((a, b) => a - b)).toEqual(added)
      const total = added.reduce((sum, id) => sum + (commands[id]?.amount ?? 0), 0)
      expect(total).toBeLessThanOrEqual(cap)
      // A refusal was true: what was refused would not have fitted when everything was in.
      for (const [id, { amount }] of commands.entries())
        if (said[id] === 'refused') expect(total + amount).toBeGreaterThan(cap)
      expect(instances.flatMap(({ fatal }) => fatal)).toEqual([])
    }),
    { numRuns: 200 },
  )
})

test('those who ask for what is new, again and again, do not keep a command from being decided', async () => {
  const { writer, end } = instanceOn(new MemoryStore(), { cap: 1, follows: false })
  let answered = false
  let looks = 0
  const asker = async (): Promise<void> => {
    for (; !answered && looks < 1_000; looks++) await writer.refresh()
  }
  const askers = [asker(), asker(), asker()]
  await writer.write({ kind: 'add', amount: 1 }).finally(() => {
    answered = true
  })
  expect(looks).toBeLessThan(100)
  await Promise.all(askers)
  await end()
})

test('one look at the store is for all who ask for what is new at the same time', async () => {
  const store = new MemoryStore()
  const { writer, end } = instanceOn(store, { cap: 1, follows: false })
  const reads = vi.spyOn(store, 'read')
  await Promise.all(Array.from({ length: 100 }, () => writer.refresh()))
  expect(reads).toHaveBeenCalledTimes(1)
  await end()
})
