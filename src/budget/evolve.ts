import type { Cost, Row } from '../accounting/units.js'
import { unreachable } from '../ledger/errors.js'
import type { Cause, KafkaCause } from '../ledger/record.js'
import type {
  Amounts,
  BudgetEvent,
  Charge,
  ReservationOpened,
  ReservationSettled,
  SpendAccepted,
  SpendPart,
  SpendRefused,
} from './events.js'
import { evolveRegistry } from './evolve-registry.js'
import type { Policy } from './policy.js'
import { activeVersion, policyVersion, type Registry } from './registry.js'
import type { BudgetState, Held, PartitionOffset, Reservation } from './state.js'
import { targetKeys } from './targets.js'
import { chargedUpTo, chargedWhole } from './undecided.js'

/** Where an event stands in the log. */
export interface Place {
  readonly seq: number
  readonly at: string
  readonly by: string
  readonly cause: Cause
}

/**
 * The only way in which state changes: live, at start-up, in a restore and in the verifier.
 *
 * Depends on the state and the event alone. It never asks whether a spend was right: that is decided once, before
 * the record, and checked by replay.
 */
export const evolve = (state: BudgetState, event: BudgetEvent, place: Place): void => {
  const parts = state.pending
  if (event.type === 'SpendPart') {
    state.pending = follows(parts, event.data) ? [...parts, event.data] : event.data.part === 0 ? [event.data] : []
  } else if (parts.length > 0) {
    state.pending = []
  }
  state.count(event.type)
  apply(state, event, place, parts)
  if (place.cause.kind === 'kafka' && event.type !== 'SpendPart') handled(state, place.cause)
}

/** Parts do not count: without their decision the message has none. */
const handled = (state: BudgetState, { topic, partition, offset, digest }: KafkaCause): void =>
  advance(state, { topic, partition, next: BigInt(offset) + 1n, digest })

const advance = (state: BudgetState, { topic, partition, ...handled }: PartitionOffset): void => {
  state.setOffset(topic, partition, handled)
  state.registry = chargedUpTo(state.registry, { topic, partition }, handled.next)
}

const follows = (parts: BudgetState['pending'], next: SpendPart): boolean =>
  next.part === parts.length && parts.every(({ source, id }) => source === next.source && id === next.id)

const apply = (state: BudgetState, event: BudgetEvent, place: Place, parts: BudgetState['pending']): void => {
  switch (event.type) {
    case 'SpendPart':
      break
    case 'SpendAccepted':
      charge(state, event.data, unitsOf(event.data, parts), place.seq)
      break
    case 'SpendReported':
      charge(state, event.data, unitsOf(event.data, parts), place.seq)
      if (chargedWhole(event.data)) state.rememberKey('close', event.data.source, event.data.id, place.seq)
      if (event.data.violations.length > 0 && !event.data.undecided) state.rememberViolation(place.seq)
      if (event.data.quarantined !== undefined) resolve(state, event.data.quarantined, place.seq)
      break
    case 'RequestInvalid':
      break
    case 'MessageQuarantined':
      state.setUnresolved({ seq: place.seq, dismissal: null })
      break
    case 'QuarantineDismissalProposed': {
      const { quarantined, reason, proposedBy } = event.data
      requireUnresolved(state, quarantined, place.seq)
      state.setUnresolved({ seq: quarantined, dismissal: { reason, proposedBy } })
      break
    }
    case 'QuarantineDismissed':
      resolve(state, event.data.quarantined, place.seq)
      break
    case 'OffsetsRecorded': {
      const { topic, partition, next, digest } = event.data
      advance(state, { topic, partition, next: BigInt(next), digest })
      break
    }
    case 'TopicResetApproved': {
      const { topic, partition, to } = event.data
      state.registry = evolveRegistry(state.registry, event, place)
      advance(state, { topic, partition, next: BigInt(to), digest: null })
      break
    }
    case 'GapDeclared':
      state.registry = evolveRegistry(state.registry, event, place)
      for (const { topic, partition } of event.data.undecided ?? []) {
        const { next } = state.offset(topic, partition) ?? { next: 0n }
        state.registry = chargedUpTo(state.registry, { topic, partition }, next)
      }
      break
    case 'SpendRefused':
    case 'ReservationRefused':
      remember(state, event.data, unitsOf(event.data, []), place.seq)
      break
    case 'ReservationOpened':
      open(state, event.data, unitsOf(event.data, parts), place.seq)
      break
    case 'ReservationSettled':
      settle(state, event.data, place.seq)
      break
    case 'ReservationReleased':
      for (const held of close(state, event.data, place.seq).held) state.move(held, 'unreserve')
      break
    case 'ReservationExpired':
      for (const held of close(state, event.data, place.seq).held) {
        state.move(held, 'unreserve')
        state.move(held, 'spend')
      }
      break
    case 'LedgerOpened':
    case 'PolicySet':
    case 'PolicyProposed':
    case 'PolicyRemovalProposed':
    case 'PolicyApproved':
    case 'Halted':
    case 'Resumed':
    case 'TokenCreated':
    case 'TokenRevoked':
    case 'ClockConfirmed':
    case 'TopicResetProposed':
      state.registry = evolveRegistry(state.registry, event, place)
      break
    default:
      unreachable(event)
  }
}

/** The units that a request names, without those that were dropped. */
export const unitsOf = (
  data: Pick<SpendAccepted, 'spend' | 'parts' | 'dropped'> | Pick<SpendRefused, 'spend'>,
  parts: BudgetState['pending'],
): readonly string[] => {
  if ('parts' in data && data.parts !== undefined) return parts.flatMap((part) => part.units)
  const { unit, units } = data.spend
  if (typeof unit === 'string') return [unit]
  if (!Array.isArray(units)) return []
  const dropped = new Set('dropped' in data ? data.dropped : [])
  return (units as string[]).filter((name) => !dropped.has(name))
}

const remember = (
  state: BudgetState,
  data: { readonly source: string; readonly id: string },
  units: readonly string[],
  seq: number,
): void => {
  state.rememberKey('request', data.source, data.id, seq)
  state.rememberUnits(units, seq)
}

/** Resolves what a record charges to budgets: for each policy the keys that its scope gives these units. */
const heldBy = (registry: Registry, data: SpendAccepted, units: readonly string[]): readonly Held[] =>
  data.charges.map((charge) => {
    const policy = versionOf(registry, charge)
    return { ...heldOf(policy, charge), keys: targetKeys(policy, attributesOf(data, units)) }
  })

const attributesOf = (data: SpendAccepted, units: readonly string[]) => ({
  ...textOf(data.spend, 'dataset'),
  ...textOf(data.spend, 'analyst'),
  ...textOf(data.spend, 'purpose'),
  source: data.source,
  units,
})

const textOf = (spend: SpendAccepted['spend'], name: string): { readonly [name: string]: string } => {
  const value = spend[name]
  return typeof value === 'string' ? { [name]: value } : {}
}

const versionOf = (registry: Registry, charge: Charge): Policy => {
  const policy =
    activeVersion(registry, charge.policy, charge.version) ?? policyVersion(registry, charge.policy, charge.version)
  if (policy === undefined) {
    throw new RangeError(
      `a record charges policy ${charge.policy} version ${charge.version}, which no record before it sets`,
    )
  }
  return policy
}

const heldOf = (policy: Policy, charge: Charge): Omit<Held, 'keys'> => ({
  policy: charge.policy,
  version: charge.version,
  generation: policy.generation,
  window: charge.window,
  cost: costsFrom(policy.rows, charge.cost),
})

/** Costs aligned to `rows`; a row that the record does not name costs nothing. */
const costsFrom = (rows: readonly Row[], amounts: Amounts): readonly Cost[] =>
  rows.map((row) => {
    const amount = amounts[row]
    if (amount === undefined) return 0n
    return amount === 'INF' ? 'INF' : BigInt(amount)
  })

const charge = (state: BudgetState, data: SpendAccepted, units: readonly string[], seq: number): void => {
  remember(state, data, units, seq)
  for (const held of heldBy(state.registry, data, units)) state.move(held, 'spend')
}

const open = (state: BudgetState, data: ReservationOpened, units: readonly string[], seq: number): void => {
  const { source, id, hash, expiresAt } = data
  remember(state, data, units, seq)
  const held = heldBy(state.registry, data, units)
  state.openReservation({ source, id, seq, hash, expiresAt, held, units })
  for (const charge of held) state.move(charge, 'reserve')
}

const settle = (state: BudgetState, data: ReservationSettled, seq: number): void => {
  for (const held of close(state, data, seq).held) {
    state.move(held, 'unreserve')
    const settled = data.charges.find(({ policy, version }) => policy === held.policy && version === held.version)
    if (settled === undefined) continue
    const { rows } = versionOf(state.registry, settled)
    state.move({ ...held, cost: costsFrom(rows, settled.cost) }, 'spend')
  }
}

/** Takes a reservation out of the open ones, whatever becomes of what it holds. */
const close = (
  state: BudgetState,
  { source, id }: { readonly source: string; readonly id: string },
  seq: number,
): Reservation => {
  const reservation = state.reservation(source, id)
  if (reservation === undefined) {
    throw new RangeError(
      `record ${seq} closes reservation ${JSON.stringify(id)} of ${JSON.stringify(source)}, which is not open`,
    )
  }
  state.closeReservation(source, id)
  state.rememberKey('close', source, id, seq)
  state.rememberUnits(reservation.units, seq)
  return reservation
}

const resolve = (state: BudgetState, quarantined: number, seq: number): void => {
  requireUnresolved(state, quarantined, seq)
  state.resolve(quarantined)
}

const requireUnresolved = (state: BudgetState, quarantined: number, seq: number): void => {
  if (state.unresolved(quarantined) !== undefined) return
  throw new RangeError(`record ${seq} is about quarantined message ${quarantined}, which does not wait to be resolved`)
}
