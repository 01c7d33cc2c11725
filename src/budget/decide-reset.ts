import type { ApproveReset, ProposeReset } from './commands.js'
import { record, reject, type Verdict } from './context.js'
import { waitingReset } from './registry.js'
import type { BudgetState } from './state.js'
import { isOffset, isPartition, isTopic, partitionText } from './topics.js'

/** Going on at another place loses messages, or meets others under old offsets: it takes two people. */
export const decideReset = (state: BudgetState, command: ProposeReset): Verdict => {
  const { topic, partition, to, reason, actor } = command
  if (!isTopic(topic) || !isPartition(partition) || !isOffset(to)) {
    return reject('NOT_FOUND', `no topic has offset ${JSON.stringify(to)} in ${partitionText(command)}`)
  }
  const from = nextOf(state, command)
  return record({ type: 'TopicResetProposed', data: { topic, partition, from, to, reason, proposedBy: actor.token } })
}

/** What is approved is what was proposed, from the place where the ledger still stands. */
export const decideResetApproval = (state: BudgetState, command: ApproveReset): Verdict => {
  const { topic, partition, to, actor } = command
  const proposal = waitingReset(state.registry, topic, partition)
  const from = nextOf(state, command)
  const named = partitionText(command)
  if (proposal === undefined) return reject('PROPOSAL_MISMATCH', `no reset of ${named} waits for approval`)
  if (proposal.to !== to) {
    return reject(
      'PROPOSAL_MISMATCH',
      `asked to approve that ${named} goes on at ${to}, but the reset that waits goes to ${proposal.to}`,
    )
  }
  if (proposal.from !== from) {
    return reject(
      'PROPOSAL_MISMATCH',
      `the reset of ${named} was proposed at ${proposal.from}, but the ledger stands at ${from} by now; propose it again`,
    )
  }
  if (proposal.proposedBy === actor.token) {
    return reject('FORBIDDEN', 'the reset was proposed with this same token; another person has to approve it')
  }
  return record({ type: 'TopicResetApproved', data: { topic, partition, from, to, approvedBy: actor.token } })
}

const nextOf = (state: BudgetState, { topic, partition }: Pick<ProposeReset, 'topic' | 'partition'>): string =>
  String(state.offset(topic, partition)?.next ?? 0n)
