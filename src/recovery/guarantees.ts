import { type PolicyVersion, preparePolicy } from '../budget/policy.js'
import type { PolicyHistory } from '../budget/registry.js'
import { conditionsOf, heldOf } from './conditions.js'
import { ledgerConditions } from './ledger-conditions.js'
import type { Replay } from './replay.js'
import { isAboveOne, isMore, NOTHING, type Share, shareText, useOf } from './share.js'

/** What one guarantee has come to, over all its budgets. */
export interface Guarantee {
  readonly policy: PolicyVersion
  /** `closed` where another structure took its place, it became a quota or was removed: its sums stay. */
  readonly state: 'in-force' | 'closed'
  readonly budgets: number
  /** The largest part of its cap that any budget has taken, spent and reserved together: a decimal, rounded up; "INF". */
  readonly largestUse: string
  /** Budgets above its cap, be it by a report or because they had taken more before the cap was set. */
  readonly budgetsAboveCap: number
  /** What the statement rests on, beside the theorems. */
  readonly conditions: readonly string[]
}

/** Every guarantee that ever held, one entry for each structure whose sums are kept. */
export const guaranteesOf = (replay: Replay): readonly Guarantee[] => {
  const known = computed.get(replay)
  if (known?.records === replay.tally.records) return known.guarantees
  const { policies } = replay.state.registry
  const ofAll = ledgerConditions(replay.state)
  const guarantees = [...policies.keys()].sort().flatMap((id) => {
    const history = policies.get(id)
    const found = history === undefined ? [] : structuresOf(history)
    return found.map((version) => guaranteeOf(replay, history as PolicyHistory, version, ofAll))
  })
  computed.set(replay, { records: replay.tally.records, guarantees })
  return guarantees
}

/** Millions of budgets are gone through once, however many ask for what they have come to. */
const computed = new WeakMap<Replay, { readonly records: number; readonly guarantees: readonly Guarantee[] }>()

/** The version of each generation that was a guarantee last. */
const structuresOf = (history: PolicyHistory): readonly PolicyVersion[] => {
  const last = new Map<number, PolicyVersion>()
  for (const { version } of heldOf(history)) if (version?.role === 'guarantee') last.set(version.generation, version)
  return [...last.values()]
}

const guaranteeOf = (
  replay: Replay,
  history: PolicyHistory,
  version: PolicyVersion,
  ofAll: readonly string[],
): Guarantee => {
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
  return {
    policy: version,
    state: history.active === version.version ? 'in-force' : 'closed',
    budgets,
    largestUse: shareText(largest),
    budgetsAboveCap,
    conditions: [
      ...conditionsOf(replay, history, version, { budgetsAboveCap, largestUse: shareText(largest) }),
      ...ofAll,
    ],
  }
}
