import { amountsShown, failingFacts } from '../budget/answer.js'
import { eventOf } from '../budget/event-of.js'
import type { BudgetEvent, Charge } from '../budget/events.js'
import { policyVersion, type Registry } from '../budget/registry.js'
import type { JsonObject, LedgerRecord } from '../ledger/record.js'

/** What a record did, as readers of a history see it: amounts in natural units, other units' names left out. */
export const recordView = (record: LedgerRecord, registry: Registry): JsonObject => {
  const { seq, at, type } = record
  return { seq, at, type, ...facts(eventOf(record), registry) }
}

const facts = (event: BudgetEvent, registry: Registry): JsonObject => {
  switch (event.type) {
    case 'SpendAccepted':
    case 'ReservationOpened':
      return { ...requested(event.data), decision: 'accepted', charges: shownCharges(event.data.charges, registry) }
    case 'SpendReported':
      return {
        ...requested(event.data),
        decision: event.data.undecided ? 'refused' : 'accepted',
        charges: shownCharges(event.data.charges, registry),
        violation: event.data.violations.length > 0 && !event.data.undecided,
        violations: event.data.violations.map((budget) => failingFacts(budget, registry)),
      }
    case 'SpendRefused':
    case 'ReservationRefused':
      return {
        ...requested(event.data),
        decision: 'refused',
        code: event.data.code,
        failing: event.data.failing.map((budget) => failingFacts(budget, registry)),
        failingCount: event.data.failingCount,
      }
    case 'ReservationSettled': {
      const { source, id, charges } = event.data
      return { source, id, decision: 'accepted', charges: shownCharges(charges, registry) }
    }
    case 'ReservationReleased':
    case 'ReservationExpired': {
      const { source, id } = event.data
      return { source, id, decision: 'accepted' }
    }
    default:
      return {}
  }
}

const requested = ({ source, id, spend }: { source: string; id: string; spend: JsonObject }): JsonObject => {
  const { unit: _, units, ...rest } = spend
  return { source, id, spend: Array.isArray(units) ? { ...rest, unitCount: units.length } : rest }
}

const shownCharges = (charges: readonly Charge[], registry: Registry): readonly JsonObject[] =>
  charges.map(({ policy, version, window, cost }) => ({
    policy,
    version,
    window,
    cost: amountsShown(policyVersion(registry, policy, version)?.metric ?? 'rdp', cost),
  }))
