import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import { ProblemError } from './problem.js'

/** The largest body, in bytes. */
export const MOST_BODY_BYTES = 4 * 1024 * 1024

/**
 * Reads JSON, and nothing else. Names such as `__proto__` are left as plain members, which the reader of each body
 * refuses as unknown fields.
 */
export const readJsonBodies = (server: FastifyInstance): void => {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser(
    /^application\/(?:[\w.+-]+\+)?json(?:\s*;.*)?$/i,
    { parseAs: 'buffer', bodyLimit: MOST_BODY_BYTES },
    ({ method }, body, done) => {
      try {
        // Some clients name a type for the body that a DELETE does not have.
        done(null, method === 'DELETE' && body.length === 0 ? undefined : jsonFrom(body as Buffer))
      } catch (error) {
        done(error as Error)
      }
    },
  )
}

/** @throws ProblemError MALFORMED. */
const jsonFrom = (bytes: Buffer): unknown => {
  if (bytes.length === 0) throw new ProblemError('MALFORMED', 'the body is empty, and JSON is expected')
  if (!isUtf8(bytes)) throw new ProblemError('MALFORMED', 'the body is not UTF-8')
  try {
    return JSON.parse(bytes.toString())
  } catch (error) {
    throw new ProblemError('MALFORMED', `the body is not JSON: ${placeOf(error as Error)}`)
  }
}

/** The parser's message quotes the body; only the place may go into an answer. */
const placeOf = ({ message }: Error): string => /at position \d+/.exec(message)?.[0] ?? 'it ends too early'
