import type { Cluster, KafkaMessage } from 'kafkajs'
import { endWithin, pause } from '../application/pause.js'
import { LedgerError } from '../ledger/errors.js'
import type { KafkaClients, View } from './client.js'
import { type Fetched, fetchFrom, isOutOfRange } from './fetch.js'
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
    return await endsOn(cluster, topic)
  } catch (error) {
    throw kafkaError(error, `asking for the ends of ${topic}`)
  } finally {
    await endWithin(LEAVE_MS, close())
  }
}

const endsOn = async (cluster: Cluster, topic: string): Promise<ReadonlyMap<number, Ends>> => {
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
}

/**
 * Reads messages of one topic, partition after partition, as no member of any group. What no reader is shown (marks of
 * transactions, messages of aborted ones) is passed; an outage is waited for.
 *
 * Rejects with {@link RangeLost} where the topic does not have a part of what is asked, with `TOPIC_READ_STALLED` or what the
 * brokers said last after a time without progress, with what `take` throws, and with the reason of the signal.
 */
export const readRange = async (read: RangeRead): Promise<void> => {
  const reader = new RangeReader(read)
  try {
    for (const [partition, range] of read.ranges) await reader.read(partition, range)
  } finally {
    await reader.close()
  }
}

class RangeReader {
  #view: View | undefined
  /** The topic had all that is asked when the first of it was fetched. */
  #checked = false

  constructor(private readonly asked: RangeRead) {}

  async read(partition: number, { from, to }: Range): Promise<void> {
    for (let at = from; at < to; ) {
      const { messages, next } = await this.#more(partition, { from: at, to })
      for (const message of messages) {
        if (BigInt(message.offset) >= to) return
        this.asked.signal?.throwIfAborted()
        await this.asked.take(message, partition)
      }
      at = next
    }
  }

  async close(): Promise<void> {
    const view = this.#view
    this.#view = undefined
    // That may take as long as a broker takes to answer, and nobody waits for that.
    if (view !== undefined) await endWithin(LEAVE_MS, view.close())
  }

  /** What follows in a partition, at least one offset; an outage is waited for until it is a stall. */
  async #more(partition: number, range: Range): Promise<Fetched> {
    const { topic, signal, stallMs = STALL_MS } = this.asked
    const since = performance.now()
    for (;;) {
      const fetched = await this.#try(partition, range)
      if (!(fetched instanceof LedgerError) && fetched.next > range.from) return fetched
      if (performance.now() - since >= stallMs) {
        await this.#requireStillThere(partition, range)
        throw fetched instanceof LedgerError ? fetched : stalledAt(topic, partition, range)
      }
      if (fetched instanceof LedgerError) await pause(RETRY_MS, signal)
    }
  }

  /** What failed is tried again over other connections, unless the same would fail again. */
  async #try(partition: number, range: Range): Promise<Fetched | LedgerError> {
    const { topic, signal } = this.asked
    signal?.throwIfAborted()
    try {
      return await unlessAborted(this.#fetch(partition, range), signal)
    } catch (error) {
      signal?.throwIfAborted()
      await this.close()
      const failure = kafkaError(error, `reading ${topic}`)
      if (failure.retry === 'never') throw failure
      return failure
    }
  }

  async #fetch(partition: number, range: Range): Promise<Fetched> {
    const { topic, readUncommitted = false } = this.asked
    const cluster = await this.#connected()
    try {
      return await fetchFrom(cluster, { topic, partition, offset: range.from, readUncommitted })
    } catch (error) {
      if (isOutOfRange(error)) requireRange(topic, partition, range, await endsOn(cluster, topic))
      throw error
    }
  }

  async #connected(): Promise<Cluster> {
    const { clients, topic, ranges, readUncommitted = false } = this.asked
    if (this.#view !== undefined) return this.#view.cluster
    const view = clients.view(readUncommitted)
    this.#view = view
    await view.cluster.connect()
    await view.cluster.addTargetTopic(topic)
    if (!this.#checked) {
      const present = await endsOn(view.cluster, topic)
      for (const [partition, range] of ranges) requireRange(topic, partition, range, present)
      this.#checked = true
    }
    return view.cluster
  }

  /** What gives nothing any more may be gone; brokers that do not say are another matter. */
  async #requireStillThere(partition: number, range: Range): Promise<void> {
    const { clients, topic, readUncommitted = false } = this.asked
    const present = await ends(clients, topic, { readUncommitted }).catch(() => undefined)
    if (present !== undefined) requireRange(topic, partition, range, present)
  }
}

/** @throws RangeLost */
const requireRange = (
  topic: string,
  partition: number,
  { from, to }: Range,
  present: ReadonlyMap<number, Ends>,
): void => {
  const { low, high } = present.get(partition) ?? { low: 0n, high: 0n }
  if (from >= to) return
  if (from < low) throw new RangeLost(topic, partition, { from, to: low }, `its log begins with ${low}`)
  if (to > high) throw new RangeLost(topic, partition, { from: high, to }, `its log ends before ${high}`)
}

/** Connecting cannot be cancelled; whoever cancels does not wait for it. */
const unlessAborted = async <Value>(work: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> => {
  if (signal === undefined) return work
  const over = new AbortController()
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { signal: over.signal })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    over.abort()
  }
}

const STALL_MS = 30_000
const RETRY_MS = 500
const LEAVE_MS = 2_000

const stalledAt = (topic: string, partition: number, { from, to }: Range): LedgerError =>
  new LedgerError(
    'TOPIC_READ_STALLED',
    `${topic} partition ${partition} gives nothing at offset ${from}, of up to ${to}`,
    {
      retry: 'now',
      hint: 'The brokers cannot be reached, or a transaction of an emitter is open: brokers end it after its timeout.',
      exitCode: 3,
    },
  )
