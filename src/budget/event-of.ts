import { LedgerError } from '../ledger/errors.js'
import type { LedgerRecord } from '../ledger/record.js'
import type { BudgetEvent } from './events.js'

/** Reads a record as the event it is. Unknown types and versions are refused, never skipped. */
export const eventOf = (record: LedgerRecord): BudgetEvent => {
  if (record.v !== 1 || !EVENT_TYPES.has(record.type)) {
    throw new LedgerError(
      'EVENT_UNKNOWN',
      `record ${record.seq} is a ${record.type} version ${record.v}, which this program does not know`,
      {
        retry: 'never',
        hint: 'run the version of the program that wrote it, or a newer one',
      },
    )
  }
  return { type: record.type, data: record.data } as unknown as BudgetEvent
}

const EVENT_TYPES: ReadonlySet<string> = new Set<BudgetEvent['type']>([
  'LedgerOpened',
  'PolicySet',
  'PolicyProposed',
  'PolicyRemovalProposed',
  'PolicyApproved',
  'SpendPart',
  'SpendAccepted',
  'SpendRefused',
  'SpendReported',
  'ReservationOpened',
  'ReservationRefused',
  'ReservationSettled',
  'ReservationReleased',
  'ReservationExpired',
  'Halted',
  'Resumed',
  'TokenCreated',
  'TokenRevoked',
  'ClockConfirmed',
  'RequestInvalid',
  'MessageQuarantined',
  'QuarantineDismissalProposed',
  'QuarantineDismissed',
  'OffsetsRecorded',
  'TopicResetProposed',
  'TopicResetApproved',
  'GapDeclared',
])
