import type { Cause } from '../ledger/record.js'
import type { SpendReported } from './events.js'
import type { Registry } from './registry.js'

/** Whether what made a command or a record is a message that a lost record may have decided. */
export const isUndecided = ({ undecided }: Registry, cause: Cause): boolean => {
  if (cause.kind !== 'kafka') return false
  const { topic, partition, offset } = cause
  return undecided.some(
    (one) => one.topic === topic && one.partition === partition && BigInt(offset) < BigInt(one.before),
  )
}

/** Whether a record charged a whole reservation, because nobody knows what became of it: it is closed by that. */
export const chargedWhole = ({ undecided, spend }: SpendReported): boolean =>
  undecided === true && 'expiresInSeconds' in spend
