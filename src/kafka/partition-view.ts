import type { NotReady } from '../application/service.js'
import type { PartitionView } from '../application/topics.js'
import type { SpendConsumer } from './consumer.js'
import type { OwnedPartition } from './partition.js'

/** Who has which partitions. */
type Held = Pick<SpendConsumer, 'partitions' | 'elsewhere'>

/**
 * The partitions of a topic as operators see them: those that are read here, then those that another member of the group has.
 *
 * @param nextOf the offset at which the ledger stands in a partition.
 */
export const partitionViews = (
  topic: string,
  held: Held,
  nextOf: (partition: number) => bigint,
): readonly PartitionView[] => [
  ...held.partitions().map((owned) => viewOf(topic, owned, nextOf(owned.number))),
  ...held.elsewhere().map(([partition, { high }]): PartitionView => {
    const next = nextOf(partition)
    const why = { code: ELSEWHERE, detail: NOT_READ }
    return { topic, partition, next, high, lag: lagOf(next, high), standing: 'elsewhere', why }
  }),
]

/**
 * Why not every partition is consumed. Where others have some of them, the rest goes on, and nobody would be helped by a ledger that is
 * not ready; where they have all, nothing goes on.
 */
export const partitionReasons = (topic: string, held: Held): readonly NotReady[] => {
  const elsewhere = held.elsewhere()
  if (elsewhere.length === 0 || held.partitions().length > 0)
    return held.partitions().flatMap((owned) => stopped(topic, owned))
  const named = elsewhere.map(([partition]) => partition).join(', ')
  return [{ code: ELSEWHERE, detail: `${topic} partitions ${named}: ${NOT_READ}` }]
}

const viewOf = (topic: string, { number, standing, position, high }: OwnedPartition, next: bigint): PartitionView => {
  // What has no record is handled all the same: repeats, marks of transactions, messages of aborted ones.
  const lag = lagOf(position > next ? position : next, high)
  const view = { topic, partition: number, next, high, lag, standing: standing.kind }
  if (standing.kind === 'waiting') return { ...view, why: { code: standing.code, detail: standing.detail } }
  return standing.kind === 'lost' ? { ...view, why: standing.loss } : view
}

/** A topic that was cut short may end before what is handled. */
const lagOf = (handled: bigint, high: bigint): bigint => (high > handled ? high - handled : 0n)

const stopped = (topic: string, { number, standing }: OwnedPartition): readonly NotReady[] => {
  const name = `${topic} partition ${number}`
  if (standing.kind === 'waiting') return [{ code: standing.code, detail: `${name} waits: ${standing.detail}` }]
  if (standing.kind === 'checking') return [{ code: 'KAFKA_CONNECTING', detail: `${name} is compared with the log` }]
  if (standing.kind !== 'lost') return []
  const { code, from, to, detail } = standing.loss
  return [{ code: 'TOPIC_RANGE_LOST', detail: `${name}, offsets ${from} to ${to} (${code}): ${detail}` }]
}

const ELSEWHERE = 'PARTITIONS_ELSEWHERE'
const NOT_READ = "held by another member of this ledger's own group, and not read here: find out who joined it"
