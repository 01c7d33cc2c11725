import { Controller, Get, Res } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import { Service } from '../application/service.js'
import type { JsonObject } from '../ledger/record.js'
import { Endpoint } from './endpoint.js'
import { problem, problemHeaders } from './problem.js'

@Controller('health')
export class HealthController {
  constructor(private readonly service: Service) {}

  @Get('live')
  @Endpoint({
    summary: 'The process answers',
    roles: 'anyone',
    answers: { 200: { description: 'It does.', schema: 'Live' } },
  })
  live(): JsonObject {
    return { status: 'live' }
  }

  @Get('ready')
  @Endpoint({
    summary: 'The ledger can decide',
    roles: 'anyone',
    answers: { 200: { description: 'It can.', schema: 'Ready' } },
    problems: ['NOT_READY'],
  })
  ready(@Res({ passthrough: true }) reply: FastifyReply): JsonObject {
    const reasons = this.service.readiness().map(({ code, detail }) => ({ code, detail }))
    if (reasons.length === 0) return { status: 'ready' }
    reply.status(503).headers(problemHeaders(503))
    return problem('NOT_READY', 'the ledger cannot decide everything now; the reasons say why', { reasons })
  }
}
