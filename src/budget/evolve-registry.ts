import { unreachable } from '../ledger/errors.js'
import type { BudgetEvent, Halted, TokenCreated } from './events.js'
import type { Place } from './evolve.js'
import { sameScope } from './halts.js'
import { type Match, type PolicyVersion, preparePolicy } from './policy.js'
import {
  type Halt,
  type PolicyChange,
  type PolicyHistory,
  type Registry,
  type TopicReset,
  waitingReset,
} from './registry.js'
import { withoutUndecided, withUndecided } from './undecided.js'

/** Events that change the registry alone. */
export type RegistryEvent = Extract<
  BudgetEvent,
  {
    readonly type:
      | 'LedgerOpened'
      | 'PolicySet'
      | 'PolicyProposed'
      | 'PolicyRemovalProposed'
      | 'PolicyApproved'
      | 'Halted'
      | 'Resumed'
      | 'TokenCreated'
      | 'TokenRevoked'
      | 'ClockConfirmed'
      | 'TopicResetProposed'
      | 'TopicResetApproved'
      | 'GapDeclared'
  }
>

export const evolveRegistry = (registry: Registry, event: RegistryEvent, place: Place): Registry => {
  switch (event.type) {
    case 'LedgerOpened':
      return { ...registry, ledger: event.data.ledger }
    case 'PolicySet':
      return withPolicy(registry, event.data.policy.id, (history) => ({
        ...withVersion(history, event.data.policy),
        active: event.data.policy.version,
        proposal: null,
        changes: [...history.changes, change('set', event.data.policy.version, place)],
      }))
    case 'PolicyProposed':
      return withPolicy(registry, event.data.policy.id, (history) => ({
        ...withVersion(history, event.data.policy),
        proposal: { ...event.data, version: event.data.policy.version },
        changes: [...history.changes, change('proposed', event.data.policy.version, place)],
      }))
    case 'PolicyRemovalProposed':
      return withPolicy(registry, event.data.id, (history) => ({
        ...history,
        last: event.data.version,
        proposal: { ...event.data, policy: null },
        changes: [...history.changes, change('removal-proposed', event.data.version, place)],
      }))
    case 'PolicyApproved':
      return withPolicy(registry, event.data.id, (history) => ({
        ...history,
        active: history.proposal?.policy?.version ?? null,
        proposal: null,
        changes: [...history.changes, change('approved', event.data.version, place)],
      }))
    case 'Halted':
      return { ...registry, halts: [...without(registry.halts, event.data), haltOf(event.data, place)] }
    case 'Resumed':
      return { ...registry, halts: without(registry.halts, event.data) }
    case 'TokenCreated':
      return withToken(registry, event.data, place)
    case 'TokenRevoked': {
      const token = registry.tokens.get(event.data.token)
      if (token === undefined) return registry
      return { ...registry, tokens: new Map(registry.tokens).set(token.token, { ...token, revoked: true }) }
    }
    case 'ClockConfirmed':
      return registry
    case 'TopicResetProposed':
      return withReset(registry, { ...event.data, approvedBy: null, seq: place.seq })
    case 'TopicResetApproved': {
      const { topic, partition, from, to, approvedBy } = event.data
      const left = BigInt(to) < BigInt(from) ? withoutUndecided(registry, event.data) : registry
      const proposal = waitingReset(left, topic, partition)
      return proposal === undefined ? left : withReset(left, { ...proposal, approvedBy, seq: place.seq })
    }
    case 'GapDeclared': {
      const { undecided = [], ...gap } = event.data
      return withUndecided({ ...registry, gaps: [...registry.gaps, { ...gap, seq: place.seq }] }, undecided)
    }
    default:
      return unreachable(event)
  }
}

const noHistory: PolicyHistory = { versions: [], active: null, proposal: null, last: 0, changes: [] }

const withPolicy = (registry: Registry, id: string, next: (history: PolicyHistory) => PolicyHistory): Registry => {
  const policies = new Map(registry.policies).set(id, next(registry.policies.get(id) ?? noHistory))
  return { ...registry, policies, active: activePolicies(policies) }
}

/** The policies that hold, by id, prepared once for all decisions until the next change. */
export const activePolicies = (policies: Registry['policies']): Registry['active'] =>
  [...policies.keys()].sort().flatMap((id) => {
    const history = policies.get(id)
    const version = history?.versions.find((candidate) => candidate.version === history.active)
    return version === undefined ? [] : [preparePolicy(version)]
  })

const withVersion = (history: PolicyHistory, policy: PolicyVersion): PolicyHistory => ({
  ...history,
  versions: [...history.versions, policy],
  last: policy.version,
})

const change = (kind: PolicyChange['kind'], version: number, { seq, at, by }: Place): PolicyChange => ({
  kind,
  version,
  at,
  by,
  seq,
})

const withToken = (registry: Registry, data: TokenCreated, place: Place): Registry => ({
  ...registry,
  tokens: new Map(registry.tokens).set(data.token, { ...data, createdAt: place.at, revoked: false }),
})

/** The next thing that is said about a partition takes the place of what waits for it. */
const withReset = (registry: Registry, reset: TopicReset): Registry => {
  const waiting = waitingReset(registry, reset.topic, reset.partition)
  return { ...registry, resets: [...registry.resets.filter((other) => other !== waiting), reset] }
}

const haltOf = (data: Halted, place: Place): Halt => ({
  scope: data.scope as Match | null,
  reason: data.reason,
  at: place.at,
})

const without = (halts: readonly Halt[], data: Halted): readonly Halt[] =>
  halts.filter(({ scope }) => !sameScope(scope, data.scope as Match | null))
