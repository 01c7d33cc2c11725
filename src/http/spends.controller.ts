import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common'
import { CommandBus, QueryBus } from '@nestjs/cqrs'
import type { FastifyReply } from 'fastify'
import { estimateView } from '../application/estimate-view.js'
import { Ledger } from '../application/ledger.js'
import { AnswerQuery } from '../application/query.handlers.js'
import { ChargeAllCommand, ChargeCommand, EstimateQuery } from '../application/spend.handlers.js'
import { Turn } from '../application/turn.js'
import type { Actor } from '../budget/commands.js'
import type { JsonObject } from '../ledger/record.js'
import { batchItem, replyOf, send } from './answer.js'
import { itemsFrom } from './batch.js'
import { CHARGE_PROBLEMS, REPLAYED, REPORT_PROBLEMS } from './charging.js'
import { EstimateDto, ReportDto, SpendDto } from './dto/spend.dto.js'
import { Endpoint, nameParam } from './endpoint.js'
import { LONG_NAME } from './openapi/schemas.js'
import { ProblemError } from './problem.js'
import { QueryFields, type QueryString } from './query.js'
import { By, READERS } from './roles.js'

const HTTP = { kind: 'http' } as const

@Controller('v1')
export class SpendsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly ledger: Ledger,
  ) {}

  @Post('spends')
  @Endpoint({
    summary: 'Spend: ask before noise is added',
    description: 'Decided over every budget that it touches, all or nothing, and durable before it is answered.',
    roles: ['emitter'],
    body: 'SpendRequest',
    answers: { 201: { description: 'Accepted.', schema: 'Accepted', headers: REPLAYED } },
    problems: CHARGE_PROBLEMS,
  })
  async spend(@Body() body: SpendDto, @By() actor: Actor, @Res({ passthrough: true }) reply: FastifyReply) {
    const outcome = await this.commands.execute(new ChargeCommand('spend', body, actor, HTTP))
    return send(reply, replyOf(outcome, 201, this.ledger))
  }

  @Post('spends/batch')
  @HttpCode(200)
  @Endpoint({
    summary: 'Spend many: each decided on its own, in order',
    description: 'An invalid item fails alone. The answers stand in the order of the spends.',
    roles: ['emitter'],
    body: 'BatchRequest',
    answers: { 200: { description: 'One result for each spend.', schema: 'BatchAnswer' } },
  })
  async batch(@Body() body: unknown, @By() actor: Actor, @Res({ passthrough: true }) reply: FastifyReply) {
    const outcomes = await this.commands.execute(new ChargeAllCommand(itemsFrom(body), actor, HTTP))
    const turn = new Turn()
    // Written out one by one, since the whole may have megabytes, and others would wait for all of it.
    const results: string[] = []
    for (const outcome of outcomes) {
      while (turn.isOver) await turn.next()
      results.push(JSON.stringify(batchItem(outcome, this.ledger)))
    }
    reply.header('content-type', 'application/json; charset=utf-8')
    return `{"results":[${results.join()}]}`
  }

  @Post('spends/estimate')
  @HttpCode(200)
  @Endpoint({
    summary: 'What would happen, and how many more would fit',
    description: 'Changes nothing and promises nothing: another spend may come first.',
    roles: ['emitter'],
    body: 'EstimateRequest',
    answers: { 200: { description: 'The estimate.', schema: 'Estimate' } },
    problems: ['ATTRIBUTE_REQUIRED', 'NO_POLICY', 'RELATION_MISMATCH', 'UNSUPPORTED_MECHANISM', 'UNSUPPORTED_SAMPLING'],
  })
  async estimate(@Body() body: EstimateDto, @By() actor: Actor): Promise<JsonObject> {
    const result = await this.queries.execute(new EstimateQuery(body, actor))
    if (result.kind === 'rejected') throw new ProblemError(result.code, result.detail, result.errors)
    return estimateView(result)
  }

  @Get('spends/:id')
  @Endpoint({
    summary: 'The answer that a request got',
    description: 'An emitter reads its own; everybody else names the source.',
    roles: ['emitter', ...READERS],
    params: { id: nameParam('The id of the spend, report or reservation.', 'spend-1') },
    query: { source: { description: 'Whose request it was; for an emitter its own.', schema: LONG_NAME } },
    answers: { 200: { description: 'The answer, as it was given.', schema: 'StoredAnswer' } },
  })
  async answer(@Param('id') id: string, @Query() query: QueryString, @By() actor: Actor): Promise<JsonObject> {
    const source = sourceFrom(new QueryFields(query, ['source']).text('source'), actor)
    const answer = await this.queries.execute(new AnswerQuery(source, id))
    if (answer !== undefined) return answer
    throw new ProblemError('NOT_FOUND', `source ${JSON.stringify(source)} has no request ${JSON.stringify(id)}`)
  }

  @Post('reports')
  @Endpoint({
    summary: 'Report: it has happened already',
    description: 'A well-formed report is always recorded; beyond the cap of a guarantee it is a violation.',
    roles: ['emitter'],
    body: 'ReportRequest',
    answers: { 201: { description: 'Recorded.', schema: 'Reported', headers: REPLAYED } },
    problems: REPORT_PROBLEMS,
  })
  async report(@Body() body: ReportDto, @By() actor: Actor, @Res({ passthrough: true }) reply: FastifyReply) {
    const outcome = await this.commands.execute(new ChargeCommand('report', body, actor, HTTP))
    return send(reply, replyOf(outcome, 201, this.ledger))
  }
}

const sourceFrom = (named: string | undefined, actor: Actor): string => {
  if (actor.role === 'emitter') {
    if (named === undefined || named === actor.source) return actor.source
    throw new ProblemError('FORBIDDEN', `this token reads the answers of ${JSON.stringify(actor.source)} alone`)
  }
  if (named !== undefined) return named
  throw new ProblemError('INVALID', 'name the source whose request it was: ?source=', [
    { pointer: '/source', detail: 'required for this role' },
  ])
}
