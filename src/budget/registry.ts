import type { GapDeclared, TokenCreated, TopicResetProposed, UndecidedMessages } from './events.js'
import { type Match, type Policy, type PolicyVersion, preparePolicy } from './policy.js'

/** Everything about one policy id, for ever: numbers are never given out twice. */
export interface PolicyHistory {
  readonly versions: readonly PolicyVersion[]
  /** The version that holds; null before the first approval and after removal. */
  readonly active: number | null
  readonly proposal: Proposal | null
  /** The highest version number given out, removals included. */
  readonly last: number
  /** What has happened to the id, oldest first. */
  readonly changes: readonly PolicyChange[]
}

export interface Proposal {
  readonly version: number
  readonly replaces: number
  readonly proposedBy: string
  /** null: the policy is to be removed. */
  readonly policy: PolicyVersion | null
}

export interface PolicyChange {
  readonly kind: 'set' | 'proposed' | 'removal-proposed' | 'approved'
  readonly version: number
  readonly at: string
  readonly by: string
  readonly seq: number
}

export interface Halt {
  /** null: every spend. */
  readonly scope: Match | null
  readonly reason: string
  readonly at: string
}

export interface TokenEntry extends TokenCreated {
  readonly createdAt: string
  readonly revoked: boolean
}

/** A partition that shall go on, or went on, at another place than the one after its last message. */
export interface TopicReset extends TopicResetProposed {
  /** null: it waits for a second person. */
  readonly approvedBy: string | null
  /** The record that proposed or approved it. */
  readonly seq: number
}

/** Numbers that no record has. */
export interface Gap extends GapDeclared {
  readonly seq: number
}

/**
 * The small part of the state that changes rarely: an immutable value, replaced whole. Balances, reservations and
 * idempotency keys are many; they lie behind {@link BudgetState}.
 */
export interface Registry {
  readonly ledger: string
  readonly policies: ReadonlyMap<string, PolicyHistory>
  /** The policies that hold, in the order of their ids, prepared for deciding. */
  readonly active: readonly Policy[]
  readonly tokens: ReadonlyMap<string, TokenEntry>
  readonly halts: readonly Halt[]
  /** One that waits for each partition at most, and all that were approved, oldest first. */
  readonly resets: readonly TopicReset[]
  readonly gaps: readonly Gap[]
  /** One entry a partition at most. */
  readonly undecided: readonly UndecidedMessages[]
}

export const emptyRegistry: Registry = {
  ledger: '',
  policies: new Map(),
  active: [],
  tokens: new Map(),
  halts: [],
  resets: [],
  gaps: [],
  undecided: [],
}

/** The version that holds, if it is this one: the common case, prepared once. */
export const activeVersion = (registry: Registry, id: string, version: number): Policy | undefined =>
  registry.active.find((policy) => policy.id === id && policy.version === version)

/** Any version that ever was, prepared anew. */
export const policyVersion = (registry: Registry, id: string, version: number): Policy | undefined => {
  const found = registry.policies.get(id)?.versions.find((candidate) => candidate.version === version)
  return found === undefined ? undefined : preparePolicy(found)
}

/** The version of an id that holds, or held last before its removal; undefined for an id that never had one. */
export const lastHeld = (history: PolicyHistory | undefined): PolicyVersion | undefined => {
  const taken = history?.changes.filter(({ kind }) => kind === 'set' || kind === 'approved') ?? []
  const versions = taken.flatMap(({ version }) => history?.versions.filter((known) => known.version === version) ?? [])
  return versions.at(-1)
}

/** The reset of a partition that nobody has approved yet. */
/** How often two people have agreed where a partition goes on. */
export const approvedResets = ({ resets }: Registry, topic: string, partition: number): number =>
  resets.filter((reset) => reset.approvedBy !== null && reset.topic === topic && reset.partition === partition).length

export const waitingReset = ({ resets }: Registry, topic: string, partition: number): TopicReset | undefined =>
  resets.find((reset) => reset.approvedBy === null && reset.topic === topic && reset.partition === partition)
