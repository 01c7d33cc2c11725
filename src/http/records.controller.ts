import { Readable } from 'node:stream'
import { Controller, Get, Header, Param, Query, Res, StreamableFile } from '@nestjs/common'
import { QueryBus } from '@nestjs/cqrs'
import type { FastifyReply } from 'fastify'
import { RecordQuery, RecordsQuery } from '../application/query.handlers.js'
import { Service } from '../application/service.js'
import { Endpoint } from './endpoint.js'
import { ProblemError } from './problem.js'
import { QueryFields, type QueryString } from './query.js'
import { READERS } from './roles.js'

const SEQ = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const
const NDJSON = 'application/x-ndjson'

@Controller('v1/records')
export class RecordsController {
  constructor(
    private readonly queries: QueryBus,
    private readonly service: Service,
  ) {}

  @Get()
  @Header('content-type', NDJSON)
  @Endpoint({
    summary: 'The log: one stored record a line, its exact bytes',
    description:
      'Without a limit it streams to the head. SHA-256 of a zero byte and a line without its line feed is the record’s leaf.',
    roles: READERS,
    query: {
      from: { description: 'The first record; 0 where nothing is said.', schema: SEQ },
      limit: { description: 'At most so many records.', schema: { ...SEQ, minimum: 1 } },
    },
    answers: {
      200: {
        description: 'Records as NDJSON.',
        schema: 'RecordLines',
        type: NDJSON,
        headers: {
          'Ledger-Position': { description: 'The last record when the answer began.', schema: { type: 'integer' } },
        },
      },
    },
  })
  async stream(@Query() query: QueryString, @Res({ passthrough: true }) reply: FastifyReply): Promise<StreamableFile> {
    const fields = new QueryFields(query, ['from', 'limit'])
    const lines = await this.queries.execute(
      new RecordsQuery(fields.integer('from', 0) ?? 0, fields.integer('limit', 1)),
    )
    reply.header('ledger-position', this.service.position().seq)
    return new StreamableFile(Readable.from(lines, { objectMode: false }))
  }

  @Get(':seq')
  @Header('content-type', 'application/json')
  @Endpoint({
    summary: 'One record, its exact bytes',
    roles: READERS,
    params: { seq: { description: 'Its number.', schema: SEQ, example: 0 } },
    answers: { 200: { description: 'The stored record.', schema: 'Record' } },
  })
  async one(@Param('seq') text: string, @Query() query: QueryString): Promise<Buffer> {
    new QueryFields(query, [])
    const seq = new QueryFields({ seq: text }, ['seq']).integer('seq', 0) ?? 0
    const bytes = await this.queries.execute(new RecordQuery(seq))
    if (bytes !== undefined) return Buffer.from(bytes)
    throw new ProblemError('NOT_FOUND', `there is no record ${seq}; the last one is ${this.service.position().seq}`)
  }
}
