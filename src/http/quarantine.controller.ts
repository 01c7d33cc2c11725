import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common'
import { CommandBus, QueryBus } from '@nestjs/cqrs'
import type { FastifyReply } from 'fastify'
import { AccountingError } from '../accounting/errors.js'
import { Ledger } from '../application/ledger.js'
import { SubmitCommand } from '../application/operation.handlers.js'
import { ChargeQuarantinedCommand, QuarantineQuery } from '../application/topic.handlers.js'
import type { Actor } from '../budget/commands.js'
import { nameFrom, reasonFrom } from '../budget/names.js'
import type { JsonObject } from '../ledger/record.js'
import { replyOf, send } from './answer.js'
import { REPLAYED, REPORT_PROBLEMS } from './charging.js'
import { ResolutionDto } from './dto/topic.dto.js'
import { Endpoint } from './endpoint.js'
import { PAGE, PAGE_FIELDS, pageFrom } from './page.js'
import { ProblemError } from './problem.js'
import { QueryFields, type QueryString } from './query.js'
import { recorded } from './recorded.js'
import { By, READERS } from './roles.js'

const HTTP = { kind: 'http' } as const
const SEQ = {
  seq: {
    description: 'Number of the record that quarantined the message.',
    schema: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
  },
}

@Controller('v1/quarantine')
export class QuarantineController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly ledger: Ledger,
  ) {}

  @Get()
  @Endpoint({
    summary: 'Messages that nobody could account, oldest first',
    description:
      'Their bytes lie on the dead-letter topic. Each may be a spend: a proof lists those that nobody has resolved.',
    roles: READERS,
    query: PAGE,
    answers: { 200: { description: 'One page of those that wait to be resolved.', schema: 'Quarantine' } },
  })
  list(@Query() query: QueryString): Promise<JsonObject> {
    return this.queries.execute(new QuarantineQuery(pageFrom(new QueryFields(query, PAGE_FIELDS))))
  }

  @Post(':seq')
  @Endpoint({
    summary: 'Resolve one: charge what it had spent, or say that it was no spend',
    description: 'A charge is a report. That it was no spend has to be approved by another person.',
    roles: ['operator'],
    params: SEQ,
    body: 'ResolutionRequest',
    answers: {
      201: { description: 'Charged.', schema: 'Reported', headers: REPLAYED },
      202: { description: 'The dismissal waits for approval.', schema: 'QuarantineResolution' },
    },
    problems: REPORT_PROBLEMS,
  })
  async resolve(
    @Param('seq') text: string,
    @Body() { charge, dismiss }: ResolutionDto,
    @By() actor: Actor,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    const seq = seqFrom(text)
    if (charge !== undefined && dismiss === undefined) return this.charge(seq, charge, actor, reply)
    if (dismiss === undefined || charge !== undefined) throw either()
    const reason = reasonFrom(dismiss.reason, '/dismiss/reason')
    const command = { kind: 'propose-dismissal', quarantined: seq, reason, actor, cause: HTTP } as const
    const { receipt } = recorded(await this.commands.execute(new SubmitCommand(command)))
    reply.status(202)
    return { quarantined: seq, status: 'proposed', receipt: { ...receipt } }
  }

  @Post(':seq/approve')
  @HttpCode(200)
  @Endpoint({
    summary: 'Approve that a message was no spend, as another person proposed',
    roles: ['approver'],
    params: SEQ,
    answers: { 200: { description: 'Resolved without a charge.', schema: 'QuarantineResolution' } },
    problems: ['PROPOSAL_MISMATCH', 'BUSY', 'SHUTTING_DOWN', 'APPEND_UNCERTAIN'],
  })
  async approve(@Param('seq') text: string, @By() actor: Actor): Promise<JsonObject> {
    const quarantined = seqFrom(text)
    const command = { kind: 'approve-dismissal', quarantined, actor, cause: HTTP } as const
    const { receipt } = recorded(await this.commands.execute(new SubmitCommand(command)))
    return { quarantined, status: 'dismissed', receipt: { ...receipt } }
  }

  private async charge(seq: number, charge: object, actor: Actor, reply: FastifyReply): Promise<JsonObject> {
    const { source, ...wire } = charge as JsonObject
    const name = nameFrom(source, '/charge/source')
    const command = new ChargeQuarantinedCommand(seq, name, wire, actor, HTTP)
    const outcome = await this.commands.execute(command).catch(rethrownWithin('/charge'))
    return send(reply, replyOf(outcome, 201, this.ledger))
  }
}

/** What is wrong inside a part of the body has that part before its pointer. */
const rethrownWithin =
  (pointer: string) =>
  (error: unknown): never => {
    if (!(error instanceof AccountingError)) throw error
    throw new AccountingError(error.code, error.detail, `${pointer}${error.pointer}`)
  }

const seqFrom = (text: string): number => {
  if (/^(?:0|[1-9]\d{0,14})$/.test(text)) return Number(text)
  throw new ProblemError('NOT_FOUND', `${JSON.stringify(text.slice(0, 40))} is no number of a record`)
}

const either = (): ProblemError =>
  new ProblemError('INVALID', 'a message is charged or dismissed', [
    { pointer: '', detail: 'give charge or dismiss, and not both' },
  ])
