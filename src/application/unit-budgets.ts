import { standing } from '../budget/answer.js'
import { type Balance, inWindow, spend, unreserve } from '../budget/balance.js'
import { sumsText } from '../budget/charges.js'
import { type Policy, preparePolicy } from '../budget/policy.js'
import type { Registry } from '../budget/registry.js'
import type { BudgetRef, Held } from '../budget/state.js'
import { windowOf } from '../budget/window.js'
import type { JsonObject } from '../ledger/record.js'
import type { QueryState } from './service.js'

/** The most overdue reservations that one view moves to `spent`; the next decision records a thousand at a time. */
const MOST_OVERDUE = 10_000

/**
 * Every budget of a unit as it stands at `at`. What a reservation held beyond its time counts as spent, whether a
 * record says so yet or not; a windowed budget shows its lifetime total too.
 */
export const unitBudgets = (state: QueryState, unit: string, at: string): readonly JsonObject[] => {
  const refs = state.unitBudgets(unit)
  if (refs.length === 0) return []
  const overdue = state.overdue(at, MOST_OVERDUE).flatMap(({ held }) => held)
  return refs.flatMap((ref) => {
    const policy = policyOf(state.registry, ref)
    const balance = state.balance(ref)
    return policy === undefined || balance === undefined
      ? []
      : [shown(state, policy, withOverdue(balance, ref, overdue), ref, at)]
  })
}

/** The version that holds if it counts in this generation, else the last one that did. */
const policyOf = (registry: Registry, { policy, generation }: BudgetRef): Policy | undefined => {
  const active = registry.active.find(({ id }) => id === policy)
  if (active?.generation === generation) return active
  const last = registry.policies.get(policy)?.versions.findLast((version) => version.generation === generation)
  return last === undefined ? undefined : preparePolicy(last)
}

const withOverdue = (balance: Balance, { policy, generation, key }: BudgetRef, overdue: readonly Held[]): Balance =>
  overdue
    .filter((held) => held.policy === policy && held.generation === generation && held.keys.includes(key))
    .reduce((sum, { window, cost }) => spend(unreserve(sum, window, cost), window, cost), balance)

const shown = (state: QueryState, policy: Policy, balance: Balance, { key }: BudgetRef, at: string): JsonObject => {
  const window = windowOf(policy.window, at)
  const now = inWindow(balance, window)
  const text = (sums: Balance['spent']) => sumsText(policy.rows, sums)
  return {
    policy: policy.id,
    version: policy.version,
    inForce: state.registry.active.some(({ id, version }) => id === policy.id && version === policy.version),
    role: policy.role,
    scope: [...policy.scope],
    key,
    window,
    ...standing(policy, { spent: text(now.spent), reserved: text(now.reserved) }),
    ...(policy.window === 'lifetime'
      ? {}
      : { lifetime: { spent: standing(policy, { spent: text(now.lifetime), reserved: {} })['spent'] ?? {} } }),
  }
}
