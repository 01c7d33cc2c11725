import type { FastifyInstance } from 'fastify'
import { JSON_TYPE, MOST_BODY_BYTES, readJson } from '../application/json-text.js'
import { ProblemError } from './problem.js'

/** Reads JSON, and nothing else. */
export const readJsonBodies = (server: FastifyInstance): void => {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser(
    JSON_TYPE,
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
  const read = readJson(bytes)
  if ('value' in read) return read.value
  throw new ProblemError('MALFORMED', `the body ${read.problem}`)
}
