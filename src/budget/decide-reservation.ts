import type { Cost, Row } from '../accounting/units.js'
import { amountsOf, coversRows } from './charges.js'
import type { Release, Settle } from './commands.js'
import { type DecisionContext, record, reject, requestHash, uncertain, type Verdict } from './context.js'
import type { Draft } from './draft.js'
import type { Charge } from './events.js'
import { policyVersion } from './registry.js'
import type { Held, Reservation } from './state.js'
import { isUndecided } from './undecided.js'

/** Charges what really ran, at most what was reserved in every row, and frees the rest. */
export const decideSettle = (state: Draft, command: Settle, context: DecisionContext): Verdict => {
  const reservation = openReservation(state, command, context)
  if ('kind' in reservation) return reservation
  const charges: Charge[] = []
  for (const held of reservation.held) {
    const policy = policyVersion(state.registry, held.policy, held.version)
    if (policy === undefined) throw new RangeError(`reservation of unknown policy ${held.policy} ${held.version}`)
    if (!coversRows(command.costs, policy.rows)) return { kind: 'costs-needed' }
    const excess = policy.rows.findIndex((row, index) =>
      exceeds(command.costs.cost.get(row) ?? 0n, held.cost[index] ?? 0n),
    )
    if (excess !== -1)
      return exceeded(
        held,
        policy.rows[excess],
        command.costs.cost.get(policy.rows[excess] ?? 'eps'),
        held.cost[excess],
      )
    charges.push({
      policy: held.policy,
      version: held.version,
      window: held.window,
      cost: amountsOf(policy.rows, command.costs),
    })
  }
  const { id, hash, settle } = command
  return record({ type: 'ReservationSettled', data: { source: command.actor.source, id, hash, settle, charges } })
}

export const decideRelease = (state: Draft, command: Release, context: DecisionContext): Verdict => {
  const reservation = openReservation(state, command, context)
  if ('kind' in reservation) return reservation
  const { id, hash, reason } = command
  return record({ type: 'ReservationReleased', data: { source: command.actor.source, id, hash, reason } })
}

/** The most reservations, and budgets of them, that one decision expires: what is left comes with the next one. */
const MOST_EXPIRED = 1000
const MOST_BUDGETS = 20_000

export const decideExpiry = (state: Draft, context: DecisionContext): Verdict => {
  let budgets = 0
  const expired = state.overdue(context.at, MOST_EXPIRED).filter(({ held }, index) => {
    budgets += held.reduce((sum, { keys }) => sum + keys.length, 0)
    return index === 0 || budgets <= MOST_BUDGETS
  })
  return record(...expired.map(({ source, id }) => ({ type: 'ReservationExpired', data: { source, id } }) as const))
}

/**
 * The reservation, if it is still open. One that is overdue is not, whether a record says so yet or not: nobody can
 * prove that nothing was released, so it is charged in full.
 */
const openReservation = (state: Draft, command: Settle | Release, context: DecisionContext): Reservation | Verdict => {
  const { source } = command.actor
  const { prior } = context
  if (prior !== undefined) {
    if (requestHash(prior.event) === command.hash) return { kind: 'replayed', prior }
    return reject('RESERVATION_CLOSED', `reservation ${JSON.stringify(command.id)} was closed by record ${prior.seq}`)
  }
  if (state.answered('close', source, command.id)) return { kind: 'in-flight' }
  const reservation = state.reservation(source, command.id)
  if (reservation === undefined) {
    const unknown = `source ${JSON.stringify(source)} has no reservation ${JSON.stringify(command.id)}`
    const rejection = reject('NOT_FOUND', unknown)
    return isUndecided(state.registry, command.cause) ? uncertain(rejection) : rejection
  }
  if (reservation.expiresAt > context.at) return reservation
  return reject(
    'RESERVATION_CLOSED',
    `reservation ${JSON.stringify(command.id)} expired at ${reservation.expiresAt} and is charged in full; it is ${context.at}`,
  )
}

const exceeds = (cost: Cost, held: Cost): boolean => held !== 'INF' && (cost === 'INF' || cost > held)

const exceeded = (held: Held, row: Row | undefined, cost: Cost | undefined, reserved: Cost | undefined): Verdict =>
  reject(
    'RESERVATION_EXCEEDED',
    `policy ${held.policy}, row ${row}: settling ${cost} units of the ${reserved} that were reserved; settle at most what was reserved, and report the rest`,
  )
