import type { Cost, Row } from '../accounting/units.js'
import { inWindow } from '../budget/balance.js'
import { sumsText } from '../budget/charges.js'
import type { Amounts, BudgetAfter, Charge, FailingBudget, SpendAccepted } from '../budget/events.js'
import type { Policy } from '../budget/policy.js'
import { type Audit, fail, type RecordPlace } from './audit.js'
import type { Touched } from './touched.js'

/** One policy with what a request costs under it. */
export interface Charged {
  readonly policy: Policy
  readonly window: string
  readonly costs: readonly Cost[]
}

/** Compares what a record charges with what the policies in force and the derived costs say (V2). */
export const checkCharges = (
  audit: Audit,
  charges: readonly Charge[],
  expected: readonly Charged[],
  place: RecordPlace,
): void => {
  const said = charges.map(({ policy, version }) => `${policy} version ${version}`)
  const wanted = expected.map(({ policy }) => `${policy.id} version ${policy.version}`)
  if (said.length !== wanted.length || said.some((name, index) => name !== wanted[index])) {
    fail(
      'CHARGE_MISMATCH',
      place,
      `it charges ${said.join(', ') || 'no policy'}; those in force for this request are ${wanted.join(', ') || 'none'}`,
    )
  }
  for (const [index, { policy, window, costs }] of expected.entries()) {
    const charge = charges[index]
    if (charge === undefined) continue
    if (charge.window !== window) {
      fail(
        'WINDOW_MISMATCH',
        place,
        `policy ${policy.id} is charged in window ${charge.window}, but ${place.at} lies in ${window}`,
      )
    }
    checkCosts(audit, policy, charge.cost, costs, place)
  }
}

/** Compares recorded costs with derived ones: never below, and equal since the cost function is exact. */
export const checkCosts = (
  audit: Audit,
  policy: Policy,
  recorded: Amounts,
  exact: readonly Cost[],
  place: RecordPlace,
): void => {
  const names = Object.keys(recorded)
  if (names.length !== policy.rows.length) {
    fail(
      'CHARGE_MISMATCH',
      place,
      `policy ${policy.id} is charged in the rows ${names.join(', ')}, but has the rows ${policy.rows.join(', ')}`,
    )
  }
  for (const [index, row] of policy.rows.entries()) {
    audit.tally.costsCompared++
    const said = recorded[row]
    const cost = String(exact[index])
    if (said === cost) continue
    const detail = `policy ${policy.id}, row ${row}: it charges ${said ?? 'nothing'}, but the release costs exactly ${cost}`
    fail(isBelow(said, exact[index] ?? 'INF') ? 'COST_TOO_LOW' : 'COST_MISMATCH', place, detail)
  }
}

const isBelow = (said: string | undefined, exact: Cost): boolean => {
  if (said === undefined) return true
  if (said === 'INF') return false
  return exact === 'INF' || (/^\d+$/.test(said) && BigInt(said) < exact)
}

/** Compares the sums that a record says it left with those that replay has now (V0). */
export const checkAfter = (
  audit: Audit,
  data: SpendAccepted,
  touched: readonly Touched[],
  place: RecordPlace,
): void => {
  const { after } = data
  if (after === undefined) return
  if (after.length !== touched.length) {
    fail('SUM_MISMATCH', place, `it shows ${after.length} budgets after it, but touches ${touched.length}`)
  }
  for (const [index, { policy, key, window }] of touched.entries()) {
    const shown = after[index] as BudgetAfter
    const balance = audit.state.balance({ policy: policy.id, generation: policy.generation, key })
    if (balance === undefined || shown.policy !== policy.id || shown.key !== key) {
      fail(
        'SUM_MISMATCH',
        place,
        `budget ${index + 1} after it is ${shown.policy} ${JSON.stringify(shown.key)}, but should be ${policy.id} ${JSON.stringify(key)}`,
      )
      return
    }
    const { spent, reserved } = inWindow(balance, window)
    compareSums(audit, 'spent after it', policy, key, shown.spent, sumsText(policy.rows, spent), place)
    compareSums(audit, 'reserved after it', policy, key, shown.reserved, sumsText(policy.rows, reserved), place)
  }
}

/** Compares the failing or violated budgets that a record lists, as many as it has room for, with those of replay. */
export const checkFailing = (
  audit: Audit,
  listed: readonly FailingBudget[],
  expected: readonly Touched[],
  place: RecordPlace,
): void => {
  for (const [index, budget] of listed.entries()) {
    const touched = expected[index]
    if (touched === undefined || budget.policy !== touched.policy.id || budget.key !== touched.key) {
      const wanted = touched === undefined ? 'none' : `${touched.policy.id} ${JSON.stringify(touched.key)}`
      fail(
        'SUM_MISMATCH',
        place,
        `failing budget ${index + 1} is ${budget.policy} ${JSON.stringify(budget.key)}, but replay finds ${wanted}`,
      )
      return
    }
    checkFailingBudget(audit, budget, touched, place)
  }
}

export const checkFailingBudget = (audit: Audit, budget: FailingBudget, touched: Touched, place: RecordPlace): void => {
  const { policy, key, balance, window } = touched
  if (budget.version !== policy.version || budget.window !== window) {
    fail(
      'CHARGE_MISMATCH',
      place,
      `policy ${policy.id} is named in version ${budget.version} and window ${budget.window}; in force are version ${policy.version} and window ${window}`,
    )
  }
  compareSums(audit, 'spent before it', policy, key, budget.spent, sumsText(policy.rows, balance.spent), place)
  compareSums(audit, 'reserved before it', policy, key, budget.reserved, sumsText(policy.rows, balance.reserved), place)
  checkCosts(audit, policy, budget.requested, touched.costs, place)
}

const compareSums = (
  audit: Audit,
  what: string,
  policy: Policy,
  key: string,
  said: Amounts,
  replayed: Amounts,
  place: RecordPlace,
): void => {
  for (const row of policy.rows as readonly Row[]) {
    audit.tally.sumsCompared++
    if (said[row] === replayed[row]) continue
    fail(
      'SUM_MISMATCH',
      place,
      `policy ${policy.id}, budget ${JSON.stringify(key)}, row ${row}: it says ${said[row]} ${what}, replay has ${replayed[row]}`,
    )
  }
}
