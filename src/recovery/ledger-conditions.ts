import type { Gap, TopicReset } from '../budget/registry.js'
import type { ReplayState } from './replay-state.js'

/** So many of a kind are named one by one. */
const MOST_NAMED = 10

/**
 * What every statement about this ledger rests on: messages and records that nobody could account for. They may have
 * been spends of anybody.
 */
export const ledgerConditions = (state: ReplayState): readonly string[] => [
  ...unresolved(state),
  ...named(
    state.registry.resets.filter(({ approvedBy }) => approvedBy !== null),
    lost,
  ),
  ...named(
    state.registry.gaps.filter(({ from, to }) => to >= from),
    missing,
  ),
]

const unresolved = ({ unresolvedMessages: count, firstUnresolved }: ReplayState): readonly string[] => {
  if (count === 0) return []
  return count === 1
    ? [`the quarantined message of record ${firstUnresolved} is not resolved: what it spent is not counted`]
    : [
        `${count} quarantined messages are not resolved, the first in record ${firstUnresolved}: what they spent is not counted`,
      ]
}

const lost = ({ topic, partition, from, to, seq }: TopicReset): string => {
  const where = `partition ${partition} of ${topic}`
  return BigInt(to) > BigInt(from)
    ? `record ${seq} gave up messages ${from} to ${BigInt(to) - 1n} of ${where}: what they spent is not counted`
    : `record ${seq} let ${where} go on at ${to}, where it had handled all before ${from}: what messages spent that the topic had from there on is not counted`
}

const missing = ({ from, to, reason, seq }: Gap): string =>
  `record ${seq} declares records ${from} to ${to} as missing (${reason}): what they charged counts only where it was charged again`

const named = <Item>(items: readonly Item[], text: (item: Item) => string): readonly string[] =>
  items.length <= MOST_NAMED
    ? items.map(text)
    : [...items.slice(0, MOST_NAMED).map(text), `${items.length - MOST_NAMED} more of this kind`]
