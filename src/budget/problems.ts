import type { AccountingError, AccountingErrorCode } from '../accounting/errors.js'
import type { LedgerError } from '../ledger/errors.js'
import type { JsonObject } from '../ledger/record.js'
import type { Rejection, RejectionCode } from './context.js'
import type { Problem, RequestInvalid, SpendRefused } from './events.js'

/**
 * Status and title (RFC 9457) of every code that the answer to a request can name, whichever way the request came. The
 * codes are stable.
 */
export const REQUEST_PROBLEMS = {
  MALFORMED: [400, 'The request could not be read'],
  UNAUTHENTICATED: [401, 'No valid token'],
  FORBIDDEN: [403, 'Whoever asks may not do this'],
  NOT_FOUND: [404, 'There is no such thing'],
  BUDGET_EXHAUSTED: [409, 'A budget has too little left'],
  COST_INFINITE: [409, 'The release has no finite cost'],
  UNDECIDED: [409, 'The first decision is lost'],
  RESERVATION_CLOSED: [409, 'The reservation is closed'],
  VERSION_MISMATCH: [412, 'The policy has another version'],
  PROPOSAL_MISMATCH: [412, 'Something else waits for approval'],
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
  HALTED: [503, 'Spending is halted'],
  RECOVERING: [503, 'A recovery is not finished'],
  CLOCK_UNCERTAIN: [503, 'The clock cannot be trusted'],
} as const satisfies Record<
  BodyProblemCode | RejectionCode | AccountingErrorCode | SpendRefused['code'] | 'UNDECIDED',
  readonly [status: number, title: string]
>

/** A body that cannot be read at all. */
export type BodyProblemCode = 'MALFORMED' | 'TOO_LARGE' | 'UNSUPPORTED_MEDIA_TYPE'

export type RequestProblemCode = keyof typeof REQUEST_PROBLEMS

/** Why a request can never be decided, as HTTP would answer it. */
export type RequestProblem = Pick<RequestInvalid, 'status' | 'code' | 'detail' | 'errors'>

export const problemOfRejection = ({ code, detail, errors }: Rejection): RequestProblem => {
  const [status] = REQUEST_PROBLEMS[code]
  return errors === undefined ? { status, code, detail } : { status, code, detail, errors }
}

/** What the accounting refuses to read is the caller's to change, whatever its code means in a decision: 422. */
export const problemOfRequest = ({ code, detail, pointer }: AccountingError): RequestProblem => ({
  status: 422,
  code,
  detail,
  errors: [{ pointer, detail }],
})

/** Whether another try of the same request can succeed, because the ledger and not the request is in the way. */
export const isUnavailable = (code: RejectionCode): boolean => REQUEST_PROBLEMS[code][0] === 503

/** Whether an operating error lies in what was asked, not in the state of the ledger: no record can hold it. */
export const isUnkeepable = ({ code }: LedgerError): boolean =>
  code === 'RECORD_TOO_LARGE' || code === 'VALUE_NOT_CANONICAL' || code === 'RECORD_INVALID'

/** A problem document; members beyond these are extensions. */
export type ProblemDocument = JsonObject & {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
}

export const problemDocument = (
  code: string,
  [status, title]: readonly [status: number, title: string],
  detail: string,
): ProblemDocument => ({
  type: `urn:epsilon-ledger:problem:${code}`,
  title,
  status,
  detail,
  code,
})

const MOST_DETAIL = 2_000
const MOST_ERRORS = 20
const MOST_ERROR_DETAIL = 500
const MOST_NAME = 256

/** Whose request it is, and about whom, as far as it says. */
export interface NamedRequest {
  readonly source: string
  readonly id: string
  readonly unit?: string | undefined
}

/** The record of a request that can never be decided: always small enough to be written. */
export const invalidRequest = (
  request: RequestInvalid['request'],
  { source, id, unit }: NamedRequest,
  { status, code, detail, errors }: RequestProblem,
): RequestInvalid => ({
  source: cut(source, MOST_NAME),
  id: cut(id, MOST_NAME),
  request,
  ...(unit === undefined ? {} : { unit }),
  status,
  code,
  detail: cut(detail, MOST_DETAIL),
  ...(errors === undefined ? {} : { errors: errors.slice(0, MOST_ERRORS).map(shortProblem) }),
})

const shortProblem = ({ pointer, detail }: Problem): Problem => ({
  pointer: cut(pointer, MOST_NAME),
  detail: cut(detail, MOST_ERROR_DETAIL),
})

/** A record takes well-formed text only, and half of a surrogate pair is none. */
export const cut = (text: string, most: number): string => text.slice(0, most).toWellFormed()
