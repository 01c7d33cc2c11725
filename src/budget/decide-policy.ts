import type { ApprovePolicy, RemovePolicy, SetPolicy } from './commands.js'
import { type Rejection, record, reject, type Verdict } from './context.js'
import { couldMeet, type PolicyTerms, type PolicyVersion, structureOf, tightens } from './policy.js'
import { lastHeld, type PolicyHistory } from './registry.js'
import type { BudgetState } from './state.js'

/** Rows of all policies together: a spend's record names each of them and must stay under 64 KiB. */
const MOST_ROWS = 512

/**
 * A new policy and one that only tightens hold at once; everything that could admit what was refused before is
 * proposed, and waits for a second person. A removed policy that comes back is held against what it last was.
 */
export const decidePolicy = (state: BudgetState, command: SetPolicy): Verdict => {
  const { terms, replaces } = command
  const history = state.registry.policies.get(terms.id)
  const current = activeOf(history)
  const problem =
    versionProblem(terms.id, current, replaces) ?? meetingProblem(state, terms) ?? sizeProblem(state, terms)
  if (problem !== undefined) return problem
  const policy = { ...terms, version: (history?.last ?? 0) + 1, generation: generationOf(history, terms) }
  const held = lastHeld(history)
  if (held === undefined || tightens(held, terms)) {
    return record({ type: 'PolicySet', data: { policy, replaces: current?.version ?? null } })
  }
  return record({ type: 'PolicyProposed', data: { policy, replaces: held.version, proposedBy: command.actor.token } })
}

export const decideRemoval = (state: BudgetState, command: RemovePolicy): Verdict => {
  const history = state.registry.policies.get(command.id)
  const current = activeOf(history)
  if (history === undefined || current === undefined) return noPolicy(command.id)
  return record({
    type: 'PolicyRemovalProposed',
    data: {
      id: command.id,
      version: history.last + 1,
      replaces: current.version,
      proposedBy: command.actor.token,
    },
  })
}

export const decideApproval = (state: BudgetState, command: ApprovePolicy): Verdict => {
  const history = state.registry.policies.get(command.id)
  if (history === undefined) return noPolicy(command.id)
  const { proposal } = history
  if (proposal === null || proposal.version !== command.version) {
    const pending = proposal === null ? 'nothing waits for approval' : `version ${proposal.version} waits for approval`
    return reject(
      'VERSION_MISMATCH',
      `policy ${command.id}: asked to approve version ${command.version}, but ${pending}`,
    )
  }
  if (proposal.proposedBy === command.actor.token) {
    return reject(
      'FORBIDDEN',
      `version ${command.version} was proposed with this same token; another person has to approve it`,
    )
  }
  const problem =
    proposal.policy === null
      ? undefined
      : (meetingProblem(state, proposal.policy) ?? sizeProblem(state, proposal.policy))
  if (problem !== undefined) return problem
  return record({
    type: 'PolicyApproved',
    data: { id: command.id, version: command.version, approvedBy: command.actor.token },
  })
}

const activeOf = (history: PolicyHistory | undefined): PolicyVersion | undefined =>
  history?.versions.find(({ version }) => version === history.active)

const noPolicy = (id: string): Rejection => reject('NOT_FOUND', `there is no policy ${JSON.stringify(id)} in force`)

const versionProblem = (id: string, current: PolicyVersion | undefined, replaces: number | undefined) => {
  if (current?.version === replaces) return undefined
  const holds = current === undefined ? 'no version is in force' : `version ${current.version} is in force`
  const named = replaces === undefined ? 'no version to replace was named' : `version ${replaces} was named`
  return reject(
    'VERSION_MISMATCH',
    `policy ${id}: ${holds}, but ${named}; read it again and name the version in "replaces"`,
  )
}

const meetingProblem = (state: BudgetState, terms: PolicyTerms): Rejection | undefined => {
  const other = state.registry.active.find(
    (policy) => policy.id !== terms.id && policy.neighboring !== terms.neighboring && couldMeet(policy, terms),
  )
  if (other === undefined) return undefined
  return reject(
    'RELATION_CONFLICT',
    `policy ${terms.id} is under ${terms.neighboring} and policy ${other.id} under ${other.neighboring}; one spend could meet both, so give them matches without a common value`,
  )
}

const sizeProblem = (state: BudgetState, terms: PolicyTerms): Rejection | undefined => {
  const others = state.registry.active.filter(({ id }) => id !== terms.id)
  const rows = others.reduce((sum, policy) => sum + policy.rows.length, terms.and.length + terms.or.length)
  if (rows <= MOST_ROWS) return undefined
  return reject(
    'POLICY_LIMIT',
    `all policies together would have ${rows} rows, and ${MOST_ROWS} are the most; give fewer orders`,
  )
}

/** The generation of the id's last version with this structure, else a new one. */
const generationOf = (history: PolicyHistory | undefined, terms: PolicyTerms): number => {
  const versions = history?.versions ?? []
  const same = versions.findLast((version) => structureOf(version) === structureOf(terms))
  return same?.generation ?? versions.reduce((most, { generation }) => Math.max(most, generation), 0) + 1
}
