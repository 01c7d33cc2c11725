import { AccountingError } from '../accounting/errors.js'
import { eventOf } from '../budget/event-of.js'
import type { BudgetEvent } from '../budget/events.js'
import { evolve } from '../budget/evolve.js'
import { type Policy } from '../budget/policy.js'
import type { CheckedRecord } from '../ledger/chain.js'
import { LedgerError, unreachable } from '../ledger/errors.js'
import type { Afterwards, Audit, RecordPlace, Reserved } from './audit.js'
import { Authority, checkAuthority } from './authority.js'
import type { Overdrawn } from './cap-below-spent.js'
import { checkCause } from './check-cause.js'
import { checkInvalid, checkOffsets, checkQuarantined } from './check-message.js'
import { checkHalted, checkOpened, checkResumed, checkTokenCreated, checkTokenRevoked } from './check-operations.js'
import { checkApproved, checkPolicySet, checkProposed, checkRemovalProposed } from './check-policy.js'
import { checkDismissalProposed, checkDismissed, checkUnresolved } from './check-quarantine.js'
import { checkPart } from './check-request.js'
import { checkExpired, checkReleased, checkSettled } from './check-reservation.js'
import { checkGap, checkResetApproved, checkResetProposed } from './check-reset.js'
import { checkSpend } from './check-spend.js'
import { CostBook } from './cost-book.js'
import { ReplayFault, type ReplayFaultCode } from './fault.js'
import { checkMembers } from './members.js'
import { NoiseIndex } from './noise-index.js'
import { ReplayState } from './replay-state.js'
import { RequestBook } from './request-book.js'
import { Tally } from './tally.js'
import { Findings, type Notice, type Violation } from './violation.js'

/**
 * Lives through a ledger again from its records alone: every record is judged by the state before it, taken in by the
 * same `evolve` as everywhere, and compared with the state after it.
 */
export class Replay implements Audit {
  readonly state = new ReplayState()
  readonly costs = new CostBook()
  readonly noise = new NoiseIndex()
  readonly requests = new RequestBook()
  readonly tally = new Tally()
  readonly violations = new Findings<Violation>()
  readonly notices = new Findings<Notice>()
  readonly authority = new Authority()
  readonly charged = new Set<Policy>()
  readonly overdrawn = new Map<string, Overdrawn>()
  readonly overcharged = new Map<string, number>()
  readonly reserved = new Map<string, Reserved>()
  partsAsked = ''
  #epoch = 0

  /** @throws ReplayFault where the record is not what the rules could have written; the replay is over then. */
  take({ record, leaf }: CheckedRecord): void {
    const { seq, at, by, cause, epoch } = record
    const place = { seq, at, by, cause, epoch, leaf }
    try {
      const event = eventOf(record)
      const afterwards = this.#check(event, place)
      evolve(this.state, event, place)
      this.#epoch = epoch
      this.tally.records++
      afterwards?.()
    } catch (error) {
      throw faultOf(error, place)
    }
  }

  #check(event: BudgetEvent, place: RecordPlace): Afterwards | undefined {
    if (this.state.counts.size === 0 && event.type !== 'LedgerOpened') {
      throw new ReplayFault(
        'LEDGER_NOT_OPENED',
        place.seq,
        `the log begins with a ${event.type}, not with the opening of a ledger`,
      )
    }
    checkMembers(event, place)
    checkCause(this, event, place)
    checkAuthority(this, event, place)
    if (this.state.pending.length > 0) this.#checkVoided(event, place)
    switch (event.type) {
      case 'SpendReported':
        if (event.data.quarantined !== undefined) checkUnresolved(this, event.data.quarantined, place)
        return checkSpend(this, event, place)
      case 'SpendAccepted':
      case 'ReservationOpened':
      case 'SpendRefused':
      case 'ReservationRefused':
        return checkSpend(this, event, place)
      case 'SpendPart':
        checkPart(event.data, place)
        this.tally.partsRead++
        break
      case 'LedgerOpened':
        checkOpened(this, event.data, place)
        break
      case 'PolicySet':
        return checkPolicySet(this, event.data, place)
      case 'PolicyProposed':
        checkProposed(this, event.data, place)
        break
      case 'PolicyRemovalProposed':
        checkRemovalProposed(this, event.data, place)
        break
      case 'PolicyApproved':
        return checkApproved(this, event.data, place)
      case 'ReservationSettled':
        checkSettled(this, event.data, place)
        break
      case 'ReservationReleased':
        checkReleased(this, event.data, place)
        break
      case 'ReservationExpired':
        checkExpired(this, event.data, place)
        break
      case 'TokenCreated':
        checkTokenCreated(this, event.data, place)
        break
      case 'TokenRevoked':
        checkTokenRevoked(this, event.data, place)
        break
      case 'Resumed':
        checkResumed(this, event.data, place)
        break
      case 'Halted':
        checkHalted(event.data)
        break
      case 'RequestInvalid':
        checkInvalid(event.data, place)
        break
      case 'MessageQuarantined':
        checkQuarantined(this, event.data, place)
        break
      case 'QuarantineDismissalProposed':
        checkDismissalProposed(this, event.data, place)
        break
      case 'QuarantineDismissed':
        checkDismissed(this, event.data, place)
        break
      case 'OffsetsRecorded':
        checkOffsets(this, event.data, place)
        break
      case 'TopicResetProposed':
        checkResetProposed(this, event.data, place)
        break
      case 'TopicResetApproved':
        checkResetApproved(this, event.data, place)
        break
      case 'GapDeclared':
        checkGap(event.data, this.#epoch, place)
        break
      case 'ClockConfirmed':
        break
      default:
        return unreachable(event)
    }
    return undefined
  }

  /** Parts whose decision never came: an append that broke off between blocks. They charge nothing. */
  #checkVoided(event: BudgetEvent, place: RecordPlace): void {
    const [first] = this.state.pending
    if (first === undefined || ('parts' in event.data && event.data.parts !== undefined)) return
    if (
      event.type === 'SpendPart' &&
      event.data.source === first.source &&
      event.data.id === first.id &&
      event.data.part > 0
    )
      return
    const detail = `${this.state.pending.length} parts of ${JSON.stringify(first.id)} came before it without their decision; they charge nothing`
    this.notices.add({ seq: place.seq, code: 'PARTS_VOIDED', detail })
  }
}

/** A record that no rule could read is at fault itself. */
const faultOf = (error: unknown, place: RecordPlace): ReplayFault => {
  if (error instanceof ReplayFault) return error
  const message = error instanceof Error ? error.message : String(error)
  return new ReplayFault(codeOf(error), place.seq, message, error)
}

const codeOf = (error: unknown): ReplayFaultCode => {
  if (error instanceof AccountingError) return 'REQUEST_INVALID'
  return error instanceof LedgerError && error.code === 'EVENT_UNKNOWN' ? 'EVENT_UNKNOWN' : 'EVENT_MALFORMED'
}
