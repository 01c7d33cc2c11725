import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common'
import { CommandBus, QueryBus } from '@nestjs/cqrs'
import type { FastifyReply } from 'fastify'
import { Ledger } from '../application/ledger.js'
import { ReservationsQuery } from '../application/query.handlers.js'
import { ChargeCommand, CloseReservationCommand } from '../application/spend.handlers.js'
import type { Actor } from '../budget/commands.js'
import type { JsonObject } from '../ledger/record.js'
import { replyOf, send } from './answer.js'
import { CHARGE_PROBLEMS, REPLAYED } from './charging.js'
import { ReasonDto } from './dto/operation.dto.js'
import { ReservationDto, SettleDto } from './dto/spend.dto.js'
import { Endpoint, nameParam } from './endpoint.js'
import { PAGE, PAGE_FIELDS, pageFrom } from './page.js'
import { ProblemError } from './problem.js'
import { QueryFields, type QueryString } from './query.js'
import { By, READERS } from './roles.js'

const HTTP = { kind: 'http' } as const
const ID = { id: nameParam('The id of the reservation, as its source gave it.', 'training-7') }

@Controller('v1/reservations')
export class ReservationsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly ledger: Ledger,
  ) {}

  @Post()
  @Endpoint({
    summary: 'Reserve: set budget aside before the cost is known for sure',
    description:
      'Settle or release it in time: what expires is charged in full, since nobody can prove that nothing ran.',
    roles: ['emitter'],
    body: 'ReservationRequest',
    answers: { 201: { description: 'Set aside.', schema: 'Reserved', headers: REPLAYED } },
    problems: [...CHARGE_PROBLEMS, 'DELTA_NOT_RESERVABLE'],
  })
  async reserve(@Body() body: ReservationDto, @By() actor: Actor, @Res({ passthrough: true }) reply: FastifyReply) {
    const outcome = await this.commands.execute(new ChargeCommand('reserve', body, actor, HTTP))
    return send(reply, replyOf(outcome, 201, this.ledger))
  }

  @Post(':id/settle')
  @HttpCode(200)
  @Endpoint({
    summary: 'Settle: charge what really ran, and free the rest',
    description: 'A body of its own, or the count of the reserved one; at most what was reserved, row by row.',
    roles: ['emitter'],
    params: ID,
    body: 'SettleRequest',
    answers: { 200: { description: 'Settled.', schema: 'Closed', headers: REPLAYED } },
    problems: [
      'RESERVATION_CLOSED',
      'RESERVATION_EXCEEDED',
      'RELATION_MISMATCH',
      'UNSUPPORTED_MECHANISM',
      'UNSUPPORTED_SAMPLING',
    ],
  })
  async settle(
    @Param('id') id: string,
    @Body() body: SettleDto,
    @By() actor: Actor,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const outcome = await this.commands.execute(new CloseReservationCommand('settle', id, body, actor, HTTP))
    return send(reply, replyOf(outcome, 200, this.ledger))
  }

  @Post(':id/release')
  @HttpCode(200)
  @Endpoint({
    summary: 'Release: nothing was computed or seen',
    roles: ['emitter'],
    params: ID,
    body: 'ReasonRequest',
    answers: { 200: { description: 'Released.', schema: 'Closed', headers: REPLAYED } },
    problems: ['RESERVATION_CLOSED'],
  })
  async release(
    @Param('id') id: string,
    @Body() body: ReasonDto,
    @By() actor: Actor,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const outcome = await this.commands.execute(new CloseReservationCommand('release', id, body, actor, HTTP))
    return send(reply, replyOf(outcome, 200, this.ledger))
  }

  @Get()
  @Endpoint({
    summary: 'Open reservations, oldest first',
    roles: READERS,
    query: {
      open: { description: 'Only open ones are listed, with or without it.', schema: { enum: ['', 'true'] } },
      ...PAGE,
    },
    answers: {
      200: {
        description: 'One page of those neither settled, released nor expired; count is that of all of them.',
        schema: 'Reservations',
      },
    },
  })
  list(@Query() query: QueryString): Promise<JsonObject> {
    const fields = new QueryFields(query, ['open', ...PAGE_FIELDS])
    const open = fields.text('open') ?? ''
    if (open === '' || open === 'true') return this.queries.execute(new ReservationsQuery(pageFrom(fields)))
    throw new ProblemError('INVALID', 'only open reservations are listed: ?open', [
      { pointer: '/open', detail: 'must be empty or true' },
    ])
  }
}
