import type { TopicOffset } from '../budget/state.js'

/** The offsets that a partition has now. */
export interface Ends {
  /** Of the oldest message that it still has. */
  readonly low: bigint
  /** Beyond the newest message that is shown: a reader sees nothing from the first one of an open transaction on. */
  readonly high: bigint
}

export type LossCode = 'LOG_START_BEYOND' | 'TOPIC_SHORTER' | 'TOPIC_EXCHANGED' | 'OFFSET_RESET'

/** Messages that the ledger needs, or has applied, and that the topic does not have: nobody may go on over them silently. */
export interface LostRange {
  readonly code: LossCode
  /** First and last offset that are missing. */
  readonly from: bigint
  readonly to: bigint
  readonly detail: string
}

/** Where a ledger goes on that has applied nothing of a partition. */
export const START: TopicOffset = { next: 0n, digest: null }

/**
 * Whether a partition still is the one that the ledger has applied, as far as its ends show it.
 *
 * @returns undefined where the needed offset lies within the ends.
 */
export const lossByEnds = ({ next }: TopicOffset, { low, high }: Ends): LostRange | undefined => {
  if (next < low) {
    const detail = `the ledger needs offset ${next}, but the log begins with ${low}: the messages between were deleted before they were applied`
    return { code: 'LOG_START_BEYOND', from: next, to: low - 1n, detail }
  }
  if (next > high) {
    const detail = `the ledger has applied all before offset ${next}, but the log ends before ${high}: it was cut short or made anew`
    return { code: 'TOPIC_SHORTER', from: high, to: next - 1n, detail }
  }
  return undefined
}

/** Whether the last applied message can be read again and compared. */
export const comparable = ({ next, digest }: TopicOffset, { low }: Ends): boolean => digest !== null && next > low

/** The last applied message is another one now: the topic was made anew, and has grown past the ledger's offset since. */
export const exchanged = ({ next, digest }: TopicOffset, found: string | undefined): LostRange | undefined => {
  if (found === digest) return undefined
  const now = found === undefined ? 'there is no message' : `the message there has digest ${found}`
  const detail = `offset ${next - 1n} held a message with digest ${digest}, and now ${now}: the topic was exchanged`
  return { code: 'TOPIC_EXCHANGED', from: 0n, to: next - 1n, detail }
}
