import { Controller, Get, Param, Query } from '@nestjs/common'
import { QueryBus } from '@nestjs/cqrs'
import { type Page, UnitBudgetsQuery, UnitSpendsQuery, ViolationsQuery } from '../application/query.handlers.js'
import { nameFrom } from '../budget/names.js'
import type { JsonObject } from '../ledger/record.js'
import { Endpoint, nameParam } from './endpoint.js'
import { QueryFields, type QueryString } from './query.js'
import { READERS } from './roles.js'

const UNIT = { unit: nameParam('The unit, as emitters name it.', 'u-17') }
const MOST_ON_A_PAGE = 1_000

/** Records are numbered from 0, so the first page says nothing of `after`. */
const PAGE = {
  after: {
    description: 'Only records above this number.',
    schema: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
  },
  limit: {
    description: 'At most so many; 100 where nothing is said.',
    schema: { type: 'integer', minimum: 1, maximum: MOST_ON_A_PAGE },
  },
}

@Controller('v1')
export class UnitsController {
  constructor(private readonly queries: QueryBus) {}

  @Get('units/:unit/budgets')
  @Endpoint({
    summary: 'Every budget of a unit',
    description: 'What an overdue reservation held counts as spent. A budget comes to life with its first spend.',
    roles: READERS,
    params: UNIT,
    answers: { 200: { description: 'Spent, reserved, cap and what remains.', schema: 'UnitBudgets' } },
  })
  budgets(@Param('unit') unit: string, @Query() query: QueryString): Promise<JsonObject> {
    new QueryFields(query, [])
    return this.queries.execute(new UnitBudgetsQuery(nameFrom(unit, '/unit')))
  }

  @Get('units/:unit/spends')
  @Endpoint({
    summary: 'What happened to a unit, oldest first',
    roles: READERS,
    params: UNIT,
    query: PAGE,
    answers: { 200: { description: 'One page of its history, read from the log.', schema: 'UnitSpends' } },
  })
  spends(@Param('unit') unit: string, @Query() query: QueryString): Promise<JsonObject> {
    return this.queries.execute(new UnitSpendsQuery(nameFrom(unit, '/unit'), pageFrom(query)))
  }

  @Get('violations')
  @Endpoint({
    summary: 'Reports that took a guarantee beyond its cap',
    roles: READERS,
    query: PAGE,
    answers: { 200: { description: 'Oldest first; count is that of all of them.', schema: 'Violations' } },
  })
  violations(@Query() query: QueryString): Promise<JsonObject> {
    return this.queries.execute(new ViolationsQuery(pageFrom(query)))
  }
}

const pageFrom = (query: QueryString): Page => {
  const fields = new QueryFields(query, ['after', 'limit'])
  return { after: fields.integer('after', 0) ?? -1, limit: fields.integer('limit', 1, MOST_ON_A_PAGE) ?? 100 }
}
