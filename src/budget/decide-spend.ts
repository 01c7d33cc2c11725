import type { Cost } from '../accounting/units.js'
import { admits, balanceIn, isInfinite, largestCount } from './admission.js'
import { type Balance, reserve, spend, type Taken } from './balance.js'
import { alignedCosts, amountsOf, coversRows, sumsText } from './charges.js'
import type { Report, Reserve, Spend, SpendRequest } from './commands.js'
import {
  type DecisionContext,
  type Prior,
  type Rejection,
  record,
  reject,
  requestHash,
  uncertain,
  type Verdict,
} from './context.js'
import { notQuarantined } from './decide-quarantine.js'
import type { Draft } from './draft.js'
import type { BudgetAfter, BudgetEvent, Charge, FailingBudget, Request, SpendAccepted, SpendRefused } from './events.js'
import { haltOf } from './halts.js'
import { fitsInline, splitIntoParts } from './parts.js'
import type { Policy } from './policy.js'
import { type Target, targetsOf } from './targets.js'
import { isUndecided, notCharged } from './undecided.js'
import { secondsAfter, windowOf } from './window.js'

type Command = Spend | Reported | Reserve

/** A report, or what is charged like one. */
interface Reported extends Report {
  readonly undecided?: true
}

/** The most budgets that an answer or a record shows one by one. */
export const MOST_SHOWN = 100

/** One budget that the spend touches. There may be very many: their balances are looked up where they are shown. */
interface Touched {
  readonly charge: ChargedPolicy
  readonly key: string
  readonly unit: string | undefined
  readonly admitted: boolean
}

/** One policy with what the spend costs under it. */
interface ChargedPolicy {
  readonly policy: Policy
  readonly window: string
  readonly costs: readonly Cost[]
}

/**
 * Decides one spend, reservation or report over all budgets that it touches: all or nothing, or without the units
 * that cannot pay where the request says `drop`. What may have been permitted by a lost record is charged like a report.
 */
export const decideSpend = (state: Draft, command: Command, context: DecisionContext): Verdict => {
  const repeat = repeated(state, command, context) ?? resolved(state, command)
  if (repeat !== undefined) return repeat
  if (command.kind === 'report' || !isUndecided(state.registry, command.cause)) return decided(state, command, context)
  const { actor, cause, request } = command
  const verdict = decided(state, { kind: 'report', actor, cause, request, undecided: true }, context)
  return verdict.kind === 'rejected' ? uncertain(verdict) : verdict
}

const decided = (state: Draft, command: Command, context: DecisionContext): Verdict => {
  const { request } = command
  const targets = targetsOf(state.registry.active, request.attributes)
  if ('kind' in targets) return targets
  const problem = unavailable(state, command, targets, context)
  if (problem !== undefined) return problem
  const touched = targets.flatMap((target) => touch(state, target, request, context.at))
  return command.kind === 'report' ? reported(state, command, touched) : answered(state, command, touched, context)
}

const repeated = (state: Draft, command: Command, { prior }: DecisionContext): Verdict | undefined => {
  const { request } = command
  if (prior !== undefined) {
    const sameRequest = requestHash(prior.event) === request.hash
    if (sameRequest && !chargedElsewhere(command, prior.event)) return { kind: 'replayed', prior }
    if (sameRequest) return alreadyCharged(request, prior)
    const conflict = reject(
      'IDEMPOTENCY_CONFLICT',
      `id ${JSON.stringify(request.id)} was used for another request, answered by record ${prior.seq}; use a new id for a new spend`,
    )
    // The lost records may have found the other one invalid, and permitted this one.
    return areUndecided(state, command, prior.event) ? uncertain(conflict) : conflict
  }
  return state.answered('request', request.attributes.source, request.id) ? { kind: 'in-flight' } : undefined
}

const areUndecided = (state: Draft, { cause }: Command, { type, data }: BudgetEvent): boolean =>
  isUndecided(state.registry, cause) && type === 'SpendReported' && data.undecided === true

const quarantinedBy = (command: Command): number | undefined =>
  command.kind === 'report' ? command.quarantined : undefined

/** Whether the same request was answered without resolving the message that this one is to resolve. */
const chargedElsewhere = (command: Command, { type, data }: BudgetEvent): boolean => {
  const quarantined = quarantinedBy(command)
  return quarantined !== undefined && !(type === 'SpendReported' && data.quarantined === quarantined)
}

const alreadyCharged = ({ id }: SpendRequest, { seq }: Prior): Rejection =>
  reject(
    'IDEMPOTENCY_CONFLICT',
    `the same request with id ${JSON.stringify(id)} was answered by record ${seq}; if that charged what the message spent, dismiss the message, else give another id`,
  )

const resolved = (state: Draft, command: Command): Rejection | undefined => {
  const quarantined = quarantinedBy(command)
  return quarantined === undefined ? undefined : notQuarantined(state, quarantined)
}

/** Why nobody can decide this now, or never: nothing of it is recorded. */
const unavailable = (
  state: Draft,
  command: Command,
  targets: readonly Target[],
  context: DecisionContext,
): Verdict | undefined => {
  const { request, kind } = command
  const recovery = kind === 'report' ? undefined : notCharged(state.registry)
  if (recovery !== undefined) return reject('RECOVERING', recovery)
  const halt = kind === 'report' ? undefined : haltOf(state.registry.halts, request.attributes)
  if (halt !== undefined) return reject('HALTED', `spending is halted since ${halt.at}: ${halt.reason}`)
  const other = targets.find(({ policy }) => policy.neighboring !== request.neighboring)
  if (other !== undefined) return relationMismatch(other.policy, request)
  if (targets.some(({ policy }) => !coversRows(request.costs, policy.rows))) return { kind: 'costs-needed' }
  if (kind === 'reserve' && request.costs.hasDelta) {
    const interactive = targets.find(({ policy }) => policy.metric === 'zcdp' || policy.metric === 'rdp')
    if (interactive !== undefined) return deltaNotReservable(interactive.policy)
  }
  if (kind === 'report' && command.undecided) {
    const endless = targets.find(({ policy }) => isInfinite(policy, alignedCosts(policy.rows, request.costs)))
    if (endless !== undefined) return costInfinite(endless.policy)
  }
  const windowed = targets.find(({ policy }) => policy.window !== 'lifetime')
  if (context.clockDoubt && kind !== 'report' && windowed !== undefined) {
    return reject(
      'CLOCK_UNCERTAIN',
      `policy ${windowed.policy.id} counts by the ${windowed.policy.window}, and the clock cannot be trusted now`,
    )
  }
  return undefined
}

const relationMismatch = (policy: Policy, request: SpendRequest): Rejection =>
  reject(
    'RELATION_MISMATCH',
    `policy ${policy.id} is under ${policy.neighboring} and the spend under ${request.neighboring}; costs are never converted, so send the mechanism with its parameters under ${policy.neighboring}`,
    [{ pointer: '/neighboring', detail: `must be ${policy.neighboring}` }],
  )

const deltaNotReservable = (policy: Policy): Rejection =>
  reject(
    'DELTA_NOT_RESERVABLE',
    `policy ${policy.id} is ${policy.metric}: a spend with a delta of its own must be one-shot there, because concurrent composition is proved for delta = 0 only; spend it directly`,
  )

/** No ledger permits it. Charged all the same, it would close every budget that it touches for ever. */
const costInfinite = (policy: Policy): Rejection =>
  reject(
    'COST_INFINITE',
    `its first decision is lost, and it has no finite cost under policy ${policy.id}; charge what ran, if anything did`,
  )

const touch = (state: Draft, target: Target, request: SpendRequest, at: string): readonly Touched[] => {
  const { policy } = target
  const charge = { policy, window: windowOf(policy.window, at), costs: alignedCosts(policy.rows, request.costs) }
  return target.keys.map((key, index) => {
    const admitted = admits(policy, takenBy(state, charge, key), charge.costs)
    return { charge, key, unit: target.units[index], admitted }
  })
}

const takenBy = (state: Draft, { policy, window }: ChargedPolicy, key: string): Taken =>
  state.taken({ policy: policy.id, generation: policy.generation, key }, window)

const balanceOf = (state: Draft, { charge, key }: Touched): Balance =>
  balanceIn(state, charge.policy, key, charge.window)

const answered = (
  state: Draft,
  command: Spend | Reserve,
  touched: readonly Touched[],
  context: DecisionContext,
): Verdict => {
  const { request } = command
  const failing = touched.filter(({ admitted }) => !admitted)
  const out = new Set(request.onExhausted === 'drop' ? failing.flatMap(({ unit }) => unit ?? []) : [])
  const dropped = [...out]
  const left = touched.filter(({ unit }) => unit === undefined || !out.has(unit))
  const remaining = request.attributes.units.length - dropped.length
  if (left.some(({ admitted }) => !admitted) || (dropped.length > 0 && remaining === 0)) {
    return refused(state, command, touched, failing)
  }
  const accepted = acceptance(state, request, left, dropped, command.kind === 'spend' ? spend : reserve)
  const { parts, data } = splitIntoParts(accepted, request.attributes.units, dropped)
  return record(
    ...parts,
    command.kind === 'spend'
      ? { type: 'SpendAccepted', data }
      : { type: 'ReservationOpened', data: { ...data, expiresAt: secondsAfter(context.at, command.expiresInSeconds) } },
  )
}

const reported = (
  state: Draft,
  { request, quarantined, undecided }: Reported,
  touched: readonly Touched[],
): Verdict => {
  const beyond = touched.filter(
    ({ charge, admitted }) =>
      !admitted && charge.policy.role === 'guarantee' && charge.costs.some((cost) => cost !== 0n),
  )
  const { parts, data } = splitIntoParts(acceptance(state, request, touched, [], spend), request.attributes.units, [])
  return record(...parts, {
    type: 'SpendReported',
    data: {
      ...data,
      violations: shown(beyond, (budget) => failingBudget(state, budget), VIOLATION_BYTES),
      ...(quarantined === undefined ? {} : { quarantined }),
      ...(undecided === undefined ? {} : { undecided }),
    },
  })
}

const requestOf = (request: SpendRequest): Request => ({
  source: request.attributes.source,
  id: request.id,
  hash: request.hash,
  spend: request.spend,
})

const acceptance = (
  state: Draft,
  request: SpendRequest,
  touched: readonly Touched[],
  dropped: readonly string[],
  move: typeof spend,
): SpendAccepted => {
  const charged = [...new Set(touched.map(({ charge }) => charge))]
  const after =
    touched.length > MOST_SHOWN ? [] : shown(touched, (budget) => afterwards(state, budget, move), AFTER_BYTES)
  return {
    ...requestOf(request),
    charges: charged.map((charge) => chargeOf(charge, request)),
    ...(after.length === touched.length ? { after } : {}),
    ...(dropped.length > 0 ? { dropped } : {}),
  }
}

const chargeOf = ({ policy, window }: ChargedPolicy, request: SpendRequest): Charge => ({
  policy: policy.id,
  version: policy.version,
  window,
  cost: amountsOf(policy.rows, request.costs),
})

const afterwards = (state: Draft, budget: Touched, move: typeof spend): BudgetAfter => {
  const { charge, key } = budget
  const after = move(balanceOf(state, budget), charge.window, charge.costs)
  const { id, rows } = charge.policy
  return { policy: id, key, spent: sumsText(rows, after.spent), reserved: sumsText(rows, after.reserved) }
}

const refused = (
  state: Draft,
  command: Spend | Reserve,
  touched: readonly Touched[],
  failing: readonly Touched[],
): Verdict => {
  const { request } = command
  const infinite = failing.some(({ charge }) => isInfinite(charge.policy, charge.costs))
  const data: SpendRefused = {
    ...requestOf(request),
    spend: withoutManyUnits(request),
    code: infinite ? 'COST_INFINITE' : 'BUDGET_EXHAUSTED',
    failing: shown(failing, (budget) => failingBudget(state, budget), FAILING_BYTES),
    failingCount: failing.length,
    largestCount: String(largestOver(state, request, touched)),
  }
  return record({ type: command.kind === 'spend' ? 'SpendRefused' : 'ReservationRefused', data })
}

/**
 * The largest count that would have passed. Budgets of no unit must all admit it; of the units all must, or at least
 * one where the others may be dropped.
 */
const largestOver = (state: Draft, request: SpendRequest, touched: readonly Touched[]): bigint => {
  const countsOf = (budgets: readonly Touched[]) =>
    budgets.map(({ charge, key }) => largestCount(charge.policy, takenBy(state, charge, key), request.costs))
  const common = touched.filter(({ unit }) => unit === undefined)
  const perUnit = new Map<string, Touched[]>()
  for (const budget of touched) {
    if (budget.unit !== undefined) perUnit.set(budget.unit, [...(perUnit.get(budget.unit) ?? []), budget])
  }
  const units = [...perUnit.values()].map((budgets) => least(countsOf(budgets)))
  const overUnits = units.length === 0 ? [] : [request.onExhausted === 'drop' ? most(units) : least(units)]
  return least([...countsOf(common), ...overUnits])
}

const least = (counts: readonly bigint[]): bigint => counts.reduce((one, other) => (one < other ? one : other))
const most = (counts: readonly bigint[]): bigint => counts.reduce((one, other) => (one > other ? one : other))

const failingBudget = (state: Draft, budget: Touched): FailingBudget => {
  const { charge, key } = budget
  const { id, version, rows } = charge.policy
  const balance = balanceOf(state, budget)
  return {
    policy: id,
    version,
    key,
    window: charge.window,
    spent: sumsText(rows, balance.spent),
    reserved: sumsText(rows, balance.reserved),
    requested: Object.fromEntries(rows.map((row, index) => [row, String(charge.costs[index])])),
  }
}

/** As many as an answer shows and a record of 64 KiB has room for. */
const shown = <Shown>(
  budgets: readonly Touched[],
  show: (budget: Touched) => Shown,
  room: number,
): readonly Shown[] => {
  const fitting: Shown[] = []
  let left = room
  for (const budget of budgets.slice(0, MOST_SHOWN)) {
    const one = show(budget)
    left -= Buffer.byteLength(JSON.stringify(one))
    if (left < 0) break
    fitting.push(one)
  }
  return fitting
}

// What a record of 64 KiB has room for beside the request itself, and the charges of an acceptance.
const FAILING_BYTES = 40_000
const AFTER_BYTES = 16_000
const VIOLATION_BYTES = 12_000

/** A refusal is one record: many units are named by their number, the request's hash stands for the rest. */
const withoutManyUnits = (request: SpendRequest): SpendRequest['spend'] => {
  const { units, ...rest } = request.spend
  if (!Array.isArray(units) || fitsInline(request.attributes.units)) return request.spend
  return { ...rest, unitCount: units.length }
}
