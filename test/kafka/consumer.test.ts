import type { Consumer, ConsumerRunConfig, EachBatchHandler, EachBatchPayload } from 'kafkajs'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { TopicOffset } from '../../src/budget/state.js'
import { type ConsumerParts, SpendConsumer } from '../../src/kafka/consumer.js'
import type { MessageHandler } from '../../src/kafka/message-handler.js'
import { OwnedPartition } from '../../src/kafka/partition.js'
import { partitionReasons, partitionViews } from '../../src/kafka/partition-view.js'

/** As much of a client as a join takes: the group gives it partition 0. */
class Joining {
  readonly events = { GROUP_JOIN: 'join', CRASH: 'crash', START_BATCH_PROCESS: 'start' }
  readonly resumed: number[] = []
  eachBatch: EachBatchHandler = async () => {}
  #join: (event: unknown) => void = () => {}

  on(event: string, listener: (event: unknown) => void): void {
    if (event === 'join') this.#join = listener
  }

  async connect(): Promise<void> {}
  async subscribe(): Promise<void> {}
  async disconnect(): Promise<void> {}
  pause(): void {}
  seek(): void {}

  async run({ eachBatch }: ConsumerRunConfig): Promise<void> {
    this.eachBatch = eachBatch as EachBatchHandler
    this.#join({ payload: { memberAssignment: { spends: [0] } } })
  }

  resume([{ partitions }]: readonly [{ readonly partitions: readonly number[] }]): void {
    this.resumed.push(...partitions)
  }
}

const started = async (parts: Partial<ConsumerParts>) => {
  const client = new Joining()
  const consumer = new SpendConsumer({
    topic: 'spends',
    consumer: client as unknown as Consumer,
    takes: () => true,
    applied: () => undefined,
    resets: () => 0,
    ends: async () => new Map([[0, { low: 0n, high: 10n }]]),
    digestAt: async () => 'digest',
    digestOf: () => 'digest',
    handler: {} as MessageHandler,
    recordOffsets: async () => {},
    now: () => performance.now(),
    onFatal: (error) => {
      throw error
    },
    log: () => {},
    ...parts,
  })
  await consumer.start()
  onTestFinished(() => consumer.stop())
  return { consumer, client }
}

test('that another instance of the ledger goes on beyond the ends that were asked for is no loss', async () => {
  let applied: TopicOffset = { next: 10n, digest: 'digest' }
  const ends = async () => {
    const then = new Map([[0, { low: 0n, high: 10n }]])
    applied = { next: 25n, digest: 'digest' }
    return then
  }
  const { consumer, client } = await started({ applied: () => applied, ends })
  await vi.waitFor(() => expect(consumer.partitions()[0]?.standing.kind).not.toBe('checking'), 60_000)
  expect(consumer.partitions()[0]?.standing).toEqual({ kind: 'running' })
  expect(client.resumed).toEqual([0])
})

test('a topic that ends before what is applied is a loss', async () => {
  const { consumer } = await started({ applied: () => ({ next: 11n, digest: 'digest' }) })
  await vi.waitFor(() => expect(consumer.partitions()[0]?.standing.kind).not.toBe('checking'), 60_000)
  expect(consumer.partitions()[0]?.standing).toMatchObject({ kind: 'lost', loss: { code: 'TOPIC_SHORTER' } })
})

const wide = async () => new Map([0, 1, 2].map((partition) => [partition, { low: 0n, high: 10n }]))

test('partitions of another member of the group are shown with their lag, said once, and leave the ledger ready', async () => {
  const lines: string[] = []
  const takes = (partition: number) => partition < 2
  const { consumer } = await started({ ends: wide, takes, log: (line) => lines.push(line) })
  await vi.waitFor(() => expect(consumer.partitions()[0]?.standing.kind).toBe('running'), 60_000)
  expect(partitionViews('spends', consumer, (partition) => BigInt(3 + partition))).toEqual([
    { topic: 'spends', partition: 0, next: 3n, high: 10n, lag: 7n, standing: 'running' },
    {
      topic: 'spends',
      partition: 1,
      next: 4n,
      high: 10n,
      lag: 6n,
      standing: 'elsewhere',
      why: { code: 'PARTITIONS_ELSEWHERE', detail: expect.stringContaining('not read here') },
    },
  ])
  expect(partitionReasons('spends', consumer)).toEqual([])
  expect(lines).toEqual(['spends: another member of this group has partitions 1, which are not read here'])
})

test('a partition that was added since the join is held by nobody else', async () => {
  let now = 0
  let looks = 0
  const lines: string[] = []
  const ends = async () => (looks++ === 0 ? new Map([[0, { low: 0n, high: 10n }]]) : wide())
  const { consumer } = await started({ ends, now: () => now, log: (line) => lines.push(line) })
  await vi.waitFor(() => expect(consumer.partitions()[0]?.standing.kind).toBe('running'), 60_000)
  now = 60_000
  await vi.waitFor(() => expect(looks).toBe(2), 60_000)
  expect([consumer.elsewhere(), lines]).toEqual([[], []])
})

test('repeats in transactions are recorded in time, up to the last message and not the mark behind it', async () => {
  let now = 0
  const recordOffsets = vi.fn(async () => {})
  const handler = { handle: async (messages: readonly unknown[]) => ({ done: messages.length }) }
  const { consumer, client } = await started({
    now: () => now,
    recordOffsets,
    handler: handler as unknown as MessageHandler,
  })
  await vi.waitFor(() => expect(consumer.partitions()[0]?.standing.kind).toBe('running'), 60_000)
  await client.eachBatch(batchOf(['0', '1'], '2'))
  expect(consumer.partitions()[0]?.position).toBe(3n)
  await vi.waitFor(() => expect(consumer.partitions()[0]?.aheadSince).toBe(0), 60_000)
  now = 10_000
  await vi.waitFor(() => expect(recordOffsets).toHaveBeenCalledWith(0, 2n, 'digest'), 60_000)
})

/** The library's own object has much more. */
const batchOf = (offsets: readonly string[], last: string): EachBatchPayload => {
  const messages = offsets.map((offset) => ({ offset }))
  const batch = { partition: 0, fetchedOffset: '0', highWatermark: '10', messages, lastOffset: () => last }
  const client = { resolveOffset: () => {}, heartbeat: async () => {}, isRunning: () => true, isStale: () => false }
  return { batch, ...client } as unknown as EachBatchPayload
}

test('what causes no record is no lag once it is handled', () => {
  const owned = new OwnedPartition(0, 3n, 0)
  const held = { partitions: () => [owned], elsewhere: () => [] }
  const lagBeside = (next: bigint) => partitionViews('spends', held, () => next)[0]?.lag
  owned.high = 10n
  expect(lagBeside(3n)).toBe(7n)
  owned.advance(8n, null)
  expect(lagBeside(3n)).toBe(2n)
  expect(lagBeside(9n)).toBe(1n)
  owned.high = 5n
  expect(lagBeside(9n)).toBe(0n)
})

test('a ledger that has none of its partitions says so', async () => {
  const { consumer } = await started({ ends: wide, takes: (partition) => partition > 0 })
  await vi.waitFor(() => expect(consumer.elsewhere()).toHaveLength(2), 60_000)
  expect(partitionReasons('spends', consumer)).toEqual([
    { code: 'PARTITIONS_ELSEWHERE', detail: expect.stringMatching(/^spends partitions 1, 2: held by another member/) },
  ])
})
