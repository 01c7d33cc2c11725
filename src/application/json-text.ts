import { isUtf8 } from 'node:buffer'

/** The largest body of a request, in bytes, whichever way it comes. */
export const MOST_BODY_BYTES = 4 * 1024 * 1024

/** The media types of a body, with or without parameters: JSON, and nothing else. */
export const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json(?:\s*;.*)?$/i

/** What bytes say, or what is wrong with them: the words go after a name for the bytes. */
export type JsonRead = { readonly value: unknown } | { readonly problem: string }

/**
 * Reads a request's JSON. Names such as `__proto__` are left as plain members, which the reader of each body refuses
 * as unknown fields. Of a name given twice the last one counts, as everywhere in JavaScript.
 */
export const readJson = (bytes: Buffer): JsonRead => {
  if (bytes.length === 0) return { problem: 'is empty, and JSON is expected' }
  const text = readUtf8(bytes)
  if (text === undefined) return { problem: 'is not UTF-8' }
  try {
    return { value: JSON.parse(text) }
  } catch (error) {
    return { problem: `is not JSON: ${placeOf(error as Error)}` }
  }
}

/** Strict: undefined for bytes that are no UTF-8; a byte order mark stays a character. */
export const readUtf8 = (bytes: Buffer): string | undefined => (isUtf8(bytes) ? bytes.toString() : undefined)

/** The parser's message quotes the body; only the place may go into an answer. */
const placeOf = ({ message }: Error): string => {
  const place = /at position \d+/.exec(message)?.[0]
  if (place !== undefined) return place
  return message.includes('end of JSON') ? 'it ends too early' : 'it has a character that has no place there'
}
