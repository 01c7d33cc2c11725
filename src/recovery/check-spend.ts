import type { BudgetEvent, SpendAccepted, SpendReported } from '../budget/events.js'
import { haltOf } from '../budget/halts.js'
import type { Policy } from '../budget/policy.js'
import { type Target, targetsOf } from '../budget/targets.js'
import { chargedWhole, isUndecided, notCharged } from '../budget/undecided.js'
import { secondsAfter } from '../budget/window.js'
import { type Afterwards, type Audit, fail, type RecordPlace, reservedName } from './audit.js'
import { type Charged, checkAfter, checkCharges, checkFailing } from './check-charges.js'
import { checkRefused } from './check-refusal.js'
import { checkRequest } from './check-request.js'
import { noteOvercharge } from './overcharge.js'
import { noiseOf, type RecordedRequest } from './recorded-request.js'
import { overrun, type Touched, touchedBy } from './touched.js'

type SpendEvent = Extract<
  BudgetEvent,
  { readonly type: 'SpendAccepted' | 'SpendReported' | 'ReservationOpened' | 'SpendRefused' | 'ReservationRefused' }
>

/**
 * Decides a recorded request again, from the record and the state before it, and names what differs: who asked, what it
 * costs, which budgets pay, whether they had room.
 */
export const checkSpend = (audit: Audit, event: SpendEvent, place: RecordPlace): Afterwards | undefined => {
  const { data } = event
  const request = checkRequest(audit, kindOf(event), data, place)
  checkUndecided(audit, event, place)
  const targets = targetsOf(audit.state.registry.active, request.parsed.attributes)
  if (event.type === 'SpendRefused' || event.type === 'ReservationRefused') {
    checkRefused(audit, event.data, request, 'kind' in targets ? [] : targets, place)
    return undefined
  }
  if ('kind' in targets) return fail('CHARGE_MISMATCH', place, `no decision was possible: ${targets.detail}`)
  return checkTaken(audit, event, request, targets, place)
}

const kindOf = ({ type, data }: SpendEvent) => {
  // What was asked for is told by its body alone: only a reservation has an end.
  if (type === 'SpendReported' && data.undecided !== undefined) return chargedWhole(data) ? 'reserve' : 'spend'
  if (type === 'SpendReported') return 'report'
  return type === 'ReservationOpened' || type === 'ReservationRefused' ? 'reserve' : 'spend'
}

/**
 * A decision is lost with a copy that was older than the topic; the recovery says which messages that concerns. Each of
 * them may have been a permit, so it is charged, whether there is room or not.
 */
const checkUndecided = (audit: Audit, { type, data }: SpendEvent, place: RecordPlace): void => {
  const isLost = isUndecided(audit.state.registry, place.cause)
  if (type === 'SpendReported') {
    const { undecided } = data
    if (undecided !== undefined && undecided !== true)
      fail('EVENT_MALFORMED', place, `it says that it is undecided: ${undecided}`)
    if (undecided && !isLost)
      fail('CAUSE_INVALID', place, 'it charges a message whose decision was lost, but no recovery names it')
  } else if (isLost) {
    fail('UNDECIDED_NOT_CHARGED', place, 'it decides a message that a lost record may have permitted')
  } else {
    const left = notCharged(audit.state.registry)
    if (left !== undefined) fail('UNDECIDED_NOT_CHARGED', place, `it is decided too early: ${left}`)
  }
}

const checkTaken = (
  audit: Audit,
  event: Exclude<SpendEvent, { readonly type: 'SpendRefused' | 'ReservationRefused' }>,
  request: RecordedRequest,
  targets: readonly Target[],
  place: RecordPlace,
): Afterwards => {
  const { data } = event
  checkAllowed(audit, event, request, targets, place)
  const costsOf = ({ rows }: Policy) => audit.costs.costs(request.parsed.release, rows)
  const touched = touchedBy(audit.state, targets, costsOf, place.at)
  const out = new Set(request.dropped)
  const kept = out.size === 0 ? touched : touched.filter(({ unit }) => unit === undefined || !out.has(unit))
  checkDropped(request, touched, out, place)
  checkCharges(audit, data.charges, charged(kept), place)
  audit.tally.budgetsTouched += kept.length
  noteCharged(audit, kept)
  if (event.type === 'SpendReported') checkReport(audit, event.data, kept, place)
  else checkPermit(audit, kept, place)
  if (event.type === 'ReservationOpened') checkReservation(audit, event.data.expiresAt, request, kept, place)
  const noise = checkNoise(audit, data, place)
  if (event.type === 'ReservationOpened') {
    audit.reserved.set(reservedName(data.source, data.id), { release: request.parsed.release, noise })
  }
  return () => checkAfter(audit, data, kept, place)
}

const checkAllowed = (
  audit: Audit,
  event: SpendEvent,
  request: RecordedRequest,
  targets: readonly Target[],
  place: RecordPlace,
): void => {
  const { attributes, neighboring } = request.parsed
  const halt = event.type === 'SpendReported' ? undefined : haltOf(audit.state.registry.halts, attributes)
  if (halt !== undefined)
    fail(
      'PERMIT_WHILE_HALTED',
      place,
      `it is a permit of ${place.at}, but spending is halted since ${halt.at}: ${halt.reason}`,
    )
  const other = targets.find(({ policy }) => policy.neighboring !== neighboring)?.policy
  if (other !== undefined)
    fail('RELATION_MISMATCH', place, `it is under ${neighboring}, but policy ${other.id} is under ${other.neighboring}`)
}

/** Under which versions anything was taken at all: a choice made after that may have looked at it. */
const noteCharged = (audit: Audit, kept: readonly Touched[]): void => {
  let last: Policy | undefined
  for (const { policy, costs } of kept) {
    if (policy === last) continue
    last = policy
    if (!audit.charged.has(policy) && costs.some((cost) => cost !== 0n)) audit.charged.add(policy)
  }
}

const charged = (kept: readonly Touched[]): readonly Charged[] => {
  const policies: Charged[] = []
  for (const budget of kept) if (policies.at(-1)?.policy !== budget.policy) policies.push(budget)
  return policies
}

/** Only what cannot pay may be left out, and only where the request says so. */
const checkDropped = (
  request: RecordedRequest,
  touched: readonly Touched[],
  out: ReadonlySet<string>,
  place: RecordPlace,
): void => {
  if (out.size === 0) return
  if (request.parsed.onExhausted !== 'drop')
    fail('DROP_UNFOUNDED', place, `it leaves out ${out.size} units, but its request did not allow that`)
  const exhausted = new Set(touched.flatMap(({ unit, admitted }) => (unit === undefined || admitted ? [] : [unit])))
  for (const unit of out) {
    if (!exhausted.has(unit))
      fail('DROP_UNFOUNDED', place, `it leaves out unit ${JSON.stringify(unit)}, whose budgets all admit it`)
  }
}

/** A permit beyond a cap is the one thing that must never be. It is a fact of the log, so replay goes on. */
const checkPermit = (audit: Audit, kept: readonly Touched[], place: RecordPlace): void => {
  audit.tally.permits++
  const beyond = kept.filter(({ admitted }) => !admitted)
  const quota = beyond.find(({ policy }) => policy.role === 'quota')
  if (quota !== undefined) fail('PERMIT_BEYOND_QUOTA', place, beyondText(quota))
  addViolations(audit, 'PERMIT_BEYOND_CAP', beyond, place)
}

const beyondText = (budget: Touched): string =>
  `policy ${budget.policy.id} version ${budget.policy.version}: ${overrun(budget)}`

/** One violation for each policy, with the first of its budgets. */
const addViolations = (
  audit: Audit,
  code: 'PERMIT_BEYOND_CAP' | 'REPORT_BEYOND_CAP',
  beyond: readonly Touched[],
  { seq, leaf }: RecordPlace,
): void => {
  for (const first of beyond) {
    const same = beyond.filter(({ policy }) => policy === first.policy)
    if (same[0] !== first) continue
    audit.violations.add({
      seq,
      leaf,
      code,
      subject: first.policy.id,
      key: first.key,
      budgets: same.length,
      detail: beyondText(first),
    })
  }
}

const checkReport = (
  audit: Audit,
  { violations: listed, undecided }: SpendReported,
  kept: readonly Touched[],
  place: RecordPlace,
): void => {
  if (undecided) audit.tally.undecided++
  else audit.tally.reports++
  const beyond = kept.filter(({ admitted, costs }) => !admitted && costs.some((cost) => cost !== 0n))
  const broken = beyond.filter(({ policy }) => policy.role === 'guarantee')
  if (listed.length === 0 && broken.length > 0) {
    fail(
      'VIOLATION_HIDDEN',
      place,
      `it lists no violation, but takes ${broken.length} budgets beyond their caps; ${broken[0]?.policy.id}: ${broken[0] && overrun(broken[0])}`,
    )
  }
  if (listed.length > broken.length) {
    fail(
      'VIOLATION_MISMATCH',
      place,
      `it lists ${listed.length} violations, but takes ${broken.length} budgets beyond their caps`,
    )
  }
  checkFailing(audit, listed, broken, place)
  if (undecided) noteOvercharge(audit, broken, place)
  else addViolations(audit, 'REPORT_BEYOND_CAP', broken, place)
  const quota = beyond.find(({ policy }) => policy.role === 'quota')
  if (quota !== undefined) audit.notices.add({ seq: place.seq, code: 'REPORT_BEYOND_QUOTA', detail: beyondText(quota) })
}

const checkReservation = (
  audit: Audit,
  expiresAt: string,
  { parsed }: RecordedRequest,
  kept: readonly Touched[],
  place: RecordPlace,
): void => {
  audit.tally.reservationsOpened++
  const due = secondsAfter(place.at, parsed.expiresInSeconds)
  if (expiresAt !== due) {
    fail(
      'RESERVATION_INVALID',
      place,
      `it expires at ${expiresAt}, but ${parsed.expiresInSeconds} s after ${place.at} is ${due}`,
    )
  }
  const [delta] = audit.costs.costs(parsed.release, ['delta'])
  const interactive = kept.find(({ policy }) => policy.metric === 'zcdp' || policy.metric === 'rdp')
  if (delta !== 0n && interactive !== undefined) {
    fail(
      'RESERVATION_INVALID',
      place,
      `it reserves a delta of its own under policy ${interactive.policy.id}, which is ${interactive.policy.metric}: concurrent composition is proved for delta = 0 only`,
    )
  }
}

const checkNoise = (audit: Audit, data: SpendAccepted, place: RecordPlace) => {
  const noise = noiseOf(data.spend)
  if (noise === undefined) return undefined
  const { stream, from, to } = noise
  const range = { from, to, seq: place.seq }
  audit.tally.noiseRanges++
  const used = audit.noise.use(stream, range)
  if (used !== undefined) {
    const detail = `it uses noise ${from} to ${to} of stream ${JSON.stringify(stream)}, of which record ${used.seq} used ${used.from} to ${used.to}`
    audit.violations.add({
      seq: place.seq,
      leaf: place.leaf,
      code: 'NOISE_REUSED',
      subject: stream,
      key: '',
      budgets: 0,
      detail,
    })
  }
  return { stream, range }
}
