import { type ChainFault, type ChainFaultCode } from '../ledger/chain.js'
import { LedgerError } from '../ledger/errors.js'

/** What replay can find wrong in a record whose bytes and place in the chain are sound. */
export type ReplayFaultCode =
  | 'EVENT_UNKNOWN'
  | 'EVENT_MALFORMED'
  | 'LEDGER_NOT_OPENED'
  | 'LEDGER_OPENED_TWICE'
  | 'SUM_MISMATCH'
  | 'COST_TOO_LOW'
  | 'COST_MISMATCH'
  | 'CAP_TOO_HIGH'
  | 'POLICY_MISMATCH'
  | 'POLICY_RAISED_ALONE'
  | 'APPROVAL_INVALID'
  | 'RELATION_CONFLICT'
  | 'CHARGE_MISMATCH'
  | 'WINDOW_MISMATCH'
  | 'RELATION_MISMATCH'
  | 'REQUEST_INVALID'
  | 'REQUEST_HASH_MISMATCH'
  | 'REQUEST_REPEATED'
  | 'SOURCE_MISMATCH'
  | 'PARTS_MISMATCH'
  | 'DROP_UNFOUNDED'
  | 'PERMIT_BEYOND_QUOTA'
  | 'PERMIT_WHILE_HALTED'
  | 'REFUSAL_UNFOUNDED'
  | 'REFUSAL_MISMATCH'
  | 'VIOLATION_HIDDEN'
  | 'VIOLATION_MISMATCH'
  | 'RESERVATION_INVALID'
  | 'RESERVATION_NOT_OPEN'
  | 'RESERVATION_OVERDUE'
  | 'RESERVATION_EXCEEDED'
  | 'EXPIRED_EARLY'
  | 'TOKEN_INVALID'
  | 'NOT_AUTHORISED'
  | 'HALT_INVALID'
  | 'CAUSE_INVALID'
  | 'OFFSET_REPEATED'
  | 'QUARANTINE_INVALID'
  | 'RESET_INVALID'
  | 'GAP_INVALID'
  | 'UNDECIDED_NOT_CHARGED'

export type FaultCode = ChainFaultCode | ReplayFaultCode

/** The records are not what the rules could have written; `seq` names the first bad one. */
export class ReplayFault extends LedgerError {
  override readonly name = 'ReplayFault'

  constructor(
    override readonly code: ReplayFaultCode,
    readonly seq: number,
    readonly detail: string,
    cause?: unknown,
  ) {
    super(code, `record ${seq}: ${detail}`, {
      retry: 'never',
      hint: 'Keep this copy as it is, and compare it with a backup or with receipts. docs/runbooks/broken-chain.md',
      exitCode: 20,
      cause,
    })
  }
}

/** Damage or forgery, as far as it ends the verification. */
export type Fault = ChainFault | ReplayFault
