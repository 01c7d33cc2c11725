import { Controller, Get, Res } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import { Endpoint } from './endpoint.js'
import { Metrics } from './metrics.js'
import { READERS } from './roles.js'

@Controller('metrics')
export class MetricsController {
  constructor(private readonly metrics: Metrics) {}

  @Get()
  @Endpoint({
    summary: 'Metrics for Prometheus',
    roles: READERS,
    answers: { 200: { description: 'Its text format.', schema: 'MetricsText', type: 'text/plain' } },
  })
  async text(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    reply.header('content-type', this.metrics.contentType)
    return this.metrics.text()
  }
}
