import type { Cost } from '../accounting/units.js'
import { formatAmount } from '../accounting/units.js'
import { admits, balanceIn } from '../budget/admission.js'
import { type Balance, takenOf, usedOf } from '../budget/balance.js'
import type { Policy } from '../budget/policy.js'
import type { BudgetState } from '../budget/state.js'
import type { Target } from '../budget/targets.js'
import { windowOf } from '../budget/window.js'

/** One budget that a request touches, as it stood before, and whether it admitted the request. */
export interface Touched {
  readonly policy: Policy
  readonly window: string
  readonly key: string
  /** undefined where the policy's scope does not name the unit. */
  readonly unit: string | undefined
  /** Aligned to the policy's rows. */
  readonly costs: readonly Cost[]
  readonly balance: Balance
  readonly admitted: boolean
}

/** Every budget that these targets name, in the order in which a record lists them. */
export const touchedBy = (
  state: BudgetState,
  targets: readonly Target[],
  costsOf: (policy: Policy) => readonly Cost[],
  at: string,
): readonly Touched[] =>
  targets.flatMap(({ policy, keys, units }) => {
    const window = windowOf(policy.window, at)
    const costs = costsOf(policy)
    return keys.map((key, index) => {
      const balance = balanceIn(state, policy, key, window)
      return {
        policy,
        window,
        key,
        unit: units[index],
        costs,
        balance,
        admitted: admits(policy, takenOf(balance), costs),
      }
    })
  })

/** Why a budget does not admit a cost, with all numbers: `row eps: 0.4 spent or reserved and 0.7 asked for, of a cap of 1`. */
export const overrun = ({ policy, balance, costs }: Touched): string => {
  const used = usedOf(balance)
  const rows = policy.rows.flatMap((row, index) => {
    const cap = policy.capOf.get(row) ?? 'DEAD'
    const cost = costs[index] ?? 'INF'
    const sum = used.finite[index] ?? 0n
    const fits = cap !== 'DEAD' && cost !== 'INF' && used.infinite[index] === 0 && cost <= cap - sum
    if (fits) return []
    const taken = used.infinite[index] === 0 ? formatAmount(sum, row) : 'INF'
    const asked = cost === 'INF' ? 'INF' : formatAmount(cost, row)
    return [
      `row ${row}: ${taken} spent or reserved and ${asked} asked for, of a cap of ${cap === 'DEAD' ? '0' : formatAmount(cap, row)}`,
    ]
  })
  return rows.join('; ')
}
