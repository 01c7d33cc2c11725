import type { EventType } from '../../src/budget/events.js'

/** Every type of the catalogue, in the order of their names: one that is forgotten does not compile. */
const KINDS: Readonly<Record<EventType, true>> = {
  ClockConfirmed: true,
  GapDeclared: true,
  Halted: true,
  LedgerOpened: true,
  MessageQuarantined: true,
  OffsetsRecorded: true,
  PolicyApproved: true,
  PolicyProposed: true,
  PolicyRemovalProposed: true,
  PolicySet: true,
  QuarantineDismissalProposed: true,
  QuarantineDismissed: true,
  RequestInvalid: true,
  ReservationExpired: true,
  ReservationOpened: true,
  ReservationRefused: true,
  ReservationReleased: true,
  ReservationSettled: true,
  Resumed: true,
  SpendAccepted: true,
  SpendPart: true,
  SpendRefused: true,
  SpendReported: true,
  TokenCreated: true,
  TokenRevoked: true,
  TopicResetApproved: true,
  TopicResetProposed: true,
}

export const EVENT_KINDS = Object.keys(KINDS).sort()
