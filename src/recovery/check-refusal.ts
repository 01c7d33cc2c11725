import { isInfinite, largestCount } from '../budget/admission.js'
import { takenOf } from '../budget/balance.js'
import type { SpendRefused } from '../budget/events.js'
import type { Target } from '../budget/targets.js'
import { type Audit, fail, type RecordPlace } from './audit.js'
import { checkFailing, checkFailingBudget } from './check-charges.js'
import type { RecordedRequest } from './recorded-request.js'
import { type Touched, touchedBy } from './touched.js'

/** A refusal must have been one: otherwise somebody was refused what the rules granted. */
export const checkRefused = (
  audit: Audit,
  data: SpendRefused,
  request: RecordedRequest,
  targets: readonly Target[],
  place: RecordPlace,
): void => {
  audit.tally.refusals++
  const touched = touch(audit, request, targets, place.at)
  if (request.units === undefined) {
    checkShownOnly(audit, data, request, place)
    return
  }
  const failing = touched.filter(({ admitted }) => !admitted)
  if (failing.length === 0 || (request.parsed.onExhausted === 'drop' && !refusedWithDrop(touched, request.units))) {
    fail(
      'REFUSAL_UNFOUNDED',
      place,
      `it refuses ${data.code}, but replay finds room in all ${touched.length} budgets that it touches`,
    )
  }
  if (data.failingCount !== failing.length) {
    fail('REFUSAL_MISMATCH', place, `it counts ${data.failingCount} failing budgets, replay ${failing.length}`)
  }
  checkFailing(audit, data.failing, failing, place)
  const code = failing.some(({ policy, costs }) => isInfinite(policy, costs)) ? 'COST_INFINITE' : 'BUDGET_EXHAUSTED'
  if (code !== data.code) fail('REFUSAL_MISMATCH', place, `it refuses with ${data.code}, but replay with ${code}`)
  audit.tally.largestCounts++
  const most = String(largestOver(audit, request, touched))
  if (data.largestCount !== most)
    fail(
      'REFUSAL_MISMATCH',
      place,
      `it says that a count of ${data.largestCount} would have passed; replay finds ${most}`,
    )
}

/** The largest count that all budgets would have admitted; of units that may be dropped, at least one. */
const largestOver = (audit: Audit, { parsed }: RecordedRequest, touched: readonly Touched[]): bigint => {
  const costs = audit.costs.perCount(parsed.release, [...new Set(touched.flatMap(({ policy }) => policy.rows))])
  let all: bigint | undefined
  const units = new Map<string, bigint>()
  for (const { policy, balance, unit } of touched) {
    const count = largestCount(policy, takenOf(balance), costs)
    if (unit === undefined) all = least(all, count)
    else units.set(unit, least(units.get(unit), count))
  }
  const counts = [...units.values()]
  if (counts.length === 0) return all ?? 0n
  const overUnits = counts.reduce((one, other) => (one > other === (parsed.onExhausted === 'drop') ? one : other))
  return least(all, overUnits)
}

const least = (one: bigint | undefined, other: bigint): bigint => (one !== undefined && one < other ? one : other)

/** Where units may be dropped, only a budget of no unit, or the exhaustion of all units, refuses. */
const refusedWithDrop = (touched: readonly Touched[], units: readonly string[]): boolean => {
  if (touched.some(({ unit, admitted }) => unit === undefined && !admitted)) return true
  const exhausted = new Set(touched.flatMap(({ unit, admitted }) => (unit === undefined || admitted ? [] : [unit])))
  return units.every((unit) => exhausted.has(unit))
}

/** A refusal of many units names only some: those must have failed. */
const checkShownOnly = (audit: Audit, data: SpendRefused, request: RecordedRequest, place: RecordPlace): void => {
  audit.tally.refusalsOutOfReach++
  for (const budget of data.failing) {
    const policy = audit.state.registry.active.find(({ id }) => id === budget.policy)
    if (policy === undefined) {
      fail('CHARGE_MISMATCH', place, `it names policy ${budget.policy}, which is not in force`)
      return
    }
    const [touched] = touch(audit, request, [{ policy, keys: [budget.key], units: [] }], place.at)
    if (touched === undefined) continue
    checkFailingBudget(audit, budget, touched, place)
    if (touched.admitted)
      fail('REFUSAL_UNFOUNDED', place, `it says policy ${policy.id} fails, but replay finds room there`)
  }
}

const touch = (audit: Audit, request: RecordedRequest, targets: readonly Target[], at: string): readonly Touched[] =>
  touchedBy(audit.state, targets, ({ rows }) => audit.costs.costs(request.parsed.release, rows), at)
