import type { Cause } from '../ledger/record.js'
import type { SpendReported, UndecidedMessages } from './events.js'
import type { Registry } from './registry.js'
import { partitionText } from './topics.js'

/** Names a partition of a topic. */
type Partition = Pick<UndecidedMessages, 'topic' | 'partition'>

/** Whether what made a command or a record is a message that a lost record may have decided. */
export const isUndecided = (registry: Registry, cause: Cause): boolean => {
  if (cause.kind !== 'kafka') return false
  const marked = markOf(registry, cause)
  return marked !== undefined && BigInt(cause.offset) < BigInt(marked.before)
}

/**
 * What has to be charged before anything is decided again: lost records may have permitted it, so that nobody knows what is
 * left. Undefined where nothing is.
 */
export const notCharged = ({ undecided: [first] }: Registry): string | undefined =>
  first &&
  `an older copy was restored, and what ${partitionText(first)} has before offset ${first.before} may have been permitted and is not charged yet`

/** A recovery names messages; a later one sees further, never less far. */
export const withUndecided = (registry: Registry, declared: readonly UndecidedMessages[]): Registry => {
  const added = declared.filter((one) => BigInt(one.before) > BigInt(markOf(registry, one)?.before ?? 0))
  const others = registry.undecided.filter((one) => !added.some((other) => isSame(one, other)))
  return { ...registry, undecided: [...others, ...added] }
}

/** Once all before `next` is handled, nothing before it is left to be charged. */
export const chargedUpTo = (registry: Registry, partition: Partition, next: bigint): Registry => {
  const marked = markOf(registry, partition)
  return marked === undefined || next < BigInt(marked.before) ? registry : withoutUndecided(registry, partition)
}

/** What comes again under old offsets are other messages, or was handled before. */
export const withoutUndecided = (registry: Registry, partition: Partition): Registry => ({
  ...registry,
  undecided: registry.undecided.filter((one) => !isSame(one, partition)),
})

/** Whether a record charged a whole reservation, because nobody knows what became of it: it is closed by that. */
export const chargedWhole = ({ undecided, spend }: SpendReported): boolean =>
  undecided === true && 'expiresInSeconds' in spend

const markOf = ({ undecided }: Registry, partition: Partition): UndecidedMessages | undefined =>
  undecided.find((one) => isSame(one, partition))

const isSame = (one: Partition, other: Partition): boolean =>
  one.topic === other.topic && one.partition === other.partition
