import type { Halted, LedgerOpened, TokenCreated, TokenRevoked } from '../budget/events.js'
import { sameScope } from '../budget/halts.js'
import type { Match } from '../budget/policy.js'
import { matchFrom } from '../budget/policy-request.js'
import { type Audit, fail, type RecordPlace } from './audit.js'

/** A ledger is opened once, by its first record, in a form that this program knows. */
export const checkOpened = (audit: Audit, data: LedgerOpened, place: RecordPlace): void => {
  if (audit.state.counts.size > 0)
    fail(
      'LEDGER_OPENED_TWICE',
      place,
      `it opens ledger ${data.ledger}, but ledger ${audit.state.registry.ledger} is open`,
    )
  const { format, costFn, scales } = data
  if (
    typeof data.ledger !== 'string' ||
    data.ledger === '' ||
    format !== 1 ||
    costFn !== 'exact-v1' ||
    scales.loss !== '1e15' ||
    scales.delta !== '1e18'
  ) {
    fail(
      'EVENT_MALFORMED',
      place,
      `it opens ledger ${data.ledger} in format ${format} with costs ${costFn} at ${scales?.loss} and ${scales?.delta}; this program knows format 1 with exact-v1 at 1e15 and 1e18`,
    )
  }
}

const ROLES: readonly TokenCreated['role'][] = ['emitter', 'auditor', 'operator', 'approver']

export const checkTokenCreated = (audit: Audit, data: TokenCreated, place: RecordPlace): void => {
  if (audit.state.registry.tokens.has(data.token)) fail('TOKEN_INVALID', place, `token ${data.token} exists already`)
  if (!/^[0-9a-f]{64}$/.test(data.hash)) fail('TOKEN_INVALID', place, `token ${data.token} has no SHA-256 in hex`)
  if (!ROLES.includes(data.role)) fail('TOKEN_INVALID', place, `token ${data.token} has the role ${data.role}`)
  audit.authority.created(data)
}

export const checkTokenRevoked = (audit: Audit, data: TokenRevoked, place: RecordPlace): void => {
  const token = audit.state.registry.tokens.get(data.token)
  if (token === undefined) fail('TOKEN_INVALID', place, `it revokes token ${data.token}, which no record creates`)
  else audit.authority.revoked(token)
}

/** @throws AccountingError for a scope that could never have been asked for. */
export const checkHalted = ({ scope }: Halted): void => {
  if (scope !== null) matchFrom(scope, '/scope')
}

export const checkResumed = (audit: Audit, data: Halted, place: RecordPlace): void => {
  const halted = audit.state.registry.halts.some(({ scope }) => sameScope(scope, data.scope as Match | null))
  if (!halted) fail('HALT_INVALID', place, 'it resumes what no record halts')
}
