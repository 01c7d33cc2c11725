import { add, parseRational, rationalText } from '../accounting/rational.js'
import { amountsShown } from '../budget/answer.js'
import type { PolicyVersion } from '../budget/policy.js'
import type { PolicyHistory } from '../budget/registry.js'
import type { JsonObject } from '../ledger/record.js'

/** A policy version as it was asked for, with the caps that hold it. */
export const policyView = (policy: PolicyVersion): JsonObject => ({
  id: policy.id,
  version: policy.version,
  scope: [...policy.scope],
  match: Object.fromEntries(Object.entries(policy.match).map(([name, values]) => [name, [...values]])),
  metric: policy.metric,
  epsilon: policy.epsilon,
  delta: rationalText(add(parseRational(policy.deltaConv), parseRational(policy.deltaExt))),
  ...(policy.metric === 'zcdp' || policy.metric === 'rdp' ? { deltaForSpends: policy.deltaExt } : {}),
  neighboring: policy.neighboring,
  window: policy.window,
  role: policy.role,
  ...(policy.metric === 'rdp' ? { orders: policy.orders.map(({ alpha, deltaShare }) => ({ alpha, deltaShare })) } : {}),
  ...(policy.alphaStar === null ? {} : { alphaStar: policy.alphaStar }),
  caps: amountsShown(policy.metric, policy.caps),
})

/** A policy id as it stands: what holds, and what waits for a second person. */
export const policyState = (id: string, history: PolicyHistory): JsonObject => {
  const active = history.versions.find(({ version }) => version === history.active)
  const { proposal } = history
  return {
    id,
    status: active === undefined ? 'removed' : 'active',
    version: history.active,
    policy: active === undefined ? null : policyView(active),
    proposal:
      proposal === null
        ? null
        : {
            version: proposal.version,
            replaces: proposal.replaces,
            proposedBy: proposal.proposedBy,
            removes: proposal.policy === null,
            policy: proposal.policy === null ? null : policyView(proposal.policy),
          },
  }
}

/** The same with everything that ever happened to the id. */
export const policyHistory = (id: string, history: PolicyHistory): JsonObject => ({
  ...policyState(id, history),
  versions: history.versions.map(policyView),
  changes: history.changes.map((change) => ({ ...change })),
})
