import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common'
import { CommandBus, QueryBus } from '@nestjs/cqrs'
import { ConfirmClockCommand, SubmitCommand } from '../application/operation.handlers.js'
import { LedgerQuery } from '../application/query.handlers.js'
import type { Actor } from '../budget/commands.js'
import type { Match } from '../budget/policy.js'
import { matchFrom } from '../budget/policy-request.js'
import type { JsonObject } from '../ledger/record.js'
import { HaltDto, ReasonDto } from './dto/operation.dto.js'
import { Endpoint } from './endpoint.js'
import { ProblemError } from './problem.js'
import { QueryFields, type QueryString } from './query.js'
import { recorded } from './recorded.js'
import { By, READERS } from './roles.js'

const HTTP = { kind: 'http' } as const

@Controller('v1')
export class OperationsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get('ledger')
  @Endpoint({
    summary: 'The ledger: its id, epoch, head, and what is halted',
    roles: READERS,
    answers: { 200: { description: 'The ledger as it stands.', schema: 'Ledger' } },
  })
  ledger(@Query() query: QueryString): Promise<JsonObject> {
    new QueryFields(query, [])
    return this.queries.execute(new LedgerQuery())
  }

  @Post('halt')
  @HttpCode(200)
  @Endpoint({
    summary: 'Halt spending, all of it or a part',
    description: 'Spends and reservations get 503; reports, settles and releases are still taken.',
    roles: ['operator'],
    body: 'HaltRequest',
    answers: { 200: { description: 'Halted.', schema: 'Done' } },
  })
  halt(@Body() body: HaltDto, @By() actor: Actor): Promise<JsonObject> {
    return this.switch('halt', body, actor)
  }

  @Post('resume')
  @HttpCode(200)
  @Endpoint({
    summary: 'Resume what was halted with exactly this scope',
    roles: ['operator'],
    body: 'HaltRequest',
    answers: { 200: { description: 'Resumed.', schema: 'Done' } },
    problems: ['NOT_FOUND'],
  })
  resume(@Body() body: HaltDto, @By() actor: Actor): Promise<JsonObject> {
    return this.switch('resume', body, actor)
  }

  @Post('clock/confirm')
  @HttpCode(200)
  @Endpoint({
    summary: 'Confirm that the wall clock is right as it is now',
    description: 'Ends the doubt after the clock stepped; the confirmation is a record.',
    roles: ['operator'],
    body: 'ReasonRequest',
    answers: { 200: { description: 'Confirmed.', schema: 'Done' } },
  })
  async confirmClock(@Body() { reason }: ReasonDto, @By() actor: Actor): Promise<JsonObject> {
    const { receipt } = recorded(await this.commands.execute(new ConfirmClockCommand(reason, actor, HTTP)))
    return { receipt: { ...receipt } }
  }

  private async switch(kind: 'halt' | 'resume', { scope, reason }: HaltDto, actor: Actor): Promise<JsonObject> {
    const command = { kind, scope: scopeFrom(scope), reason, actor, cause: HTTP } as const
    const { receipt } = recorded(await this.commands.execute(new SubmitCommand(command)))
    return { receipt: { ...receipt } }
  }
}

/** An empty scope would halt everything by mistake: everything is halted by leaving the scope out. */
const scopeFrom = (wire: unknown): Match | null => {
  if (wire === undefined) return null
  const scope = matchFrom(wire, '/scope')
  if (Object.keys(scope).length > 0) return scope
  throw new ProblemError('INVALID', 'the scope names nothing', [
    { pointer: '/scope', detail: 'name an attribute, or leave the scope out to mean every spend' },
  ])
}
