import type { KafkaCause } from '../ledger/record.js'
import { messageDigest } from './message-digest.js'
import type { ReceivedMessage } from './wire-message.js'

/** What the client shows of the batch that a message came in; it has no type for it. */
interface BatchContext {
  readonly partitionLeaderEpoch?: unknown
  readonly inTransaction?: unknown
}

/** Where a message lies and what it is, for the record that it causes. */
export const messageCause = (message: ReceivedMessage, topic: string, partition: number): KafkaCause => {
  const { partitionLeaderEpoch: leaderEpoch, inTransaction } = batchContextOf(message)
  return {
    kind: 'kafka',
    topic,
    partition,
    offset: message.offset,
    ...(Number.isSafeInteger(leaderEpoch) && (leaderEpoch as number) >= 0
      ? { leaderEpoch: leaderEpoch as number }
      : {}),
    digest: messageDigest(message),
    ...(inTransaction === true ? { transactional: true } : {}),
  }
}

const batchContextOf = (
  message: ReceivedMessage & { readonly batchContext?: BatchContext | undefined },
): BatchContext => message.batchContext ?? {}
