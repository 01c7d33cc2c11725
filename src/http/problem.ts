import { AccountingError } from '../accounting/errors.js'
import type { RejectionCode } from '../budget/context.js'
import { LedgerError } from '../ledger/errors.js'
import type { JsonObject } from '../ledger/record.js'

/** Status and title of every problem that an answer can name (RFC 9457). The codes are stable. */
export const PROBLEMS = {
  MALFORMED: [400, 'The request could not be read'],
  UNAUTHENTICATED: [401, 'No valid token'],
  FORBIDDEN: [403, 'The token does not allow this'],
  NOT_FOUND: [404, 'There is no such thing'],
  METHOD_NOT_ALLOWED: [405, 'The method is not allowed here'],
  BUDGET_EXHAUSTED: [409, 'A budget has too little left'],
  COST_INFINITE: [409, 'The release has no finite cost'],
  RESERVATION_CLOSED: [409, 'The reservation is closed'],
  VERSION_MISMATCH: [412, 'The policy has another version'],
  TOO_LARGE: [413, 'The body is too large'],
  UNSUPPORTED_MEDIA_TYPE: [415, 'The body is not JSON'],
  INVALID: [422, 'The request is not valid'],
  INVALID_NUMBER: [422, 'Not a number of the accepted form'],
  OUT_OF_RANGE: [422, 'A value is out of range'],
  UNSUPPORTED_MECHANISM: [422, 'No cost is known for the mechanism'],
  UNSUPPORTED_SAMPLING: [422, 'No amplification is known for the sampling'],
  RELATION_MISMATCH: [422, 'The neighbouring relation does not fit'],
  RELATION_CONFLICT: [422, 'Policies with different relations would meet'],
  ATTRIBUTE_REQUIRED: [422, 'An attribute is missing'],
  NO_POLICY: [422, 'No policy covers the spend'],
  POLICY_LIMIT: [422, 'The policies have too many rows'],
  IDEMPOTENCY_CONFLICT: [422, 'The id was used for another request'],
  RESERVATION_EXCEEDED: [422, 'More than was reserved'],
  DELTA_NOT_RESERVABLE: [422, 'A delta of its own cannot be reserved'],
  INTERNAL: [500, 'Something went wrong inside'],
  HALTED: [503, 'Spending is halted'],
  CLOCK_UNCERTAIN: [503, 'The clock cannot be trusted'],
  BUSY: [503, 'Too many requests wait'],
  NOT_READY: [503, 'The service is not ready'],
  SHUTTING_DOWN: [503, 'The service is shutting down'],
  APPEND_UNCERTAIN: [503, 'The ledger does not know what it kept'],
} as const satisfies Record<string, readonly [status: number, title: string]> & Record<RejectionCode, unknown>

export type ProblemCode = keyof typeof PROBLEMS

/** One thing that is wrong with a body: a JSON pointer (RFC 6901) and what to change. */
export interface ProblemDetail {
  readonly pointer: string
  readonly detail: string
}

/** A problem document; members beyond these are extensions. */
export type ProblemDocument = JsonObject & {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
}

export const PROBLEM_TYPE = 'application/problem+json'

/** How many seconds a client that gets 503 should wait. */
export const RETRY_AFTER_SECONDS = 1

export const problem = (code: ProblemCode, detail: string, extensions: JsonObject = {}): ProblemDocument => {
  const [status, title] = PROBLEMS[code]
  return { type: `urn:epsilon-ledger:problem:${code}`, title, status, detail, code, ...extensions }
}

/** Thrown inside `http/` alone, and turned into its document by the one filter. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'

  constructor(
    readonly code: ProblemCode,
    readonly detail: string,
    readonly errors?: readonly ProblemDetail[],
  ) {
    super(`${code}: ${detail}`)
  }
}

/** The document of anything that the ledger throws; undefined for what nobody expected. */
export const problemOf = (error: unknown): ProblemDocument | undefined => {
  if (error instanceof ProblemError) return problem(error.code, error.detail, withErrors(error.errors))
  if (error instanceof AccountingError) return invalid(error)
  return error instanceof LedgerError ? unavailable(error) : undefined
}

export const withErrors = (errors: readonly ProblemDetail[] | undefined): JsonObject =>
  errors === undefined ? {} : { errors: errors.map(({ pointer, detail }) => ({ pointer, detail })) }

/** What the accounting refuses to read is the caller's to change, whatever its code means in a decision. */
export const invalid = (
  { code, detail, pointer }: AccountingError,
  others: readonly ProblemDetail[] = [],
): ProblemDocument => ({
  ...problem(code, detail, withErrors([{ pointer, detail }, ...others.filter((other) => other.pointer !== pointer)])),
  status: 422,
})

/** Operating errors that lie in what was asked, not in the state of the service. */
const NOT_KEEPABLE: readonly string[] = ['RECORD_TOO_LARGE', 'VALUE_NOT_CANONICAL', 'RECORD_INVALID']

/** The inside of a store is nobody's business outside; the log on stderr has it. */
const unavailable = ({ code, message, hint }: LedgerError): ProblemDocument => {
  if (NOT_KEEPABLE.includes(code)) return problem('INVALID', message, { errors: [{ pointer: '', detail: message }] })
  if (code === 'BUSY') return problem(code, hint === '' ? message : `${message}; ${hint}`)
  if (code === 'SHUTTING_DOWN') return problem(code, 'nothing of this request was recorded; send it again later')
  if (code === 'APPEND_UNCERTAIN') {
    return problem(code, 'the request may or may not have been recorded; send the same again later, with the same id')
  }
  return problem('NOT_READY', 'the ledger cannot answer now; send the same request again later')
}
