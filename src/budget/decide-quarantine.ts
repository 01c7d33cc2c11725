import type { ApproveDismissal, ProposeDismissal } from './commands.js'
import { type Rejection, record, reject, type Verdict } from './context.js'
import type { BudgetState } from './state.js'

/** Only what nobody has resolved can be resolved. */
export const notQuarantined = (state: BudgetState, seq: number): Rejection | undefined =>
  state.unresolved(seq) === undefined
    ? reject(
        'NOT_FOUND',
        `record ${seq} is no quarantined message that waits to be resolved; GET /v1/quarantine lists them`,
      )
    : undefined

/** "It was no spend" lets a message go uncharged: it takes two people. */
export const decideDismissal = (state: BudgetState, { quarantined, reason, actor }: ProposeDismissal): Verdict =>
  notQuarantined(state, quarantined) ??
  record({ type: 'QuarantineDismissalProposed', data: { quarantined, reason, proposedBy: actor.token } })

export const decideDismissalApproval = (state: BudgetState, { quarantined, actor }: ApproveDismissal): Verdict => {
  const problem = notQuarantined(state, quarantined)
  if (problem !== undefined) return problem
  const proposal = state.unresolved(quarantined)?.dismissal ?? null
  if (proposal === null) {
    return reject('PROPOSAL_MISMATCH', `nobody has proposed to dismiss the message of record ${quarantined}`)
  }
  if (proposal.proposedBy === actor.token) {
    return reject('FORBIDDEN', 'the dismissal was proposed with this same token; another person has to approve it')
  }
  return record({ type: 'QuarantineDismissed', data: { quarantined, approvedBy: actor.token } })
}
