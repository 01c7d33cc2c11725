import type { Row } from '../accounting/units.js'
import { type Balance, type Sums, usedOf } from '../budget/balance.js'
import { type Policy, type PolicyVersion, preparePolicy } from '../budget/policy.js'
import type { PolicyHistory } from '../budget/registry.js'
import type { Raise } from './audit.js'
import type { Replay } from './replay.js'

/** What one guarantee has come to, over all its budgets. */
export interface Guarantee {
  readonly policy: PolicyVersion
  /** `closed` where another structure took its place or it was removed: its sums stay. */
  readonly state: 'in-force' | 'closed'
  readonly budgets: number
  /** The largest part of its cap that any budget has taken, spent and reserved together: a decimal, rounded up; "INF". */
  readonly largestUse: string
  /** Budgets above the cap that is in force now, be it by a report or because the cap was lowered. */
  readonly budgetsAboveCap: number
  /** What the statement rests on, beside the theorems. */
  readonly conditions: readonly string[]
}

/** Every guarantee that ever held, one entry for each structure whose sums are kept. */
export const guaranteesOf = (replay: Replay): readonly Guarantee[] => {
  const { policies } = replay.state.registry
  return [...policies.keys()].sort().flatMap((id) => {
    const history = policies.get(id)
    return history === undefined ? [] : structuresOf(history).map((version) => guaranteeOf(replay, history, version))
  })
}

/** The version of each generation that held last, where it was a guarantee. */
const structuresOf = (history: PolicyHistory): readonly PolicyVersion[] => {
  const held = new Set(
    history.changes.flatMap(({ kind, version }) => (kind === 'set' || kind === 'approved' ? [version] : [])),
  )
  const last = new Map<number, PolicyVersion>()
  for (const version of history.versions) if (held.has(version.version)) last.set(version.generation, version)
  return [...last.values()].filter(({ role }) => role === 'guarantee')
}

const guaranteeOf = (replay: Replay, history: PolicyHistory, version: PolicyVersion): Guarantee => {
  const policy = preparePolicy(version)
  let budgets = 0
  let budgetsAboveCap = 0
  let largest: Share = NOTHING
  for (const { balance } of replay.state.budgets(version.id, version.generation)) {
    const share = useOf(policy, balance)
    budgets++
    if (isAboveOne(share)) budgetsAboveCap++
    if (isMore(share, largest)) largest = share
  }
  const active = history.versions.find(({ version: number }) => number === history.active)
  return {
    policy: version,
    state: active?.generation === version.generation ? 'in-force' : 'closed',
    budgets,
    largestUse: shareText(largest),
    budgetsAboveCap,
    conditions: conditionsOf(version, replay.raises),
  }
}

/** A fraction of a cap; undefined for an endless one. */
type Share = { readonly num: bigint; readonly den: bigint } | undefined

const NOTHING = { num: 0n, den: 1n }

/** The most over the rows that must all hold, and the least over those of which one must. */
const useOf = (policy: Policy, balance: Balance): Share => {
  const used = usedOf(balance)
  const shares = policy.rows.map((row, index) => rowShare(policy, used, row, index))
  const all = shares.slice(0, policy.and.length)
  const some = shares.slice(policy.and.length)
  const least = some.length === 0 ? [] : [some.reduce((one, other) => (isMore(one, other) ? other : one))]
  return [...all, ...least].reduce((one, other) => (isMore(other, one) ? other : one), NOTHING)
}

const rowShare = (policy: Policy, used: Sums, row: Row, index: number): Share => {
  const cap = policy.capOf.get(row) ?? 'DEAD'
  const sum = used.finite[index] ?? 0n
  if (used.infinite[index] !== 0) return undefined
  // A row that may not take anything is used up only by something.
  if (cap === 'DEAD' || cap === 0n) return sum === 0n && policy.or.every((other) => other !== row) ? NOTHING : undefined
  return { num: sum, den: cap }
}

const isMore = (one: Share, other: Share): boolean => {
  if (one === undefined || other === undefined) return one === undefined && other !== undefined
  return one.num * other.den > other.num * one.den
}

const isAboveOne = (share: Share): boolean => share === undefined || share.num > share.den

const DIGITS = 6n

/** Six decimals, rounded up: what was taken never looks smaller than it is. */
const shareText = (share: Share): string => {
  if (share === undefined) return 'INF'
  const scale = 10n ** DIGITS
  const units = (share.num * scale + share.den - 1n) / share.den
  const fraction = (units % scale).toString().padStart(Number(DIGITS), '0').replace(/0+$/, '')
  return fraction === '' ? `${units / scale}` : `${units / scale}.${fraction}`
}

const conditionsOf = (version: PolicyVersion, raises: readonly Raise[]): readonly string[] =>
  raises.filter(({ policy }) => policy === version.id).flatMap((raise) => conditionOf(version, raise) ?? [])

const conditionOf = ({ metric }: PolicyVersion, { kind, seq }: Raise): string | undefined => {
  switch (kind) {
    case 'raised':
      return metric === 'zcdp' || metric === 'rdp'
        ? `record ${seq} raised its cap: the statement holds if that was decided without looking at what was released before`
        : undefined
    case 'narrowed':
      return `record ${seq} changed what it matches: the statement covers what matched at the time`
    case 'restarted':
      return `record ${seq} gave it another structure: losses before and after are kept apart, and the statement holds for each`
    case 'removed':
      return `record ${seq} ended it: the statement covers what was released before`
  }
}
