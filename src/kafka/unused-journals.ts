import type { PartitionOffset } from '../budget/state.js'

/**
 * What a log says of journals that a start does not look at: without brokers, or with another prefix of topics, nobody finds out that the
 * log is an older copy, and nothing of what is decided gets to the journal. No error, since people may have given topics up.
 *
 * @param offsets how far the log says that partitions are.
 * @param inUse whole name of the journal that this start compares the log with; undefined for none.
 * @returns a warning for each.
 */
export const unusedJournals = (offsets: Iterable<PartitionOffset>, inUse: string | undefined): readonly string[] =>
  [...offsets]
    .filter(({ topic, next }) => topic.endsWith('journal') && topic !== inUse && next > 0n)
    .map(({ topic }) => `JOURNAL_UNUSED: the log says that ${topic} is its journal, and ${beside(inUse)}. ${AT_STAKE}`)

const beside = (inUse: string | undefined): string =>
  inUse === undefined ? 'no brokers are named' : `this start looks at ${inUse}`

const AT_STAKE =
  'The two are not compared: if this is an older copy, it gives spent budget back, and what it decides is in no journal. Name the brokers (EPSILON_KAFKA_BROKERS) and the prefix (EPSILON_KAFKA_TOPIC_PREFIX) that the ledger had, unless the topics were given up.'
