import type { IncomingMessage } from 'node:http'
import { finished } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { MOST_BODY_BYTES } from '../application/json-text.js'

/** How long the rest of a body that nobody reads may take to come. */
const LINGER_MS = 5_000

/**
 * Lets an answer that goes out before its body was read, such as a 401, reach the client: to close at once would reset the
 * connection under the answer. What still comes is dropped as it comes; after one whole body's bytes, or `lingerMs`, the
 * connection is closed. A body that ends within that leaves the connection as good as any.
 *
 * A client that asks before it sends its body (`Expect: 100-continue`) is told to go on only where the body will be read.
 */
export const handleUnreadBodies = (server: FastifyInstance, lingerMs = LINGER_MS): void => {
  server.addHook('onSend', ({ raw }, _reply, payload, done) => {
    if (!raw.complete) dropRest(raw, lingerMs)
    done(null, payload)
  })
  server.server.on('checkContinue', (request, response) => server.server.emit('request', request, response))
  server.addHook('preParsing', (request, reply, payload, done) => {
    if (request.headers.expect !== undefined) reply.raw.writeContinue()
    done(null, payload)
  })
}

const dropRest = (request: IncomingMessage, lingerMs: number): void => {
  const { socket } = request
  let left = MOST_BODY_BYTES
  const deadline = setTimeout(() => socket.destroy(), lingerMs)
  finished(request, () => clearTimeout(deadline))
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) socket.destroy()
  })
}
