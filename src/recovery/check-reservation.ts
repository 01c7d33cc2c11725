import { integerFrom } from '../accounting/fields.js'
import { parseRelease, type Release, withCount } from '../accounting/release.js'
import { LARGEST_COUNT } from '../accounting/units.js'
import type { ReservationExpired, ReservationReleased, ReservationSettled } from '../budget/events.js'
import { policyVersion } from '../budget/registry.js'
import { hashOf } from '../budget/request.js'
import type { Reservation } from '../budget/state.js'
import type { JsonObject } from '../ledger/record.js'
import { type Audit, fail, type RecordPlace, type Reserved, reservedName } from './audit.js'
import { checkCosts } from './check-charges.js'

/** A settled reservation was open and in time, and took at most what it had set aside. */
export const checkSettled = (audit: Audit, data: ReservationSettled, place: RecordPlace): void => {
  audit.tally.reservationsSettled++
  const { reservation, reserved } = openInTime(audit, data, place)
  const release = settledRelease(reserved.release, data.settle)
  const { id, source } = data
  checkHash(audit, data.hash, { kind: 'settle', id, source, release: release.key }, place)
  const named = data.charges.map(({ policy, version, window }) => `${policy} version ${version} in ${window}`)
  const wanted = reservation.held.map(({ policy, version, window }) => `${policy} version ${version} in ${window}`)
  if (named.join() !== wanted.join())
    fail('CHARGE_MISMATCH', place, `it charges ${named.join(', ')}, but the reservation holds ${wanted.join(', ')}`)
  for (const [index, held] of reservation.held.entries()) {
    const policy = policyVersion(audit.state.registry, held.policy, held.version)
    const charge = data.charges[index]
    if (policy === undefined || charge === undefined) continue
    const costs = audit.costs.costs(release, policy.rows)
    checkCosts(audit, policy, charge.cost, costs, place)
    for (const [row, cost] of costs.entries()) {
      const most = held.cost[row] ?? 0n
      if (most === 'INF' || (cost !== 'INF' && cost <= most)) continue
      fail(
        'RESERVATION_EXCEEDED',
        place,
        `policy ${held.policy}, row ${policy.rows[row]}: it settles ${cost} of the ${most} that were reserved`,
      )
    }
  }
  audit.reserved.delete(reservedName(source, id))
}

/** A released reservation was open and in time: what is overdue is charged, whatever anybody says. */
export const checkReleased = (audit: Audit, data: ReservationReleased, place: RecordPlace): void => {
  audit.tally.reservationsReleased++
  const { id, source, reason } = data
  const { reserved } = openInTime(audit, data, place)
  checkHash(audit, data.hash, { kind: 'release', id, source, reason }, place)
  if (reserved.noise !== undefined) audit.noise.giveBack(reserved.noise.stream, reserved.noise.range)
  audit.reserved.delete(reservedName(source, id))
}

/** An expired reservation was open, and its time had come. */
export const checkExpired = (audit: Audit, data: ReservationExpired, place: RecordPlace): void => {
  audit.tally.reservationsExpired++
  const { expiresAt } = openOne(audit, data, place)
  if (expiresAt > place.at)
    fail(
      'EXPIRED_EARLY',
      place,
      `it expires reservation ${JSON.stringify(data.id)} at ${place.at}, which is good until ${expiresAt}`,
    )
  audit.reserved.delete(reservedName(data.source, data.id))
}

const openInTime = (
  audit: Audit,
  data: ReservationSettled | ReservationReleased,
  place: RecordPlace,
): { readonly reservation: Reservation; readonly reserved: Reserved } => {
  if (place.by !== `emitter:${data.source}`) {
    fail(
      'SOURCE_MISMATCH',
      place,
      `it closes a reservation of source ${JSON.stringify(data.source)}, but was asked by ${JSON.stringify(place.by)}`,
    )
  }
  const reservation = openOne(audit, data, place)
  if (reservation.expiresAt <= place.at) {
    fail(
      'RESERVATION_OVERDUE',
      place,
      `it closes reservation ${JSON.stringify(data.id)} at ${place.at}, which expired at ${reservation.expiresAt} and is charged in full`,
    )
  }
  const reserved = audit.reserved.get(reservedName(data.source, data.id))
  if (reserved === undefined)
    return fail('RESERVATION_NOT_OPEN', place, `reservation ${JSON.stringify(data.id)} is not open`)
  return { reservation, reserved }
}

const openOne = (audit: Audit, data: ReservationExpired, place: RecordPlace): Reservation =>
  audit.state.reservation(data.source, data.id) ??
  fail(
    'RESERVATION_NOT_OPEN',
    place,
    `it closes reservation ${JSON.stringify(data.id)} of source ${JSON.stringify(data.source)}, which is not open`,
  )

const checkHash = (audit: Audit, said: string, meaning: JsonObject, place: RecordPlace): void => {
  audit.tally.hashesRecomputed++
  const found = hashOf(meaning)
  if (found !== said) fail('REQUEST_HASH_MISMATCH', place, `its request hashes to ${found}, and it says ${said}`)
}

/** What ran: a body of its own, or so many of the counts that were reserved. */
const settledRelease = (reserved: Release, settle: JsonObject): Release =>
  Object.keys(settle).join() === 'count'
    ? withCount(reserved, integerFrom(settle['count'], 1n, LARGEST_COUNT, '/settle/count'))
    : parseRelease(settle, reserved.relation)
