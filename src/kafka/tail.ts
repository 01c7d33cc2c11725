import { randomUUID } from 'node:crypto'
import type { Batch, Consumer, EachBatchPayload, KafkaMessage } from 'kafkajs'
import { endWithin, pause } from '../application/pause.js'
import { LedgerError } from '../ledger/errors.js'
import { isClientError, type KafkaClients } from './client.js'
import { kafkaError } from './kafka-error.js'
import type { Ends } from './lost-range.js'

/** The offsets from `from` up to `to`, `to` left out. */
export interface Range {
  readonly from: bigint
  readonly to: bigint
}

export interface RangeRead {
  readonly clients: KafkaClients
  /** Whole name of the topic. */
  readonly topic: string
  /** What is read of each partition; the others are left alone. */
  readonly ranges: ReadonlyMap<number, Range>
  /** Is given each message once, in the order of its partition; the next one waits until it resolves. */
  readonly take: (message: KafkaMessage, partition: number) => Promise<void> | void
  readonly signal?: AbortSignal
  /** Milliseconds without any progress after which the read fails; 30,000 where nothing is said. */
  readonly stallMs?: number
  /** Shows what transactions have not committed yet, or never will. */
  readonly readUncommitted?: boolean
}

/** Messages that were to be read, and that the topic does not have any more. */
export class RangeLost extends LedgerError {
  override readonly name = 'RangeLost'

  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly lost: Range,
    why: string,
  ) {
    super('TOPIC_RANGE_LOST', `${topic} partition ${partition} lacks offsets ${lost.from} to ${lost.to - 1n}: ${why}`, {
      retry: 'never',
      hint: 'docs/runbooks/kafka.md says what can be done about lost messages.',
      exitCode: 21,
    })
  }
}

/**
 * First and next offset of each partition of a topic. Unless `readUncommitted` is said, a partition ends before the first
 * message of an open transaction: nothing from there on is shown yet. @throws LedgerError TOPIC_MISSING, and what brokers say.
 */
export const ends = async (
  clients: KafkaClients,
  topic: string,
  { readUncommitted = false } = {},
): Promise<ReadonlyMap<number, Ends>> => {
  const { cluster, close } = clients.view(readUncommitted)
  try {
    await cluster.connect()
    await cluster.addTargetTopic(topic)
    const partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => ({ partition: partitionId }))
    const [low] = await cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning: true }])
    const [high] = await cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning: false }])
    const lowOf = new Map(low?.partitions.map(({ partition, offset }) => [partition, BigInt(offset)]))
    return new Map(
      high?.partitions.map(({ partition, offset }) => [
        partition,
        { low: lowOf.get(partition) ?? 0n, high: BigInt(offset) },
      ]),
    )
  } catch (error) {
    throw kafkaError(error, `asking for the ends of ${topic}`)
  } finally {
    await endWithin(LEAVE_MS, close())
  }
}

/**
 * Reads messages of one topic with a group of its own, which commits nothing. What no reader is shown (marks of
 * transactions, messages of aborted ones) is passed; an outage is waited for.
 *
 * Rejects with {@link RangeLost} where the topic does not have a part of what is asked, with `TOPIC_READ_STALLED` or what the
 * brokers said last after a time without progress, with what `take` throws, and with the reason of the signal.
 */
export const readRange = async (read: RangeRead): Promise<void> => {
  const progress = new Progress(read)
  let checked = false
  while (!progress.finished) {
    read.signal?.throwIfAborted()
    try {
      if (!checked) await requireRanges({ ...read, ranges: progress.left() })
      checked = true
      await readOnce(read, progress)
    } catch (error) {
      if (error instanceof TakeFailed) throw error.cause
      read.signal?.throwIfAborted()
      const failure = kafkaError(error, `reading ${read.topic}`)
      if (failure.retry === 'never') throw failure
      if (progress.stalled) {
        if (checked) await requireStillThere({ ...read, ranges: progress.left() })
        throw failure
      }
      await pause(RETRY_MS, read.signal)
    }
  }
}

const requireRanges = async ({ clients, topic, ranges, readUncommitted = false }: RangeRead): Promise<void> => {
  const present = await ends(clients, topic, { readUncommitted })
  for (const [partition, { from, to }] of ranges) {
    const { low, high } = present.get(partition) ?? { low: 0n, high: 0n }
    if (from < low) throw new RangeLost(topic, partition, { from, to: low }, `its log begins with ${low}`)
    if (to > high) throw new RangeLost(topic, partition, { from: high, to }, `its log ends before ${high}`)
  }
}

/** What gives nothing any more may be gone; brokers that do not say are another matter. */
const requireStillThere = async (read: RangeRead): Promise<void> => {
  await requireRanges(read).catch((error: unknown) => {
    if (error instanceof RangeLost) throw error
  })
}

/** How far each partition has been read, and since when no further. */
class Progress {
  readonly #positions = new Map<number, bigint>()
  readonly #open = new Map<number, bigint>()
  /** A message that is being taken is nobody's stall. */
  taking = false
  #movedAt = performance.now()

  constructor(private readonly read: RangeRead) {
    for (const [partition, { from, to }] of read.ranges) {
      this.#positions.set(partition, from)
      if (from < to) this.#open.set(partition, to)
    }
  }

  get finished(): boolean {
    return this.#open.size === 0
  }

  get stalled(): boolean {
    return !this.taking && performance.now() - this.#movedAt >= (this.read.stallMs ?? STALL_MS)
  }

  /** What is still to be read. */
  left(): ReadonlyMap<number, Range> {
    return new Map([...this.#open].map(([partition, to]) => [partition, { from: this.at(partition), to }]))
  }

  at(partition: number): bigint {
    return this.#positions.get(partition) ?? 0n
  }

  isOpen(partition: number): boolean {
    return this.#open.has(partition)
  }

  /** Offsets below `next` need not be read again. */
  reach(partition: number, next: bigint): void {
    const to = this.#open.get(partition)
    if (to === undefined || next <= this.at(partition)) return
    this.#positions.set(partition, next)
    this.#movedAt = performance.now()
    if (next >= to) this.#open.delete(partition)
  }

  /** The end of a partition that is read. */
  end(partition: number): bigint {
    return this.#open.get(partition) ?? this.at(partition)
  }
}

/** One consumer's life: it ends well when everything was read. */
const readOnce = async (read: RangeRead, progress: Progress): Promise<void> => {
  const { clients, readUncommitted = false } = read
  const group = `${clients.settings.group}-tail-${randomUUID()}`
  const consumer = clients.consumer({ group, maxBytes: FETCH_BYTES, readUncommitted, lasting: false })
  try {
    await new Session(read, progress, consumer).run()
  } finally {
    // Leaving the group may take as long as a broker takes to answer, and nobody waits for that.
    await endWithin(LEAVE_MS, consumer.disconnect())
  }
}

class Session {
  #end: (error?: unknown) => void = () => {}
  #ended = false
  #beatAt = performance.now()

  constructor(
    private readonly read: RangeRead,
    private readonly progress: Progress,
    private readonly consumer: Consumer,
  ) {}

  async run(): Promise<void> {
    const { signal } = this.read
    const end = new Promise<void>((resolve, reject) => {
      this.#end = (error) => {
        this.#ended = true
        if (error === undefined) resolve()
        else reject(error)
      }
    })
    const cancel = (): void => this.#end(signal?.reason)
    const watch = setInterval(() => this.#watch(), WATCH_MS)
    signal?.addEventListener('abort', cancel)
    if (signal?.aborted) cancel()
    try {
      await Promise.race([end, this.#start().then(() => end)])
    } finally {
      clearInterval(watch)
      signal?.removeEventListener('abort', cancel)
    }
  }

  async #start(): Promise<void> {
    const { consumer } = this
    const { topic } = this.read
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => this.#join(payload.memberAssignment[topic] ?? []))
    consumer.on(consumer.events.START_BATCH_PROCESS, ({ payload }) => this.#passHidden(payload))
    consumer.on(consumer.events.CRASH, ({ payload }) => this.#end(payload.error))
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => this.#eachBatch(payload),
    })
  }

  /** Must not await: a seek is right only in the turn of the join. */
  #join(assigned: readonly number[]): void {
    const { topic } = this.read
    for (const partition of assigned) {
      if (this.progress.isOpen(partition)) {
        this.consumer.seek({ topic, partition, offset: String(this.progress.at(partition)) })
      } else this.#leave(partition)
    }
  }

  async #eachBatch(payload: EachBatchPayload): Promise<void> {
    const { batch, resolveOffset } = payload
    const { partition } = batch
    if (this.#ended || !this.progress.isOpen(partition)) return
    try {
      this.#requireInPlace(batch)
      for (const message of batch.messages) {
        if (this.#ended || !(await this.#take(message, payload))) return
      }
      resolveOffset(batch.lastOffset())
      this.#reach(partition, BigInt(batch.lastOffset()) + 1n)
    } catch (error) {
      // A rebalance or a lost session belongs to the client, which joins again.
      if (isClientError(error)) throw error
      this.#end(error)
    }
  }

  /** Whether the partition goes on after this message. */
  async #take(message: KafkaMessage, { batch: { partition }, heartbeat }: EachBatchPayload): Promise<boolean> {
    const offset = BigInt(message.offset)
    if (offset < this.progress.at(partition)) return true
    if (offset < this.progress.end(partition)) {
      this.progress.taking = true
      try {
        await this.read.take(message, partition)
      } catch (error) {
        throw new TakeFailed(error)
      } finally {
        this.progress.taking = false
      }
    }
    this.#reach(partition, offset + 1n)
    if (performance.now() - this.#beatAt > BEAT_MS) {
      await heartbeat()
      this.#beatAt = performance.now()
    }
    return this.progress.isOpen(partition)
  }

  /** A client that asks for an offset which is not there goes on elsewhere, and says nothing. */
  #requireInPlace(batch: Batch): void {
    const { topic } = this.read
    const { partition } = batch
    const at = this.progress.at(partition)
    const { fetchedOffset } = batch as Batch & { readonly fetchedOffset: string | number }
    const fetched = BigInt(fetchedOffset)
    const high = BigInt(batch.highWatermark)
    if (fetched > at) throw new RangeLost(topic, partition, { from: at, to: fetched }, `its log begins with ${fetched}`)
    if (high < at) throw new RangeLost(topic, partition, { from: high, to: at }, `its log ends before ${high} now`)
    if (fetched < at)
      throw new RangeLost(topic, partition, { from: fetched, to: at }, 'it was cut short while it was read')
  }

  /** A batch without anything that a reader is shown. */
  #passHidden({ partition, batchSize, firstOffset, lastOffset }: BatchFacts): void {
    if (this.#ended || batchSize > 0 || firstOffset === null) return
    if (BigInt(firstOffset) <= this.progress.at(partition)) this.#reach(partition, BigInt(lastOffset) + 1n)
  }

  #reach(partition: number, next: bigint): void {
    this.progress.reach(partition, next)
    if (!this.progress.isOpen(partition)) this.#leave(partition)
    if (this.progress.finished) this.#end()
  }

  #leave(partition: number): void {
    this.consumer.pause([{ topic: this.read.topic, partitions: [partition] }])
  }

  #watch(): void {
    if (!this.progress.stalled) return
    const [[partition, { from, to }] = [0, { from: 0n, to: 0n }]] = this.progress.left()
    this.#end(stalledAt(this.read.topic, partition, from, to))
  }
}

interface BatchFacts {
  readonly partition: number
  readonly batchSize: number
  readonly firstOffset: string | null
  readonly lastOffset: string
}

/** What the taker threw, kept apart from what the client throws. */
class TakeFailed extends Error {
  constructor(override readonly cause: unknown) {
    super('a message was not taken')
  }
}

const STALL_MS = 30_000
const RETRY_MS = 500
const WATCH_MS = 100
const BEAT_MS = 1_000
const LEAVE_MS = 2_000
const FETCH_BYTES = 4 * 1024 * 1024

const stalledAt = (topic: string, partition: number, at: bigint, to: bigint): LedgerError =>
  new LedgerError(
    'TOPIC_READ_STALLED',
    `${topic} partition ${partition} gives nothing at offset ${at}, of up to ${to}`,
    {
      retry: 'now',
      hint: 'The brokers cannot be reached, or a transaction of an emitter is open: brokers end it after its timeout.',
      exitCode: 3,
    },
  )
