import type { Metric, Row } from '../accounting/units.js'
import { formatAmount, orderOf } from '../accounting/units.js'
import type { Receipt } from '../ledger/decider.js'
import type { JsonObject, JsonValue } from '../ledger/record.js'
import type {
  Amounts,
  BudgetAfter,
  BudgetEvent,
  FailingBudget,
  RequestInvalid,
  SpendAccepted,
  SpendPart,
} from './events.js'
import type { Policy } from './policy.js'
import { problemDocument, REQUEST_PROBLEMS, type RequestProblemCode } from './problems.js'
import { type Refusal, refusalOf } from './refusal.js'
import { policyVersion, type Registry } from './registry.js'

/**
 * Says a decision as callers see it, from its record alone: the first answer and every repeat of it are built by
 * this same function. Amounts become exact decimals in natural units.
 *
 * @returns undefined for records that answer no request.
 */
export const answerOf = (
  event: BudgetEvent,
  parts: readonly SpendPart[],
  receipt: Receipt,
  registry: Registry,
): JsonObject | undefined => {
  const facts = { receipt: { ...receipt } }
  const refused = refusalOf(event)
  if (refused !== undefined) {
    return { decision: 'refused', ...refusedFacts(refused, registry), ...facts }
  }
  switch (event.type) {
    case 'SpendAccepted':
    case 'ReservationOpened':
    case 'SpendReported':
      return { decision: 'accepted', ...acceptedFacts(event.data, parts, registry), ...facts, ...extraFacts(event) }
    case 'ReservationSettled':
      return { decision: 'accepted', state: 'settled', id: event.data.id, source: event.data.source, ...facts }
    case 'ReservationReleased':
      return { decision: 'accepted', state: 'released', id: event.data.id, source: event.data.source, ...facts }
    case 'RequestInvalid':
      return { decision: 'invalid', ...invalidFacts(event.data), ...facts }
    default:
      return undefined
  }
}

const invalidFacts = ({ source, id, status, code, detail, errors }: RequestInvalid): JsonObject => {
  const [, title] = REQUEST_PROBLEMS[code as RequestProblemCode] ?? REQUEST_PROBLEMS.INVALID
  return {
    ...problemDocument(code, [status, title], detail),
    ...(errors === undefined ? {} : { errors: errors.map((error) => ({ ...error })) }),
    id,
    source,
  }
}

const extraFacts = (event: BudgetEvent): JsonObject => {
  if (event.type === 'ReservationOpened') return { expiresAt: event.data.expiresAt }
  return event.type === 'SpendReported' ? { violation: event.data.violations.length > 0 } : {}
}

const acceptedFacts = (data: SpendAccepted, parts: readonly SpendPart[], registry: Registry): JsonObject => {
  const dropped = data.dropped ?? parts.flatMap((part) => part.dropped)
  return {
    id: data.id,
    source: data.source,
    ...(data.after === undefined ? {} : { budgets: data.after.map((budget) => shownBudget(budget, data, registry)) }),
    ...(dropped.length > 0 ? { dropped: [...dropped] } : {}),
  }
}

const shownBudget = (budget: BudgetAfter, data: SpendAccepted, registry: Registry): JsonObject => {
  const charge = data.charges.find(({ policy }) => policy === budget.policy)
  const policy = policyVersion(registry, budget.policy, charge?.version ?? 0)
  return { policy: budget.policy, key: budget.key, window: charge?.window ?? '', ...standing(policy, budget) }
}

const refusedFacts = (data: Refusal, registry: Registry): JsonObject => ({
  id: data.id,
  source: data.source,
  code: data.code,
  failing: data.failing.map((budget) => failingFacts(budget, registry)),
  failingCount: data.failingCount,
  largestCount: Number(data.largestCount),
})

/** A failing budget as callers see it. */
export const failingFacts = (budget: FailingBudget, registry: Registry): JsonObject => {
  const policy = policyVersion(registry, budget.policy, budget.version)
  const { spent, reserved, cap } = standing(policy, budget)
  const requested = amountsShown(policy?.metric ?? 'rdp', budget.requested)
  return {
    policy: budget.policy,
    key: budget.key,
    window: budget.window,
    spent: spent ?? {},
    reserved: reserved ?? {},
    requested,
    cap: cap ?? {},
  }
}

/** Spent, reserved, cap and what remains of a budget. */
export const standing = (
  policy: Policy | undefined,
  sums: { readonly spent: Amounts; readonly reserved: Amounts },
): JsonObject => {
  const metric = policy?.metric ?? 'rdp'
  const caps = policy?.caps ?? {}
  const remaining = Object.fromEntries(
    Object.keys(caps).map((row) => [row, remainingIn(caps[row], sums.spent[row], sums.reserved[row])]),
  )
  return {
    spent: amountsShown(metric, sums.spent),
    reserved: amountsShown(metric, sums.reserved),
    cap: amountsShown(metric, caps),
    remaining: amountsShown(metric, remaining),
  }
}

/** Never below zero: what is beyond a cap is seen in `spent`. */
const remainingIn = (cap: string | undefined, spent = '0', reserved = '0'): string => {
  if (cap === undefined || cap === 'DEAD' || spent === 'INF' || reserved === 'INF') return '0'
  const left = BigInt(cap) - BigInt(spent) - BigInt(reserved)
  return String(left < 0n ? 0n : left)
}

/**
 * Integers of a record as exact decimals in natural units: `{"epsilon":"0.4"}`, `{"rho":"0.02","delta":"0"}`,
 * `{"delta":"0","rdp":{"8":"1.2","inf":"3"}}`. A dead order shows 0.
 */
export const amountsShown = (metric: Metric, amounts: Amounts): JsonObject => {
  const shown: { [name: string]: JsonValue } = {}
  const orders: { [order: string]: JsonValue } = {}
  // Sorted, so that the first answer and one built from the record again are the same to the letter.
  for (const [row, amount] of Object.entries(amounts).sort(([one], [other]) => (one < other ? -1 : 1))) {
    const order = orderOf(row as Row)
    if (order !== undefined) orders[String(order)] = amountShown(amount, row as Row)
    else if (row === 'eps') shown['epsilon'] = amountShown(amount, row)
    else if (row !== 'delta' || metric !== 'pure') shown[row] = amountShown(amount, row as Row)
  }
  return Object.keys(orders).length > 0 ? { ...shown, rdp: orders } : shown
}

const amountShown = (amount: string, row: Row): string => {
  if (amount === 'INF') return 'INF'
  return amount === 'DEAD' ? '0' : formatAmount(BigInt(amount), row)
}
