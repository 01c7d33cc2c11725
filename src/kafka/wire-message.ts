/**
 * A message as a client reads it from a topic. A value or key that is null is another one than an empty one, and is kept
 * apart from it.
 */
export interface ReceivedMessage {
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Milliseconds since 1970 as a decimal string. */
  readonly timestamp: string
  /** A decimal string: offsets pass 2^53. */
  readonly offset: string
  /**
   * Name → value, or values where the name is repeated. The client collects them in a plain object and takes what every
   * object inherits for a first value: a header named `constructor` comes as [Function, Buffer]. Read them by
   * {@link headersOf} and {@link headerValues}.
   */
  readonly headers?: Readonly<Record<string, unknown>> | undefined
}

/** A message as a client sends it. */
export interface OutgoingMessage {
  readonly key: Buffer | string | null
  readonly value: Buffer | null
  /** No value may be null: the client cannot send one. */
  readonly headers: { [name: string]: Buffer | string | (Buffer | string)[] }
}

/** The value of a header; null is one that is there and has none. */
export type HeaderValue = Buffer | null

/**
 * Every header with its values, in the order of their names' bytes. The order between different names is not kept by
 * every client, that between the values of one name is.
 */
export const headersOf = ({ headers = {} }: ReceivedMessage): readonly (readonly [string, readonly HeaderValue[]])[] =>
  Object.keys(headers)
    .map((name) => ({ name, bytes: Buffer.from(name) }))
    .sort((one, other) => Buffer.compare(one.bytes, other.bytes))
    .map(({ name }) => [name, valuesIn(headers[name])] as const)

/** The values of one header, in their order; empty where it is not there. */
export const headerValues = ({ headers = {} }: ReceivedMessage, name: string): readonly HeaderValue[] =>
  Object.hasOwn(headers, name) ? valuesIn(headers[name]) : []

/** Strings are taken too: that is how a message looks which was never sent. */
const valuesIn = (value: unknown): readonly HeaderValue[] => {
  if (Array.isArray(value)) return value.flatMap(valuesIn)
  if (typeof value === 'string') return [Buffer.from(value)]
  return value === null || Buffer.isBuffer(value) ? [value] : []
}
