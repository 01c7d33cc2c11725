import type { UnreadableMessage } from '../application/ingest.js'
import { cut } from '../budget/problems.js'
import type { KafkaCause } from '../ledger/record.js'
import { type Envelope, UNREADABLE } from './cloud-event.js'
import type { ReceivedMessage } from './wire-message.js'

/** Why a message is quarantined. The codes are stable. */
export const QUARANTINE_REASONS = {
  ...UNREADABLE,
  UNKNOWN_TYPE: 'a CloudEvent of a type that asks for nothing here',
  REPORT_INVALID: 'a report that cannot be accounted; the detail begins with the code that HTTP would answer',
  DECISION_LOST: 'a request whose first decision may be lost, and that cannot be accounted; the detail begins as above',
} as const

export type QuarantineReason = keyof typeof QUARANTINE_REASONS

/** The record of a message that may be a spend, and that nobody can account; `known` is what could be read of it. */
export const quarantined = (
  { value, key }: ReceivedMessage,
  cause: KafkaCause,
  reason: QuarantineReason,
  detail: string,
  { source, id, type }: Partial<Envelope>,
): UnreadableMessage => ({
  request: 'quarantine',
  message: {
    reason,
    detail: cut(detail, MOST_DETAIL),
    bytes: value?.length ?? 0,
    key: key === null ? null : key.subarray(0, MOST_KEY_BYTES).toString('base64'),
    ...(source === undefined ? {} : { source }),
    ...(id === undefined ? {} : { id }),
    ...(type === undefined ? {} : { ceType: type }),
  },
  cause,
})

/**
 * What was read and may have happened, and what the ledger could not account: a report, or a request that lost records may have
 * permitted. `code` is what HTTP would answer.
 */
export const unaccountable = (
  message: ReceivedMessage,
  cause: KafkaCause,
  known: Pick<Envelope, 'source' | 'id' | 'type'>,
  { code, detail }: { readonly code: string; readonly detail: string },
): UnreadableMessage => {
  const reason = known.type === REPORT_TYPE ? 'REPORT_INVALID' : 'DECISION_LOST'
  return quarantined(message, cause, reason, `${code}: ${detail}`, known)
}

const REPORT_TYPE = 'epsilon.report.v1'

const MOST_DETAIL = 2_000
const MOST_KEY_BYTES = 256
