/** What helps: trying again now, restarting the process through the gate, or neither. */
export type Retry = 'now' | 'after-restart' | 'never'

export interface ErrorDetails {
  readonly retry: Retry
  /** The next step for whoever reads the message. */
  readonly hint?: string
  readonly cause?: unknown
  /** What a command line program exits with; 1 where nothing is said. */
  readonly exitCode?: number
}

/**
 * An operating error: something outside the rules of budgets went wrong, and an operator or a retry has to act. The
 * code is stable, the message names the place and both numbers.
 */
export class LedgerError extends Error {
  override readonly name: string = 'LedgerError'
  readonly retry: Retry
  readonly hint: string
  readonly exitCode: number

  constructor(
    readonly code: string,
    message: string,
    details: ErrorDetails,
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.retry = details.retry
    this.hint = details.hint ?? ''
    this.exitCode = details.exitCode ?? 1
  }
}

/** The end of every switch over a union: a case that somebody forgot does not compile. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
