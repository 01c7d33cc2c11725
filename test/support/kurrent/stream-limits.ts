/** What the metadata of a stream hides of it. */
export interface StreamLimits {
  readonly maxCount?: number
  readonly maxAgeMs?: number
  /** The first revision that is shown. */
  readonly truncateBefore?: number
  /** Truncated before the highest revision there can be: deleted until the next event. */
  readonly deleted?: true
}

const HIGHEST_REVISION = 9_223_372_036_854_775_807n

/** What the server itself writes into `$$name` when `name` is deleted softly. */
export const SOFT_DELETION = Buffer.from(`{"$tb":${HIGHEST_REVISION}}`)

/** Reads the data of an event of `$$name`. What is no JSON object limits nothing. */
export const limitsOf = (data: Uint8Array): StreamLimits => {
  const { $maxCount, $maxAge, $tb } = parse(data)
  const deleted = typeof $tb === 'number' && $tb >= Number(HIGHEST_REVISION)
  return {
    ...(typeof $maxCount === 'number' && { maxCount: $maxCount }),
    ...(typeof $maxAge === 'number' && { maxAgeMs: $maxAge * 1_000 }),
    ...(typeof $tb === 'number' && !deleted && { truncateBefore: $tb }),
    ...(deleted && { deleted }),
  }
}

/** The metadata with which a deleted stream goes on: all that was in it before stays hidden. */
export const undeleted = (data: Uint8Array, first: number): Buffer =>
  Buffer.from(JSON.stringify({ ...parse(data), $tb: first }))

const parse = (data: Uint8Array): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(Buffer.from(data).toString())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
