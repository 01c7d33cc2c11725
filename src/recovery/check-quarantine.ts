import type { QuarantineDismissalProposed, QuarantineDismissed } from '../budget/events.js'
import { type Audit, fail, type RecordPlace } from './audit.js'
import { checkToken } from './check-token.js'

/** Only a quarantined message that nobody has resolved can be resolved. */
export const checkUnresolved = (audit: Audit, quarantined: number, place: RecordPlace): void => {
  if (audit.state.unresolved(quarantined) !== undefined) return
  fail(
    'QUARANTINE_INVALID',
    place,
    `it is about the message of record ${quarantined}, which is not quarantined or was resolved before`,
  )
}

export const checkDismissalProposed = (audit: Audit, data: QuarantineDismissalProposed, place: RecordPlace): void => {
  checkUnresolved(audit, data.quarantined, place)
  checkToken(audit, data.proposedBy, 'operator', place)
}

/** "It was no spend" takes a second person. */
export const checkDismissed = (audit: Audit, data: QuarantineDismissed, place: RecordPlace): void => {
  const { quarantined, approvedBy } = data
  checkUnresolved(audit, quarantined, place)
  const proposal = audit.state.unresolved(quarantined)?.dismissal ?? null
  if (proposal === null)
    fail('QUARANTINE_INVALID', place, `it dismisses the message of record ${quarantined}, which nobody proposed`)
  if (proposal?.proposedBy === approvedBy) {
    fail(
      'APPROVAL_INVALID',
      place,
      `the dismissal of record ${quarantined} was proposed and approved with the same token ${approvedBy}`,
    )
  }
  checkToken(audit, approvedBy, 'approver', place)
  audit.tally.dismissed++
}
