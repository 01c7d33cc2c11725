import { type PolicyVersion, preparePolicy } from '../budget/policy.js'
import type { Audit, RecordPlace } from './audit.js'
import { isAboveOne, isMore, NOTHING, type Share, shareText, useOf } from './share.js'

/** Budgets that had taken more than a cap when a record set it. */
export interface Overdrawn {
  readonly seq: number
  readonly budgets: number
}

export const overdrawnName = ({ id, generation }: Pick<PolicyVersion, 'id' | 'generation'>): string =>
  `${generation} ${id}`

/**
 * Looks at a guarantee as it begins to hold: a budget that has taken more than its cap stays there, admits nothing more,
 * and is not what the smaller cap promises.
 */
export const noteCapBelowSpent = (audit: Audit, version: PolicyVersion, { seq }: RecordPlace): void => {
  audit.overdrawn.delete(overdrawnName(version))
  audit.overcharged.delete(overdrawnName(version))
  if (version.role !== 'guarantee') return
  const policy = preparePolicy(version)
  let budgets = 0
  let largest: Share = NOTHING
  for (const { balance } of audit.state.budgets(version.id, version.generation)) {
    const share = useOf(policy, balance)
    if (!isAboveOne(share)) continue
    budgets++
    if (isMore(share, largest)) largest = share
  }
  if (budgets === 0) return
  audit.overdrawn.set(overdrawnName(version), { seq, budgets })
  const detail = `policy ${version.id} version ${version.version}: ${budgets} ${budgets === 1 ? 'budget has' : 'budgets have'} taken more than the cap that holds from here on, up to ${shareText(largest)} times as much`
  audit.notices.add({ seq, code: 'CAP_BELOW_SPENT', detail })
}
