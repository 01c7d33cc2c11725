import type { GapDeclared, TopicResetApproved, TopicResetProposed } from '../budget/events.js'
import { waitingReset } from '../budget/registry.js'
import { isOffset, isPartition, isTopic, partitionText } from '../budget/topics.js'
import { type Audit, fail, type RecordPlace } from './audit.js'
import { checkToken } from './check-token.js'

export const checkResetProposed = (audit: Audit, data: TopicResetProposed, place: RecordPlace): void => {
  if (!isTopic(data.topic) || !isPartition(data.partition) || !isOffset(data.to))
    fail('EVENT_MALFORMED', place, `it proposes that ${partitionText(data)} goes on at ${data.to}`)
  checkFrom(audit, data, place)
  checkToken(audit, data.proposedBy, 'operator', place)
}

/** What was proposed, from where the ledger still stood, approved by somebody else. */
export const checkResetApproved = (audit: Audit, data: TopicResetApproved, place: RecordPlace): void => {
  const { topic, partition, from, to, approvedBy } = data
  const proposal = waitingReset(audit.state.registry, topic, partition)
  if (proposal === undefined || proposal.to !== to || proposal.from !== from) {
    const waits = proposal === undefined ? 'nothing' : `a reset from ${proposal.from} to ${proposal.to}`
    fail('RESET_INVALID', place, `it resets ${partitionText(data)} from ${from} to ${to}; ${waits} waits for approval`)
  }
  checkFrom(audit, data, place)
  if (proposal?.proposedBy === approvedBy) {
    fail(
      'APPROVAL_INVALID',
      place,
      `the reset of ${partitionText(data)} was proposed and approved with the same token ${approvedBy}`,
    )
  }
  checkToken(audit, approvedBy, 'approver', place)
}

const checkFrom = (audit: Audit, data: TopicResetProposed | TopicResetApproved, place: RecordPlace): void => {
  const next = String(audit.state.offset(data.topic, data.partition)?.next ?? 0n)
  if (data.from === next) return
  fail('RESET_INVALID', place, `it resets ${partitionText(data)} from ${data.from}, but the ledger stood at ${next}`)
}

/** Numbers are left out where an epoch begins, and nowhere else; which ones, the chain has checked. */
export const checkGap = ({ from, to, undecided = [] }: GapDeclared, epochBefore: number, place: RecordPlace): void => {
  for (const { topic, partition, before } of undecided) {
    if (!isTopic(topic) || !isPartition(partition) || !isOffset(before))
      fail('EVENT_MALFORMED', place, `it names messages before ${before} of ${partitionText({ topic, partition })}`)
  }
  if (place.epoch > epochBefore) return
  fail(
    'GAP_INVALID',
    place,
    `it declares ${from} to ${to} as missing in epoch ${place.epoch}, after a record of epoch ${epochBefore}`,
  )
}
