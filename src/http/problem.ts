import { AccountingError } from '../accounting/errors.js'
import { isUnkeepable, type ProblemDocument, problemDocument, REQUEST_PROBLEMS } from '../budget/problems.js'
import { LedgerError } from '../ledger/errors.js'
import type { JsonObject } from '../ledger/record.js'

/** Status and title of every problem that an answer can name (RFC 9457). The codes are stable. */
export const PROBLEMS = {
  ...REQUEST_PROBLEMS,
  METHOD_NOT_ALLOWED: [405, 'The method is not allowed here'],
  INTERNAL: [500, 'Something went wrong inside'],
  BUSY: [503, 'Too many requests wait'],
  NOT_READY: [503, 'The service is not ready'],
  SHUTTING_DOWN: [503, 'The service is shutting down'],
  APPEND_UNCERTAIN: [503, 'The ledger does not know what it kept'],
} as const satisfies Record<string, readonly [status: number, title: string]>

export type ProblemCode = keyof typeof PROBLEMS

/** One thing that is wrong with a body: a JSON pointer (RFC 6901) and what to change. */
export interface ProblemDetail {
  readonly pointer: string
  readonly detail: string
}

export const PROBLEM_TYPE = 'application/problem+json'

/** How many seconds a client that gets 503 should wait. */
const RETRY_AFTER_SECONDS = 1

/** The headers of a problem document: its type, and what its status asks for. */
export const problemHeaders = (status: number): Readonly<Record<string, string | number>> => ({
  'content-type': PROBLEM_TYPE,
  ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
  ...(status === 503 ? { 'retry-after': RETRY_AFTER_SECONDS } : {}),
})

export const problem = (code: ProblemCode, detail: string, extensions: JsonObject = {}): ProblemDocument => ({
  ...problemDocument(code, PROBLEMS[code], detail),
  ...extensions,
})

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

/** The inside of a store is nobody's business outside; the log on stderr has it. */
const unavailable = (error: LedgerError): ProblemDocument => {
  const { code, message, hint } = error
  if (isUnkeepable(error)) return problem('INVALID', message, { errors: [{ pointer: '', detail: message }] })
  if (code === 'BUSY') return problem(code, hint === '' ? message : `${message}; ${hint}`)
  if (code === 'SHUTTING_DOWN') return problem(code, 'nothing of this request was recorded; send it again later')
  if (code === 'APPEND_UNCERTAIN') {
    return problem(code, 'the request may or may not have been recorded; send the same again later, with the same id')
  }
  return problem('NOT_READY', 'the ledger cannot answer now; send the same request again later')
}
