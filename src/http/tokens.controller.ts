import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common'
import { CommandBus, QueryBus } from '@nestjs/cqrs'
import { CreateTokenCommand, SubmitCommand } from '../application/operation.handlers.js'
import { TokensQuery } from '../application/query.handlers.js'
import type { Actor } from '../budget/commands.js'
import type { JsonObject } from '../ledger/record.js'
import { TokenDto } from './dto/operation.dto.js'
import { Endpoint, nameParam } from './endpoint.js'
import { QueryFields, type QueryString } from './query.js'
import { recorded } from './recorded.js'
import { By, READERS } from './roles.js'

const HTTP = { kind: 'http' } as const

@Controller('v1/tokens')
export class TokensController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @Endpoint({
    summary: 'Create a token',
    description:
      'The token is shown this once: the ledger keeps its SHA-256 alone. Approvers create approvers, operators all others.',
    roles: ['operator', 'approver'],
    body: 'TokenRequest',
    answers: { 201: { description: 'The token, once.', schema: 'TokenCreated' } },
  })
  async create(@Body() terms: TokenDto, @By() actor: Actor): Promise<JsonObject> {
    const { created, secret, outcome } = await this.commands.execute(new CreateTokenCommand(terms, actor, HTTP))
    const { receipt } = recorded(outcome)
    const { token, role, source, expiresAt } = created
    return { id: token, token: secret, role, source, expiresAt, receipt: { ...receipt } }
  }

  @Get()
  @Endpoint({
    summary: 'All tokens that ever were',
    roles: READERS,
    answers: { 200: { description: 'Without anything that could be used as one.', schema: 'Tokens' } },
  })
  list(@Query() query: QueryString): Promise<JsonObject> {
    new QueryFields(query, [])
    return this.queries.execute(new TokensQuery())
  }

  @Delete(':id')
  @Endpoint({
    summary: 'Revoke a token',
    description: 'For ever: no restore can bring it back.',
    roles: ['operator', 'approver'],
    params: { id: nameParam('The id of the token, not the token.', '5b9f2f0e-6d0a-4b53-9f0c-7f5d6c1f2a34') },
    answers: { 200: { description: 'Revoked.', schema: 'TokenRevoked' } },
    problems: ['BUSY', 'SHUTTING_DOWN', 'APPEND_UNCERTAIN'],
  })
  async revoke(@Param('id') id: string, @By() actor: Actor): Promise<JsonObject> {
    const command = { kind: 'revoke-token', token: id, actor, cause: HTTP } as const
    const { receipt } = recorded(await this.commands.execute(new SubmitCommand(command)))
    return { id, revoked: true, receipt: { ...receipt } }
  }
}
