import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/adapters/memory-store.js'
import { type Position, positionOf, recordsOf } from '../../src/ledger/block.js'
import { ChainCheck, type CheckedRecord } from '../../src/ledger/chain.js'
import { TimeKeeper } from '../../src/ledger/clock.js'
import { LedgerError } from '../../src/ledger/errors.js'
import type { EventStore } from '../../src/ledger/event-store.js'
import { type Appended, Writer, type WriterOptions } from '../../src/ledger/writer.js'
import { Counter, type CounterAnswer, type CounterCommand } from '../support/counter.js'
import { FaultyStore } from '../support/faulty-store.js'
import { blocksOf, epochAfter } from '../support/logs.js'
import { ManualClock } from '../support/manual-clock.js'

interface Bench {
  readonly counter: Counter
  readonly writer: Writer<CounterCommand, CounterAnswer>
  readonly clock: ManualClock
  readonly fatal: LedgerError[]
}

const writerOn = (
  store: EventStore,
  cap: number,
  more: Partial<WriterOptions<CounterCommand, CounterAnswer>> = {},
): Bench => {
  const counter = new Counter(cap)
  const clock = new ManualClock()
  const fatal: LedgerError[] = []
  const onFatal = (error: LedgerError): void => void fatal.push(error)
  const timeKeeper = new TimeKeeper(clock)
  const writer = new Writer({
    store,
    decider: counter,
    timeKeeper,
    ledger: 'test',
    epoch: 0,
    position: undefined,
    onFatal,
    ...more,
  })
  return { counter, writer, clock, fatal }
}

/** Every record of a store, from a chain that was checked. */
const recordsIn = async (store: EventStore): Promise<readonly CheckedRecord[]> => {
  const chain = new ChainCheck()
  const records: CheckedRecord[] = []
  for await (const block of store.read(0)) records.push(...chain.add(block))
  chain.end((await store.head())?.leaf)
  return records
}

const totalIn = async (store: EventStore): Promise<number> =>
  (await recordsIn(store)).reduce((sum, { record }) => sum + (record.data['amount'] as number), 0)

const add = (amount: number, id = 0): CounterCommand => ({ kind: 'add', amount, id })
const settled = (promise: Promise<unknown>): Promise<boolean> =>
  Promise.race([promise.then(() => true), turns(5).then(() => false)])
const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate)
}

test('an answer carries the receipt of its record', async () => {
  const store = new MemoryStore()
  const { writer, counter } = writerOn(store, 10)
  const { said, receipt } = await writer.write(add(3))
  const [only] = await recordsIn(store)
  expect(said).toBe('added')
  expect(receipt).toEqual({ ledger: 'test', epoch: 0, seq: 0, leaf: only?.leaf })
  expect([counter.total, counter.position, writer.position]).toEqual([3, await store.head(), await store.head()])
})

test('commands that arrive together are one append, decided in order', async () => {
  const store = new FaultyStore(new MemoryStore())
  const { writer, counter } = writerOn(store, 10)
  const answers = await Promise.all([4, 5, 2, 1].map((amount) => writer.write(add(amount))))
  expect(answers.map(({ said, total }) => [said, total])).toEqual([
    ['added', 4],
    ['added', 9],
    ['refused', 9],
    ['added', 10],
  ])
  expect(store.appends).toBe(1)
  expect(answers.map(({ receipt }) => receipt?.seq)).toEqual([0, 1, undefined, 2])
  expect(counter.contexts.map(({ seq }) => seq)).toEqual([0, 1, 2, 2])
  expect((await store.head())?.block).toBe(0)
})

test('the receipt of several events is that of the last', async () => {
  const store = new MemoryStore()
  const { writer } = writerOn(store, 10)
  const [first, second] = await writer.writeAll([{ kind: 'add', amount: 1, times: 3 }, add(1)])
  expect(first).toMatchObject({ receipt: { seq: 2, leaf: (await recordsIn(store))[2]?.leaf } })
  expect(second).toMatchObject({ receipt: { seq: 3 } })
})

test('nobody is answered before the records are durable, not even those who only looked', async () => {
  const store = new FaultyStore(new MemoryStore())
  const { writer, counter } = writerOn(store, 10)
  const open = store.hold()
  const answers = [writer.write(add(1)), writer.write({ kind: 'look' })]
  expect(await Promise.all(answers.map(settled))).toEqual([false, false])
  expect([counter.total, writer.waiting]).toEqual([0, 2])
  open()
  expect((await Promise.all(answers)).map(({ total }) => total)).toEqual([1, 1])
  expect([counter.total, writer.waiting]).toEqual([1, 0])
})

test('one append is in flight at a time; what arrives meanwhile is the next one', async () => {
  const store = new FaultyStore(new MemoryStore())
  const { writer } = writerOn(store, 100)
  const open = store.hold()
  const first = writer.write(add(1))
  await turns(3)
  const others = [1, 1, 1].map((amount) => writer.write(add(amount)))
  await turns(3)
  expect(store.appends).toBe(1)
  open()
  await Promise.all([first, ...others])
  expect(store.appends).toBe(2)
})

test('a batch without events appends nothing, and is answered', async () => {
  const store = new FaultyStore(new MemoryStore())
  const { writer } = writerOn(store, 10)
  expect(await writer.write({ kind: 'look' })).toEqual({ said: 'seen', total: 0, receipt: undefined })
  expect(await writer.write(add(11))).toMatchObject({ said: 'refused', receipt: undefined })
  expect([store.appends, await store.head()]).toEqual([0, undefined])
})

test('a command that throws is rejected alone', async () => {
  const store = new MemoryStore()
  const { writer, fatal } = writerOn(store, 10)
  const [before, rejected, after] = await Promise.allSettled([
    writer.write(add(1)),
    writer.write({ kind: 'reject' }),
    writer.write(add(2)),
  ])
  expect(rejected).toMatchObject({ status: 'rejected', reason: { code: 'REJECTED' } })
  expect([before?.status, after?.status]).toEqual(['fulfilled', 'fulfilled'])
  expect(await writer.writeAll([add(1), { kind: 'reject' }, add(2)])).toEqual([
    expect.objectContaining({ total: 4 }),
    expect.objectContaining({ code: 'REJECTED' }),
    expect.objectContaining({ total: 6 }),
  ])
  expect([await totalIn(store), fatal]).toEqual([6, []])
})

test('a record that cannot be written rejects its command alone, and takes none of its events along', async () => {
  const store = new MemoryStore()
  const { writer, counter, fatal } = writerOn(store, 100)
  const commands: CounterCommand[] = [
    { kind: 'oversize' },
    add(1),
    { kind: 'oversize' },
    { kind: 'oversize' },
    add(2),
    { kind: 'look' },
  ]
  const answers = await writer.writeAll(commands)
  expect(answers.map((answer) => (answer instanceof LedgerError ? answer.code : answer.total))).toEqual([
    'RECORD_TOO_LARGE',
    1,
    'RECORD_TOO_LARGE',
    'RECORD_TOO_LARGE',
    3,
    3,
  ])
  expect([await totalIn(store), counter.total, fatal]).toEqual([3, 3, []])
})

test('many records that cannot be written cost about twice the work, not its square', async () => {
  const { writer, counter } = writerOn(new MemoryStore(), 10_000)
  const commands = Array.from(
    { length: 400 },
    (_, index): CounterCommand => (index % 2 === 0 ? add(1) : { kind: 'oversize' }),
  )
  await writer.writeAll(commands)
  expect(counter.total).toBe(200)
  expect(counter.contexts.length).toBeLessThanOrEqual(3 * commands.length)
})

test('a defect ends the writer: nobody waiting is answered, nothing is written any more', async () => {
  const store = new MemoryStore()
  const { writer, fatal } = writerOn(store, 10)
  const outcomes = await Promise.allSettled([
    writer.write(add(1)),
    writer.write({ kind: 'defect' }),
    writer.write(add(1)),
  ])
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(fatal).toMatchObject([{ code: 'BROKEN_INVARIANT', retry: 'after-restart' }])
  await expect(writer.write(add(1))).rejects.toMatchObject({ code: 'BROKEN_INVARIANT' })
  expect(await store.head()).toBeUndefined()
})

test.each(['lost', 'kept'] as const)(
  'an append that fails, and is %s, is answered to nobody and is the last one',
  async (fault) => {
    const store = new FaultyStore(new MemoryStore())
    const { writer, counter, fatal } = writerOn(store, 10)
    store.plan.push('fine', fault)
    await writer.write(add(1))
    const outcomes = await Promise.allSettled([
      writer.write(add(2)),
      writer.write({ kind: 'look' }),
      writer.writeAll([add(1)]),
    ])
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'APPEND_UNCERTAIN' } })
    await expect(writer.write(add(1))).rejects.toMatchObject({
      code: 'APPEND_UNCERTAIN',
      retry: 'after-restart',
      exitCode: 3,
    })
    await expect(writer.writeAll([add(1)])).rejects.toMatchObject({ code: 'APPEND_UNCERTAIN' })
    expect(fatal).toHaveLength(1)
    expect([store.appends, counter.total, writer.waiting]).toEqual([2, 1, 0])
    expect(await totalIn(store)).toBe(fault === 'kept' ? 4 : 1)
  },
)

test('whoever loses a race reads what is new and decides again', async () => {
  const store = new MemoryStore()
  const [one, two] = [writerOn(store, 10), writerOn(store, 10)]
  expect(await one.writer.write(add(6))).toMatchObject({ said: 'added' })
  expect(await two.writer.write(add(6))).toMatchObject({ said: 'refused', total: 6 })
  expect(await two.writer.write(add(4))).toMatchObject({ said: 'added', total: 10, receipt: { seq: 1 } })
  expect(two.counter.position).toEqual(await store.head())
  expect([one.fatal, two.fatal]).toEqual([[], []])
})

test('racing writers never pass the cap together, and every answer stands in the log', async () => {
  const amounts = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(amounts, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 5 }),
      async (plans, maxBatch) => {
        const store = new MemoryStore()
        const benches = plans.map(() => writerOn(store, 100, { maxBatch }))
        const answers = await Promise.all(
          plans.flatMap((plan, index) =>
            plan.map((amount, id) => (benches[index] as Bench).writer.write(add(amount, id))),
          ),
        )
        const records = await recordsIn(store)
        expect(await totalIn(store)).toBeLessThanOrEqual(100)
        const added = answers.filter(({ said }) => said === 'added')
        expect(added.map(({ receipt }) => receipt?.seq).sort((a, b) => (a as number) - (b as number))).toEqual(
          records.map(({ record }) => record.seq),
        )
        for (const { receipt } of added) expect(records[receipt?.seq as number]?.leaf).toBe(receipt?.leaf)
        for (const { writer } of benches) await writer.stop()
      },
    ),
    { numRuns: 60 },
  )
})

test('through any faults, what was answered is in the log, and the log is never beyond the cap', async () => {
  const fault = fc.constantFrom<'fine' | 'lost' | 'kept'>('fine', 'fine', 'fine', 'fine', 'lost', 'kept')
  const command = fc.oneof(
    fc.integer({ min: 1, max: 9 }).map((amount): CounterCommand => add(amount)),
    fc.constantFrom<CounterCommand>({ kind: 'look' }, { kind: 'reject' }, { kind: 'oversize' }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(fault),
      fc.array(command, { maxLength: 40 }),
      fc.integer({ min: 1, max: 4 }),
      async (plan, commands, maxBatch) => {
        const store = new FaultyStore(new MemoryStore())
        store.plan.push(...plan)
        const { writer, counter, fatal } = writerOn(store, 60, { maxBatch })
        const outcomes = await Promise.allSettled(commands.map((one) => writer.write(one)))
        const answers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
        const records = await recordsIn(store)
        const total = await totalIn(store)
        expect(total).toBeLessThanOrEqual(60)
        for (const { receipt } of answers)
          if (receipt !== undefined) expect(records[receipt.seq]?.leaf).toBe(receipt.leaf)
        expect(Math.max(0, ...answers.map((answer) => answer.total))).toBeLessThanOrEqual(counter.total)
        expect(counter.total).toBeLessThanOrEqual(total)
        if (fatal.length === 0) expect(counter.total).toBe(total)
        expect(fatal.length).toBeLessThanOrEqual(1)
      },
    ),
    { numRuns: 100 },
  )
})

test('batches are bounded by commands and by bytes, and keep the order', async () => {
  const byCount = new FaultyStore(new MemoryStore())
  await writerOn(byCount, 100, { maxBatch: 4 }).writer.writeAll(Array.from({ length: 10 }, (_, id) => add(1, id)))
  expect(byCount.appends).toBe(3)
  const byBytes = new FaultyStore(new MemoryStore())
  await writerOn(byBytes, 100, { maxBatchBytes: 500 }).writer.writeAll(
    Array.from({ length: 10 }, (_, id) => add(1, id)),
  )
  expect(byBytes.appends).toBe(4)
  for (const store of [byCount, byBytes]) {
    expect((await recordsIn(store)).map(({ record }) => record.data['id'])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  }
})

test('a decision of several records is the last of its batch', async () => {
  const store = new FaultyStore(new MemoryStore())
  const many: CounterCommand = { kind: 'add', amount: 1, times: 2 }
  const { writer } = writerOn(store, 100)
  await writer.writeAll([add(1, 1), many, many, add(1, 2), add(1, 3)])
  expect(store.appends).toBe(3)
  expect((await store.head())?.seq).toBe(6)
})

test('an append beyond 512 KiB is several blocks in one write', async () => {
  const store = new FaultyStore(new MemoryStore())
  const { writer } = writerOn(store, 10_000)
  await writer.writeAll([{ kind: 'add', amount: 1, times: 4_000 }])
  expect([store.appends, (await store.head())?.block]).toEqual([1, 1])
  expect(await totalIn(store)).toBe(4_000)
})

test('more commands than may wait are refused at once, whole', async () => {
  const store = new FaultyStore(new MemoryStore())
  const { writer } = writerOn(store, 100, { maxWaiting: 3 })
  const open = store.hold()
  const waiting = [writer.write(add(1)), writer.write(add(1))]
  await expect(writer.writeAll([add(1), add(1)])).rejects.toMatchObject({ code: 'BUSY', retry: 'now' })
  waiting.push(writer.write(add(1)))
  await expect(writer.write(add(1))).rejects.toMatchObject({ code: 'BUSY' })
  open()
  await Promise.all(waiting)
  expect(await writer.write(add(1))).toMatchObject({ total: 4 })
})

test('stopping answers everybody who waits, and nobody after', async () => {
  const store = new MemoryStore()
  const { writer } = writerOn(store, 100, { maxBatch: 2 })
  const waiting = [1, 1, 1, 1, 1].map((amount) => writer.write(add(amount)))
  const stopped = writer.stop()
  await expect(writer.write(add(1))).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
  await stopped
  expect((await Promise.all(waiting)).map(({ total }) => total)).toEqual([1, 2, 3, 4, 5])
  expect(writer.waiting).toBe(0)
})

test('every record of a batch has the same instant, and none goes back', async () => {
  const store = new MemoryStore()
  const { writer, clock, counter } = writerOn(store, 100)
  await writer.writeAll([add(1), add(1)])
  clock.step(-3_600_000)
  await writer.write(add(1))
  clock.pass(7_200_000)
  await writer.write(add(1))
  expect((await recordsIn(store)).map(({ record }) => record.at)).toEqual([
    '2026-01-01T00:00:00.000Z',
    '2026-01-01T00:00:00.000Z',
    '2026-01-01T00:00:00.000Z',
    '2026-01-01T02:00:00.000Z',
  ])
  expect(counter.contexts.map(({ clockDoubt }) => clockDoubt)).toEqual([false, false, true, true])
})

test('a clock that shows no time ends the writer', async () => {
  const { writer, clock, fatal } = writerOn(new MemoryStore(), 100)
  clock.step(Number.NaN)
  await expect(writer.write(add(1))).rejects.toMatchObject({ code: 'CLOCK_UNREADABLE' })
  expect(fatal).toHaveLength(1)
})

test('a writer that finds a later epoch in its store stops for good', async () => {
  const store = new MemoryStore()
  const { writer, fatal } = writerOn(store, 100)
  await writer.write(add(1))
  const head = writer.position
  if (head === undefined) throw new Error('no head')
  await store.append([epochAfter(head, 1, 5)], head)
  await expect(writer.write(add(1))).rejects.toMatchObject({ code: 'FENCED', exitCode: 11 })
  expect(fatal).toMatchObject([{ code: 'FENCED' }])
})

test('a store that was exchanged for an older or another one is not written to', async () => {
  const empty = writerOn(new MemoryStore(), 100, { position: { block: 3, seq: 9, leaf: 'd'.repeat(64) } })
  await expect(empty.writer.write(add(1))).rejects.toMatchObject({ code: 'STORE_WENT_BACK', exitCode: 21 })
  const other = new MemoryStore()
  const blocks = blocksOf(1, 1)
  await other.append(blocks, undefined)
  const [first] = blocks
  if (first === undefined) throw new Error('no block')
  const forked = writerOn(other, 100, { position: { ...positionOf(first), leaf: 'e'.repeat(64) } })
  await expect(forked.writer.write(add(1))).rejects.toMatchObject({ code: 'CHAIN_BROKEN', exitCode: 20 })
  expect(await other.head()).toEqual(positionOf(blocks[1] as (typeof blocks)[1]))
  expect([...recordsOf(first)]).toHaveLength(1)
})

test('writing nothing is answered with nothing', async () => {
  const { writer } = writerOn(new MemoryStore(), 100)
  expect(await writer.writeAll([])).toEqual([])
  await writer.idle()
})

test('every append that was kept is told, with what it held and how long the store took', async () => {
  const store = new FaultyStore(new MemoryStore())
  const told: Appended[] = []
  const { writer, clock } = writerOn(store, 100, { onAppend: (appended) => told.push(appended) })
  const release = store.hold()
  const many = writer.writeAll([add(1), { kind: 'reject' }, { kind: 'look' }, { kind: 'add', amount: 1, times: 3 }])
  while (store.appends === 0) await turns(1)
  clock.pass(7)
  clock.step(3_600_000)
  release()
  await many
  expect(told).toEqual([{ commands: 4, records: 4, durationMs: 7 }])
  await writer.write({ kind: 'look' })
  expect(told).toHaveLength(1)
  store.plan.push('lost')
  await expect(writer.write(add(1))).rejects.toMatchObject({ code: 'APPEND_UNCERTAIN' })
  expect(told).toHaveLength(1)
})

test('a call in order goes no further than the first answer that blocks', async () => {
  const store = new MemoryStore()
  const { writer } = writerOn(store, 100)
  const commands: CounterCommand[] = [add(1, 0), { kind: 'later', id: 1, tries: 2 }, add(1, 2), add(1, 3)]
  const [ordered, other] = await Promise.all([writer.writeInOrder(commands), writer.write(add(1, 9))])
  expect(ordered).toMatchObject([{ said: 'added' }, { said: 'later' }])
  expect(other).toMatchObject({ said: 'added', total: 2 })
  expect(await writer.writeInOrder(commands.slice(1))).toMatchObject([{ said: 'later' }])
  expect(await writer.writeInOrder(commands.slice(1))).toMatchObject([
    { said: 'added' },
    { said: 'added' },
    { said: 'added' },
  ])
  expect((await recordsIn(store)).map(({ record }) => record.data['id'])).toEqual([0, 9, 1, 2, 3])
})

test.each<[string, CounterCommand]>([
  ['is rejected', { kind: 'reject' }],
  ['cannot be written', { kind: 'oversize' }],
])('a call in order goes no further than a command that %s', async (_, bad) => {
  const store = new MemoryStore()
  const { writer } = writerOn(store, 100, { maxBatch: 2 })
  const [answers, other] = await Promise.all([
    writer.writeInOrder([add(1, 0), add(1, 1), bad, add(1, 3), add(1, 4), add(1, 5)]),
    writer.writeAll([add(1, 9)]),
  ])
  expect(answers.slice(0, 2)).toMatchObject([{ total: 1 }, { total: 2 }])
  expect([answers.length, answers[2] instanceof LedgerError]).toEqual([3, true])
  expect(other).toMatchObject([{ said: 'added' }])
  expect((await recordsIn(store)).map(({ record }) => record.data['id'])).toEqual([0, 1, 9])
})

/** Sends a call in order, again from where it stopped, until every command has its last word. */
const insist = async (
  writer: Writer<CounterCommand, CounterAnswer>,
  commands: readonly CounterCommand[],
): Promise<number> => {
  let calls = 0
  for (let done = 0; done < commands.length; calls++) {
    const answers = await writer.writeInOrder(commands.slice(done))
    const last = answers.at(-1)
    const isFinal = last instanceof LedgerError || last?.said !== 'later'
    done += isFinal ? answers.length : answers.length - 1
  }
  return calls
}

test('no command of a call in order is decided before an earlier one, and none twice, however batches fall', async () => {
  const command = (id: number): fc.Arbitrary<CounterCommand> =>
    fc.oneof(
      {
        weight: 5,
        arbitrary: fc
          .integer({ min: 1, max: 3 })
          .map((times): CounterCommand => ({ kind: 'add', amount: 1, id, times })),
      },
      {
        weight: 3,
        arbitrary: fc.integer({ min: 0, max: 3 }).map((tries): CounterCommand => ({ kind: 'later', id, tries })),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom<CounterCommand>({ kind: 'look' }, { kind: 'reject' }, { kind: 'oversize' }),
      },
    )
  const calls = fc
    .array(fc.nat(12), { minLength: 1, maxLength: 4 })
    .chain((sizes) =>
      fc.tuple(
        ...sizes.map((size, call) =>
          fc.tuple(...Array.from({ length: size }, (_, place) => command(call * 100 + place))),
        ),
      ),
    )
  const size = fc.record({ maxBatch: fc.integer({ min: 1, max: 7 }), maxBatchBytes: fc.constantFrom(1, 700, 1e6) })
  await fc.assert(
    fc.asyncProperty(calls, size, fc.nat(5), fc.nat(3), async (lists, sizes, races, slow) => {
      const store = new MemoryStore()
      const confirm = () => (slow === 0 ? undefined : turns(slow))
      const { writer } = writerOn(store, 1e6, { ...sizes, confirm })
      const rival = writerOn(store, 1e6)
      const others = Array.from({ length: races }, (_, index) => rival.writer.write(add(1, 9_000 + index)))
      const loose = writer.writeAll([add(1, 8_000), { kind: 'later', id: 8_001, tries: 9 }, add(1, 8_002)])
      await Promise.all([...lists.map((list) => insist(writer, list)), ...others, loose])
      const ids = (await recordsIn(store)).map(({ record }) => record.data['id'] as number)
      for (const [call, list] of lists.entries()) {
        const written = ids.filter((id) => Math.floor(id / 100) === call && id < 8_000)
        const expected = list.flatMap((one, place) => {
          if (one.kind === 'later') return [call * 100 + place]
          return one.kind === 'add' ? new Array<number>(one.times ?? 1).fill(call * 100 + place) : []
        })
        expect(written).toEqual(expected)
      }
      expect(ids.filter((id) => id >= 8_000 && id < 9_000)).toEqual([8_000, 8_002])
      expect(writer.waiting).toBe(0)
    }),
    { numRuns: 200 },
  )
})

/** Confirmations that come when the test says so. */
class Confirmations {
  readonly #waiting: { readonly seq: number; readonly resolve: () => void; readonly reject: (error: Error) => void }[] =
    []

  readonly confirm = ({ seq }: Position): Promise<void> =>
    new Promise((resolve, reject) => this.#waiting.push({ seq, resolve, reject }))

  get seqs(): readonly number[] {
    return this.#waiting.map(({ seq }) => seq)
  }

  next(error?: Error): void {
    const first = this.#waiting.shift()
    if (error === undefined) first?.resolve()
    else first?.reject(error)
  }
}

test('answers are held until their position is confirmed, while the next batch is written', async () => {
  const store = new FaultyStore(new MemoryStore())
  const confirmations = new Confirmations()
  const { writer } = writerOn(store, 100, { confirm: confirmations.confirm })
  const first = writer.write(add(1, 0))
  await turns(5)
  const second = writer.write(add(1, 1))
  await turns(5)
  const third = writer.write({ kind: 'look' })
  await turns(5)
  expect([store.appends, writer.waiting, confirmations.seqs]).toEqual([2, 3, [0, 1, 1]])
  expect(await Promise.all([first, second, third].map(settled))).toEqual([false, false, false])
  confirmations.next()
  expect(await first).toMatchObject({ said: 'added', receipt: { seq: 0 } })
  expect(await Promise.all([second, third].map(settled))).toEqual([false, false])
  confirmations.next()
  confirmations.next()
  expect(await second).toMatchObject({ receipt: { seq: 1 } })
  expect(await third).toMatchObject({ said: 'seen', total: 2 })
  expect(writer.waiting).toBe(0)
})

test('held answers count as waiting: more than may wait are refused, and a stop waits for them', async () => {
  const confirmations = new Confirmations()
  const { writer } = writerOn(new MemoryStore(), 100, { confirm: confirmations.confirm, maxWaiting: 2 })
  const waiting = writer.writeAll([add(1), add(1)])
  await turns(5)
  await expect(writer.write(add(1))).rejects.toMatchObject({ code: 'BUSY' })
  const stopped = writer.stop()
  expect(await settled(stopped)).toBe(false)
  confirmations.next()
  await stopped
  expect(await waiting).toHaveLength(2)
})

test('what is never confirmed is answered with its error, and the writer goes on', async () => {
  const store = new MemoryStore()
  const confirmations = new Confirmations()
  const { writer, fatal } = writerOn(store, 100, { confirm: confirmations.confirm })
  const lost = writer.write(add(1, 0))
  await turns(5)
  confirmations.next(new LedgerError('SHUTTING_DOWN', 'the journal was closed', { retry: 'now' }))
  await expect(lost).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
  const next = writer.write(add(1, 1))
  await turns(5)
  confirmations.next()
  expect(await next).toMatchObject({ said: 'added', total: 2 })
  expect(fatal).toEqual([])
  const broken = writer.write(add(1, 2))
  await turns(5)
  confirmations.next(new TypeError('a defect'))
  await expect(broken).rejects.toMatchObject({ code: 'BROKEN_INVARIANT' })
  expect(fatal).toMatchObject([{ code: 'BROKEN_INVARIANT' }])
  await expect(writer.write(add(1, 3))).rejects.toMatchObject({ code: 'BROKEN_INVARIANT' })
  expect(await totalIn(store)).toBe(3)
})
