import type { Socket } from 'node:net'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { MOST_BODY_BYTES } from '../application/json-text.js'
import { readJsonBodies } from './json-body.js'
import { sendProblem, statusProblem } from './problem.filter.js'
import { PROBLEM_TYPE, problem } from './problem.js'
import { rememberRoutes } from './routes.js'
import { handleUnreadBodies } from './unread-body.js'

/** How long a client may take to send the head of a request, and the whole of it. */
const HEAD_MS = 10_000
const REQUEST_MS = 60_000
/** A name of 256 bytes, each written as three characters, fits many times. */
const LONGEST_PARAMETER = 8_192

/** Fastify with our limits, and with problem documents for what it refuses before any controller is asked. */
export const httpAdapter = (): FastifyAdapter => {
  const adapter = new FastifyAdapter({
    bodyLimit: MOST_BODY_BYTES,
    trustProxy: false,
    requestTimeout: REQUEST_MS,
    http: { headersTimeout: HEAD_MS },
    routerOptions: { maxParamLength: LONGEST_PARAMETER },
    frameworkErrors: refuseUnroutable,
    clientErrorHandler: refuseUnreadable,
  })
  const server = adapter.getInstance()
  rememberRoutes(server)
  readJsonBodies(server)
  handleUnreadBodies(server)
  return adapter
}

/** Bad escapes in a path, and parameters without end: nothing that a filter of the application would see. */
const refuseUnroutable = (error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void =>
  sendProblem(
    reply,
    statusProblem(error.statusCode === 414 ? 400 : (error.statusCode ?? 400), 'the path cannot be read'),
  )

/** What is no HTTP at all. */
const refuseUnreadable = (_error: Error, socket: Socket): void => {
  if (!socket.writable) return
  const body = JSON.stringify(problem('MALFORMED', 'this is no HTTP request'))
  socket.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: ${PROBLEM_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}
