import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { AccountingError } from '../accounting/errors.js'
import type { ProblemDocument } from '../budget/problems.js'
import { LedgerError } from '../ledger/errors.js'
import { describedProblems } from './body.pipe.js'
import { invalid, problem, problemHeaders, problemOf } from './problem.js'
import { allowedMethods } from './routes.js'

/** Turns everything that is thrown, by us or by the framework, into a problem document. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('http')

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp()
    const reply = http.getResponse<FastifyReply>()
    const request = http.getRequest<FastifyRequest>()
    // The client is gone, or an answer that streams broke off: there is nobody to tell.
    if (reply.sent) return
    sendProblem(reply, brokenOff(request) ? BROKEN_OFF : this.documentOf(error, request, reply))
  }

  private documentOf(error: unknown, request: FastifyRequest, reply: FastifyReply): ProblemDocument {
    if (error instanceof HttpException) return frameworkProblem(error, request, reply)
    if (error instanceof AccountingError) return invalid(error, describedProblems(request.body))
    const known = problemOf(error)
    if (error instanceof LedgerError) this.logger.error(`${error.code}: ${error.message}`)
    if (known !== undefined) return known
    this.logger.error(`INTERNAL: ${error instanceof Error ? error.stack : error}`)
    return problem('INTERNAL', 'an unexpected error; the log of the service has it')
  }
}

/** A client that hangs up in the middle of its body is no defect of ours, and reads no answer: nothing is logged. */
const brokenOff = ({ raw }: FastifyRequest): boolean => raw.destroyed && !raw.complete

const BROKEN_OFF = problem('MALFORMED', 'the body ended before it was whole')

/** Sends a problem document with the headers that its status asks for. */
export const sendProblem = (reply: FastifyReply, document: ProblemDocument): void => {
  reply.status(document.status).headers(problemHeaders(document.status))
  // As text, so that no serialiser of the framework takes it for one of its own errors.
  reply.send(JSON.stringify(document))
}

/** What the router and the body parser refuse before a controller is asked. */
const frameworkProblem = (error: HttpException, request: FastifyRequest, reply: FastifyReply): ProblemDocument => {
  const status = error.getStatus()
  if (status === 404) return unrouted(request, reply)
  return statusProblem(status, error.message)
}

/** The document of an error that the framework knows by its status alone. */
export const statusProblem = (status: number, message: string): ProblemDocument => {
  switch (status) {
    case 413:
      return problem('TOO_LARGE', 'a body has at most 4 MiB; send fewer things at a time')
    case 415:
      return problem('UNSUPPORTED_MEDIA_TYPE', 'send JSON, with content-type application/json')
    case 503:
      return problem('NOT_READY', 'the service takes no requests now')
    default:
      return status < 500 ? problem('MALFORMED', message) : problem('INTERNAL', 'an unexpected error')
  }
}

const unrouted = (request: FastifyRequest, reply: FastifyReply): ProblemDocument => {
  const path = request.url.split('?', 1)[0] ?? ''
  const methods = allowedMethods(request.server, path)
  if (methods.length === 0) return problem('NOT_FOUND', 'no route has this path; /docs lists all of them')
  reply.header('allow', methods.join(', '))
  return problem('METHOD_NOT_ALLOWED', `this path takes ${methods.join(', ')}, not ${request.method}`)
}
