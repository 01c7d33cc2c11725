import type { Cost } from '../accounting/units.js'
import { admits, balanceIn, largestCount, repetitions } from './admission.js'
import { alignedCosts, coversRows, sumsText } from './charges.js'
import type { SpendRequest } from './commands.js'
import { type CostsNeeded, type Rejection, reject } from './context.js'
import { MOST_SHOWN } from './decide-spend.js'
import type { Amounts } from './events.js'
import type { Policy } from './policy.js'
import type { BudgetState } from './state.js'
import { targetsOf } from './targets.js'
import { windowOf } from './window.js'

/** What a spend would meet now. Nothing is recorded, and nothing is promised: another spend may come first. */
export interface Estimate {
  readonly kind: 'estimate'
  readonly admitted: boolean
  /** Of all that the spend would touch, as many as an answer shows; those that refuse come first. */
  readonly budgets: readonly EstimatedBudget[]
  readonly budgetCount: number
  /** The largest count of this release that would be admitted as one spend. */
  readonly largestCount: bigint
  /** How many such spends would be admitted one after the other; undefined where they cost nothing. */
  readonly repetitions: bigint | undefined
}

export interface EstimatedBudget {
  readonly policy: Policy
  readonly key: string
  readonly window: string
  readonly admitted: boolean
  readonly spent: Amounts
  readonly reserved: Amounts
  readonly requested: Amounts
}

/** Decides as a spend would be decided at `at`, without an id and without a record. */
export const estimate = (
  state: BudgetState,
  request: Pick<SpendRequest, 'attributes' | 'neighboring' | 'costs'>,
  at: string,
): Estimate | Rejection | CostsNeeded => {
  const targets = targetsOf(state.registry.active, request.attributes)
  if ('kind' in targets) return targets
  const other = targets.find(({ policy }) => policy.neighboring !== request.neighboring)
  if (other !== undefined) {
    return reject(
      'RELATION_MISMATCH',
      `policy ${other.policy.id} is under ${other.policy.neighboring}, the spend under ${request.neighboring}`,
    )
  }
  if (targets.some(({ policy }) => !coversRows(request.costs, policy.rows))) return { kind: 'costs-needed' }
  const touched = targets.flatMap(({ policy, keys }) => touch(state, policy, keys, request, at))
  const repeats = touched.flatMap((budget) => budget.repetitions ?? [])
  return {
    kind: 'estimate',
    admitted: touched.every(({ admitted }) => admitted),
    budgets: [...touched]
      .sort((one, other) => Number(one.admitted) - Number(other.admitted))
      .slice(0, MOST_SHOWN)
      .map((budget) => shown(state, budget)),
    budgetCount: touched.length,
    largestCount: least(touched.map(({ largest }) => largest)),
    repetitions: repeats.length === 0 ? undefined : least(repeats),
  }
}

/** One budget that the spend would touch. */
interface Touched {
  readonly policy: Policy
  readonly key: string
  readonly window: string
  /** Aligned to the policy's rows. */
  readonly costs: readonly Cost[]
  readonly admitted: boolean
  readonly largest: bigint
  readonly repetitions: bigint | undefined
}

const touch = (
  state: BudgetState,
  policy: Policy,
  keys: readonly string[],
  { costs }: Pick<SpendRequest, 'costs'>,
  at: string,
): readonly Touched[] => {
  const window = windowOf(policy.window, at)
  const aligned = alignedCosts(policy.rows, costs)
  return keys.map((key) => {
    const taken = state.taken({ policy: policy.id, generation: policy.generation, key }, window)
    return {
      policy,
      key,
      window,
      costs: aligned,
      admitted: admits(policy, taken, aligned),
      largest: largestCount(policy, taken, costs),
      repetitions: repetitions(policy, taken, aligned),
    }
  })
}

const shown = (state: BudgetState, { policy, key, window, costs, admitted }: Touched): EstimatedBudget => {
  const balance = balanceIn(state, policy, key, window)
  return {
    policy,
    key,
    window,
    admitted,
    spent: sumsText(policy.rows, balance.spent),
    reserved: sumsText(policy.rows, balance.reserved),
    requested: Object.fromEntries(policy.rows.map((row, index) => [row, String(costs[index])])),
  }
}

const least = (counts: readonly bigint[]): bigint => counts.reduce((one, other) => (one < other ? one : other))
