import fc from 'fast-check'
import type { KafkaMessage } from 'kafkajs'
import { beforeAll, expect, test } from 'vitest'
import { MemoryStore } from '../../src/adapters/memory-store.js'
import { splitIntoParts } from '../../src/budget/parts.js'
import { type DecisionRecord, decisionMessage } from '../../src/kafka/decision-message.js'
import { DecisionsPublisher } from '../../src/kafka/decisions-publisher.js'
import { Reached } from '../../src/kafka/reached.js'
import { SteadyProducer } from '../../src/kafka/steady-producer.js'
import type { OutgoingMessage } from '../../src/kafka/wire-message.js'
import { type Block, BlockBuilder, type Position, positionOf } from '../../src/ledger/block.js'
import { LedgerError } from '../../src/ledger/errors.js'
import { type Run, run } from '../docs/example-ledger.js'
import { decisionsOf } from '../support/decisions.js'
import { instant } from '../support/logs.js'
import { type Fate, MemoryTopic } from './memory-topic.js'

/** Every even record is a decision about one of three units. */
const plainMessage = ({ record: { seq } }: DecisionRecord, repeat = false): OutgoingMessage | undefined =>
  seq % 2 === 1
    ? undefined
    : { key: `u${seq % 3}`, value: Buffer.from(String(seq)), headers: repeat ? { epsilon_repeat: 'true' } : {} }

/** Blocks of these sizes, of records that this program knows. */
const blocksOf = (...sizes: readonly number[]): readonly Block[] => {
  const blocks: Block[] = []
  for (const size of sizes) {
    const before = blocks.at(-1)
    const builder = new BlockBuilder(before && positionOf(before))
    for (let count = 0; count < size; count++) {
      const by = { by: 'system:ledger', cause: { kind: 'system' }, epoch: 0, v: 1 } as const
      builder.add({ at: instant(builder.nextSeq), ...by, data: {}, type: 'ClockConfirmed' })
    }
    blocks.push(...builder.blocks())
  }
  return blocks
}

/** A log in memory, a topic of three partitions, and publishers between them. */
class Bench {
  readonly store = new MemoryStore()
  readonly topic = new MemoryTopic('epsilon.decisions', 3)
  readonly journal = new Reached(-1)
  readonly fatal: LedgerError[] = []
  /** What the ledger was asked to record. */
  readonly notes: number[] = []
  head: Position | undefined
  patienceMs = 2

  /** The journal has what is appended, unless that is left to the test. */
  async append(blocks: readonly Block[], journalled = true): Promise<void> {
    this.head = await this.store.append(blocks, this.head)
    if (journalled) this.journal.reach(this.head.seq)
  }

  publish(more: Partial<ConstructorParameters<typeof DecisionsPublisher>[0]> = {}): DecisionsPublisher {
    const open = () => this.topic.open()
    const publisher = new DecisionsPublisher({
      store: this.store,
      topic: this.topic.name,
      producer: new SteadyProducer({ open, now: () => performance.now(), attemptMs: this.patienceMs, pauseMs: 0 }),
      after: -1,
      noted: -1,
      note: (seq) => this.notes.push(seq),
      journalHas: (seq) => this.journal.at(seq),
      messageOf: (decision, { repeat }) => plainMessage(decision, repeat),
      openedBy: async () => undefined,
      onFatal: (error) => this.fatal.push(error),
      ...more,
    })
    publisher.start()
    return publisher
  }

  messages(): readonly KafkaMessage[] {
    return this.topic.partitions.flat()
  }

  /** Where a publisher that knows nothing but the topic goes on. */
  newestHead(): number {
    return Math.max(-1, ...this.topic.partitions.map((log) => Number(log.at(-1)?.headers?.['head'] ?? -1)))
  }
}

const decided = (until: number): readonly number[] =>
  Array.from({ length: until + 1 }, (_, seq) => seq).filter((seq) => seq % 2 === 0)

test('every decision goes out once, in the order of its unit', async () => {
  const bench = new Bench()
  const publisher = bench.publish()
  for (const block of blocksOf(3, 1, 7, 2, 20)) await bench.append([block])
  await publisher.reached(32)
  expect(publisher.position()).toBe(32)
  expect(
    bench
      .messages()
      .map(({ value }) => Number(value))
      .sort((a, b) => a - b),
  ).toEqual(decided(32))
  for (const partition of [0, 1, 2]) {
    const seqs = bench.topic.values(partition).map(Number)
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b))
  }
  expect(publisher.sent).toBe(17)
  await publisher.stop()
})

test('now and then the ledger notes how far decisions have gone out, and never further', async () => {
  const bench = new Bench()
  bench.patienceMs = 10_000
  const acknowledged: number[] = []
  const publisher = bench.publish({
    note: (seq) => {
      bench.notes.push(seq)
      acknowledged.push(bench.messages().filter(({ value }) => Number(value) <= seq).length)
    },
  })
  const blocks = blocksOf(...Array.from({ length: 25 }, () => 1_000))
  for (const block of blocks) await bench.append([block])
  await publisher.reached(24_999)
  await publisher.stop()
  expect(bench.notes).toHaveLength(2)
  expect(acknowledged).toEqual(bench.notes.map((seq) => Math.floor(seq / 2) + 1))
  // Nothing but the log knows of them any more.
  const emptied = new Bench()
  emptied.patienceMs = 10_000
  await emptied.append(blocks)
  const noted = bench.notes.at(-1) ?? -1
  const next = emptied.publish({ after: noted, noted })
  await next.reached(24_999)
  await next.stop()
  const again = emptied.messages().map(({ value }) => Number(value))
  expect(Math.min(...again)).toBeGreaterThan(noted)
  expect(new Set([...again, ...decided(noted)])).toEqual(new Set(decided(24_999)))
  expect(emptied.notes).toEqual([])
})

test('through any outage and any restarts every decision arrives, first times in order, from what the topic itself says', async () => {
  const fate = fc.constantFrom<Fate>('written', 'part written', 'answer lost', 'not written', 'written late')
  const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 8 })
  const cuts = fc.array(fc.nat({ max: 5 }), { maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { maxLength: 10 }), sizes, cuts, async (fates, counts, waits) => {
      const bench = new Bench()
      bench.topic.fates.push(...fates)
      await bench.append(blocksOf(...counts))
      for (const wait of waits) {
        const publisher = bench.publish({ after: bench.newestHead() })
        await new Promise((resolve) => setTimeout(resolve, wait))
        await publisher.stop()
      }
      const last = bench.publish({ after: bench.newestHead() })
      const end = bench.head?.seq ?? -1
      await last.reached(end)
      await last.stop()
      const seen = new Set(bench.messages().map(({ value }) => Number(value)))
      expect([...seen].sort((a, b) => a - b)).toEqual(decided(end))
      for (const partition of [0, 1, 2]) {
        const first = [...new Set(bench.topic.values(partition).map(Number))]
        expect(first).toEqual([...first].sort((a, b) => a - b))
      }
      expect(bench.fatal).toEqual([])
    }),
    { numRuns: 60 },
  )
})

test('nothing goes out before the journal has its record', async () => {
  const bench = new Bench()
  const blocks = blocksOf(3, 3)
  await bench.append(blocks.slice(0, 1))
  await bench.append(blocks.slice(1), false)
  const publisher = bench.publish()
  await publisher.reached(2)
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(bench.messages()).toHaveLength(2)
  bench.journal.reach(5)
  await publisher.reached(5)
  expect(bench.messages()).toHaveLength(3)
  await publisher.stop()
})

test('a message says up to where everything was acknowledged before it, never more', async () => {
  const bench = new Bench()
  bench.patienceMs = 10_000
  let open = (): void => {}
  bench.topic.gate = new Promise((resolve) => {
    open = resolve
  })
  const blocks = blocksOf(3, 3, 3)
  await bench.append(blocks.slice(0, 1))
  const publisher = bench.publish()
  await new Promise((resolve) => setTimeout(resolve, 2))
  await bench.append(blocks.slice(1))
  open()
  await publisher.reached(8)
  const heads = bench.messages().map(({ value, headers }) => [Number(value), Number(headers?.['head'])])
  for (const [seq = 0, head = 0] of heads) expect(head).toBeLessThan(Math.max(seq, 1))
  expect(Math.max(...heads.map(([, head]) => head ?? 0))).toBeGreaterThan(0)
  await publisher.stop()
})

test('a repeat comes after the first time, is marked, and is acknowledged when it resolves', async () => {
  const bench = new Bench()
  const blocks = blocksOf(3, 3)
  await bench.append(blocks.slice(0, 1))
  await bench.append(blocks.slice(1), false)
  const publisher = bench.publish()
  await publisher.repeat([0, 2])
  const early = publisher.repeat([4])
  await new Promise((resolve) => setTimeout(resolve, 5))
  bench.journal.reach(5)
  await early
  const marks = bench
    .messages()
    .map(({ value, headers }) => `${value}${headers?.['epsilon_repeat'] === undefined ? '' : ' again'}`)
  expect(marks.sort()).toEqual(['0', '0 again', '2', '2 again', '4', '4 again'])
  const of4 = bench.topic.partitions.flat().filter(({ value }) => String(value) === '4')
  expect(of4.map(({ headers }) => headers?.['epsilon_repeat'] !== undefined)).toEqual([false, true])
  await expect(publisher.repeat([1])).rejects.toThrow('record 1 answers no request')
  await publisher.stop()
  await expect(publisher.repeat([99])).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
})

test('whoever waits for a repeat learns that the ledger stops', async () => {
  const bench = new Bench()
  bench.patienceMs = 10_000
  await bench.append(blocksOf(3))
  const publisher = bench.publish()
  await publisher.reached(2)
  bench.topic.gate = new Promise(() => {})
  const repeating = publisher.repeat([0])
  await new Promise((resolve) => setTimeout(resolve, 2))
  await publisher.stop()
  await expect(repeating).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
})

test('a thousand messages are the most of one send', async () => {
  const bench = new Bench()
  bench.patienceMs = 10_000
  bench.topic.gate = new Promise((resolve) => setTimeout(resolve, 100))
  await bench.append(blocksOf(...Array.from({ length: 6 }, () => 1_000)))
  const publisher = bench.publish()
  await publisher.reached(5_999)
  // Whoever takes a block's end with its decisions has room for one decision less.
  expect(Math.max(...bench.topic.sends)).toBeGreaterThan(990)
  expect(Math.max(...bench.topic.sends)).toBeLessThanOrEqual(1_000)
  expect(bench.topic.sends.reduce((sum, count) => sum + count, 0)).toBe(3_000)
  await publisher.stop()
})

test('a stop does not wait for a journal that gets no further', async () => {
  const bench = new Bench()
  await bench.append(blocksOf(3), false)
  const publisher = bench.publish()
  await new Promise((resolve) => setTimeout(resolve, 2))
  await publisher.stop()
  bench.journal.fail(new LedgerError('SHUTTING_DOWN', 'the journal stops later', { retry: 'now' }))
  expect(bench.fatal).toEqual([])
  expect(bench.messages()).toEqual([])
})

test('a journal that ends for good ends the decisions with it', async () => {
  const bench = new Bench()
  await bench.append(blocksOf(3), false)
  const publisher = bench.publish()
  bench.journal.fail(new LedgerError('FENCED', 'another process', { retry: 'never', exitCode: 11 }))
  await expect(publisher.reached(2)).rejects.toMatchObject({ code: 'FENCED' })
  expect(bench.messages()).toEqual([])
  await publisher.stop()
})

let example: Run
beforeAll(async () => {
  example = await run()
})

test('each kind of decision goes out as the page says, with the unit of the reservation that it closes', async () => {
  const all = decisionsOf(example)
  const registry = all[0]?.registry
  if (registry === undefined) throw new Error('the run is empty')
  const bench = new Bench()
  await bench.append(example.blocks)
  const publisher = bench.publish({
    messageOf: (decision, sending) => decisionMessage(decision, registry, sending),
    openedBy: async (_, id) => {
      const opened = all.find(
        ({ decision: { record } }) => record.type === 'ReservationOpened' && record.data['id'] === id,
      )
      if (opened === undefined) return undefined
      const { record, leaf, parts } = opened.decision
      return { seq: record.seq, leaf, epoch: record.epoch, event: record as never, parts }
    },
  })
  await publisher.reached(bench.head?.seq ?? -1)
  await publisher.stop()
  const wanted = all.flatMap(({ decision }) => decisionMessage(decision, registry, { head: 0 }) ?? [])
  expect(wanted.length).toBeGreaterThan(5)
  const shown = ({ key, value }: { key: Buffer | string | null; value: Buffer | null }) => `${key} ${value}`
  expect(bench.messages().map(shown).sort()).toEqual(wanted.map(shown).sort())
})

test('a decision over many units goes out whole, though its parts fill blocks before it', async () => {
  const units = Array.from({ length: 20_000 }, (_, index) => `unit-${index}-${'x'.repeat(40)}`)
  const data = { source: 's', id: 'many', spend: { units }, hash: 'h', charges: [], dropped: [] }
  const { parts, data: decision } = splitIntoParts(data as never, units, [])
  const builder = new BlockBuilder(undefined)
  const add = (type: string, of: object): void =>
    builder.add({ at: instant(0), by: 'service:s', cause: { kind: 'http' }, data: of, epoch: 0, type, v: 1 })
  for (const part of parts) add(part.type, part.data)
  add('SpendAccepted', decision)
  add('SpendAccepted', { source: 's', id: 'one', spend: { unit: 'u' }, hash: 'h', charges: [] })
  const blocks = builder.blocks()
  expect(blocks.length).toBeGreaterThan(1)
  const bench = new Bench()
  await bench.append(blocks)
  const seen: number[] = []
  const publisher = bench.publish({
    messageOf: ({ parts: given }) => {
      seen.push(given.flatMap((part) => part.units).length)
      return { key: 'k', value: Buffer.from('v'), headers: {} }
    },
  })
  await publisher.reached(bench.head?.seq ?? -1)
  await publisher.repeat([parts.length])
  expect(seen).toEqual([20_000, 0, 20_000])
  await publisher.stop()
})
