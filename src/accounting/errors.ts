export type AccountingErrorCode =
  | 'INVALID'
  | 'INVALID_NUMBER'
  | 'OUT_OF_RANGE'
  | 'UNSUPPORTED_MECHANISM'
  | 'UNSUPPORTED_SAMPLING'
  | 'RELATION_MISMATCH'
  | 'COST_INFINITE'

/** A spend body or a budget that cannot be accounted. `pointer` is the JSON pointer (RFC 6901) of what is wrong. */
export class AccountingError extends Error {
  override readonly name = 'AccountingError'

  constructor(
    readonly code: AccountingErrorCode,
    readonly detail: string,
    readonly pointer: string = '',
  ) {
    super(pointer === '' ? `${code}: ${detail}` : `${code} at ${pointer}: ${detail}`)
  }
}

/** The end of every switch over a union: a case that somebody forgot does not compile. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
