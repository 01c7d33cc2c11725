import { createRequire } from 'node:module'
import type { Cluster, KafkaMessage } from 'kafkajs'

export interface Place {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** Shows what transactions have not committed yet, or never will. */
  readonly readUncommitted: boolean
}

export interface Fetched {
  /** Without marks of transactions, and without what is not to be shown. */
  readonly messages: readonly KafkaMessage[]
  /** The offset behind all that was fetched, hidden messages too; the one that was asked for where there was nothing. */
  readonly next: bigint
}

/**
 * Asks the leader of a partition once for what it has from an offset on, as a consumer does, but as no member of any group: nothing has
 * to be joined before, and an offset that the partition does not have is an error and no other place. Rejects with what the client library
 * throws.
 */
export const fetchFrom = async (cluster: Cluster, place: Place): Promise<Fetched> => {
  const { topic, partition, offset, readUncommitted } = place
  const [leader] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))
  if (leader === undefined) throw new Error(`${topic} partition ${partition} has no leader now`)
  const broker = await cluster.findBroker({ nodeId: leader })
  const answer = (await broker.fetch({
    isolationLevel: readUncommitted ? 0 : 1,
    maxWaitTime: MOST_WAIT_MS,
    minBytes: 1,
    maxBytes: FETCH_BYTES,
    topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: FETCH_BYTES }] }],
  })) as FetchAnswer
  const found = answer.responses[0]?.partitions[0]
  if (found === undefined || found.messages.length === 0) return { messages: [], next: offset }
  const batch = new Batch(topic, String(offset), found)
  return { messages: batch.messages, next: BigInt(batch.lastOffset()) + 1n }
}

/** Whether the partition begins behind the offset that was asked for, or ends before it. */
export const isOutOfRange = (error: unknown): boolean =>
  error instanceof Error && (error as Error & { readonly type?: unknown }).type === 'OFFSET_OUT_OF_RANGE'

/** The client library has no type for it. */
interface FetchAnswer {
  readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[]
}

interface FetchedPartition {
  readonly partition: number
  readonly messages: readonly KafkaMessage[]
}

/** What the library's own consumer hides marks and aborted messages with. */
const Batch = createRequire(import.meta.url)('kafkajs/src/consumer/batch') as new (
  topic: string,
  fetchedOffset: string,
  found: FetchedPartition,
) => { readonly messages: readonly KafkaMessage[]; lastOffset(): string }

const MOST_WAIT_MS = 250
const FETCH_BYTES = 4 * 1024 * 1024
