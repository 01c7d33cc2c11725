import { type BudgetCaps, type BudgetTerms, capsFor } from '../accounting/caps.js'
import { add, parseRational, rationalText } from '../accounting/rational.js'
import type { Row } from '../accounting/units.js'
import type { PolicyApproved, PolicyProposed, PolicyRemovalProposed, PolicySet } from '../budget/events.js'
import { ATTRIBUTES, couldMeet, type PolicyVersion, structureOf, tightens } from '../budget/policy.js'
import { lastHeld, type PolicyHistory } from '../budget/registry.js'
import { type Afterwards, type Audit, fail, type RecordPlace } from './audit.js'
import { noteCapBelowSpent } from './cap-below-spent.js'
import { checkToken } from './check-token.js'
import { capsWithin } from './conditions.js'

/** A policy that holds at once is new, or refuses at least what the one before refused, removed or not. */
export const checkPolicySet = (audit: Audit, data: PolicySet, place: RecordPlace): Afterwards => {
  const history = audit.state.registry.policies.get(data.policy.id)
  const held = lastHeld(history)
  checkVersion(data.policy, history, data.replaces, activeOf(history)?.version ?? null, place)
  checkTerms(audit, data.policy, history, place)
  if (held !== undefined && !tightens(held, data.policy)) {
    fail(
      'POLICY_RAISED_ALONE',
      place,
      `policy ${data.policy.id} version ${data.policy.version} admits what version ${held.version} refused (${differenceOf(held, data.policy)}), and nobody approved it`,
    )
  }
  return () => noteCapBelowSpent(audit, data.policy, place)
}

export const checkProposed = (audit: Audit, data: PolicyProposed, place: RecordPlace): void => {
  const history = audit.state.registry.policies.get(data.policy.id)
  checkVersion(data.policy, history, data.replaces, lastHeld(history)?.version ?? null, place)
  checkTerms(audit, data.policy, history, place)
  checkToken(audit, data.proposedBy, 'operator', place)
}

export const checkRemovalProposed = (audit: Audit, data: PolicyRemovalProposed, place: RecordPlace): void => {
  const history = audit.state.registry.policies.get(data.id)
  const current = activeOf(history)
  if (current === undefined || data.replaces !== current.version || data.version !== (history?.last ?? 0) + 1) {
    fail(
      'POLICY_MISMATCH',
      place,
      `it proposes as version ${data.version} to remove policy ${data.id} version ${data.replaces}; in force is version ${current?.version ?? 'none'}, the last number is ${history?.last ?? 0}`,
    )
  }
  checkToken(audit, data.proposedBy, 'operator', place)
}

/** What waits is approved by somebody else than who proposed it. */
export const checkApproved = (audit: Audit, data: PolicyApproved, place: RecordPlace): Afterwards | undefined => {
  const history = audit.state.registry.policies.get(data.id)
  const proposal = history?.proposal
  if (proposal === undefined || proposal === null || proposal.version !== data.version) {
    fail(
      'APPROVAL_INVALID',
      place,
      `it approves version ${data.version} of policy ${data.id}; ${proposal ? `version ${proposal.version}` : 'nothing'} waits for approval`,
    )
    return undefined
  }
  if (proposal.proposedBy === data.approvedBy) {
    fail(
      'APPROVAL_INVALID',
      place,
      `version ${data.version} of policy ${data.id} was proposed and approved with the same token ${data.approvedBy}`,
    )
  }
  checkToken(audit, data.approvedBy, 'approver', place)
  if (proposal.policy !== null) checkMeeting(audit, proposal.policy, place)
  audit.tally.policyRaises++
  const next = proposal.policy
  if (next === null) return undefined
  if (isRaise(lastHeld(history), next)) audit.tally.guaranteesRaised++
  return () => noteCapBelowSpent(audit, next, place)
}

const isRaise = (now: PolicyVersion | undefined, next: PolicyVersion): boolean =>
  now?.role === 'guarantee' && next.role === 'guarantee' && now.generation === next.generation && !capsWithin(next, now)

const activeOf = (history: PolicyHistory | undefined): PolicyVersion | undefined =>
  history?.versions.find(({ version }) => version === history.active)

/** Numbers are given out once, and sums are carried on only where the structure stays the same. */
const checkVersion = (
  policy: PolicyVersion,
  history: PolicyHistory | undefined,
  replaces: number | null,
  active: number | null,
  place: RecordPlace,
): void => {
  const next = (history?.last ?? 0) + 1
  if (policy.version !== next || replaces !== active) {
    fail(
      'POLICY_MISMATCH',
      place,
      `policy ${policy.id} version ${policy.version} replaces ${replaces}; the next number is ${next}, and ${active ?? 'none'} is in force`,
    )
  }
  const versions = history?.versions ?? []
  const same = versions.findLast((version) => structureOf(version) === structureOf(policy))
  const generation = same?.generation ?? Math.max(0, ...versions.map((version) => version.generation)) + 1
  if (policy.generation !== generation) {
    fail(
      'POLICY_MISMATCH',
      place,
      `policy ${policy.id} version ${policy.version} says generation ${policy.generation}, but its structure is that of generation ${generation}`,
    )
  }
}

/** Recomputes the caps from epsilon, delta and orders (V1), and looks at what else a policy fixes. */
const checkTerms = (
  audit: Audit,
  policy: PolicyVersion,
  history: PolicyHistory | undefined,
  place: RecordPlace,
): void => {
  audit.tally.policyVersions++
  if (policy.costFn !== 'exact-v1')
    fail('POLICY_MISMATCH', place, `policy ${policy.id} has costs by ${policy.costFn}; this program knows exact-v1`)
  if (policy.role === 'guarantee' && policy.window !== 'lifetime') {
    fail(
      'POLICY_MISMATCH',
      place,
      `policy ${policy.id} is a guarantee by the ${policy.window}; only a lifetime can be guaranteed`,
    )
  }
  const unknown = [...policy.scope, ...Object.keys(policy.match)].find(
    (name) => !(ATTRIBUTES as readonly string[]).includes(name),
  )
  if (unknown !== undefined || policy.scope.length === 0)
    fail(
      'POLICY_MISMATCH',
      place,
      `policy ${policy.id} has scope ${policy.scope.join(', ') || 'nothing'} and names ${unknown ?? 'nothing'} that is no attribute`,
    )
  checkCaps(audit, policy, capsFor(termsOf(policy)), place)
  if (activeOf(history) === undefined) checkMeeting(audit, policy, place)
}

const termsOf = ({ metric, epsilon, deltaConv, deltaExt, orders, alphaStar }: PolicyVersion): BudgetTerms => {
  const delta = rationalText(add(parseRational(deltaConv), parseRational(deltaExt)))
  switch (metric) {
    case 'zcdp':
      return { metric, epsilon, delta, deltaForSpends: deltaExt, ...(alphaStar === null ? {} : { alphaStar }) }
    case 'rdp':
      return { metric, epsilon, delta, deltaForSpends: deltaExt, orders }
    default:
      return { metric, epsilon, delta }
  }
}

const checkCaps = (audit: Audit, policy: PolicyVersion, exact: BudgetCaps, place: RecordPlace): void => {
  const named = [...policy.and, '|', ...policy.or].join(' ')
  const wanted = [...exact.and, '|', ...exact.or].join(' ')
  const capped = Object.keys(policy.caps).sort().join(' ')
  if (named !== wanted || capped !== [...policy.and, ...policy.or].sort().join(' ')) {
    fail(
      'POLICY_MISMATCH',
      place,
      `policy ${policy.id} has rows ${named} and caps for ${capped}; its terms give ${wanted}`,
    )
  }
  for (const row of [...policy.and, ...policy.or] as readonly Row[]) {
    audit.tally.capsCompared++
    const said = policy.caps[row]
    const cap = exact.caps[row] ?? 'DEAD'
    if (said === 'DEAD' || (isUnits(said) && BigInt(said) <= (cap === 'DEAD' ? 0n : cap))) continue
    fail(
      'CAP_TOO_HIGH',
      place,
      `policy ${policy.id}, row ${row}: its cap is ${said}, but epsilon ${policy.epsilon} and its deltas give ${cap}`,
    )
  }
}

const isUnits = (text: string | undefined): text is string => text !== undefined && /^(0|[1-9]\d*)$/.test(text)

const checkMeeting = (audit: Audit, policy: PolicyVersion, place: RecordPlace): void => {
  const other = audit.state.registry.active.find(
    ({ id, neighboring, ...terms }) =>
      id !== policy.id && neighboring !== policy.neighboring && couldMeet({ ...terms, id, neighboring }, policy),
  )
  if (other !== undefined) {
    fail(
      'RELATION_CONFLICT',
      place,
      `policy ${policy.id} is under ${policy.neighboring} and ${other.id} under ${other.neighboring}, and one spend could meet both`,
    )
  }
}

const differenceOf = (now: PolicyVersion, next: PolicyVersion): string => {
  const raised = Object.entries(next.caps).find(
    ([row, cap]) => isUnits(cap) && BigInt(cap) > BigInt(isUnits(now.caps[row]) ? (now.caps[row] ?? '0') : '0'),
  )
  if (raised === undefined) return 'another scope, match, metric, window or role'
  return `row ${raised[0]}: cap ${raised[1]} after ${now.caps[raised[0]] ?? 'none'}`
}
