import { Controller, Get, Param, Query } from '@nestjs/common'
import { QueryBus } from '@nestjs/cqrs'
import { UnitBudgetsQuery, UnitSpendsQuery, ViolationsQuery } from '../application/query.handlers.js'
import { nameFrom } from '../budget/names.js'
import type { JsonObject } from '../ledger/record.js'
import { Endpoint, nameParam } from './endpoint.js'
import { PAGE, PAGE_FIELDS, pageFrom } from './page.js'
import { QueryFields, type QueryString } from './query.js'
import { READERS } from './roles.js'

const UNIT = { unit: nameParam('The unit, as emitters name it.', 'u-17') }

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
    return this.queries.execute(
      new UnitSpendsQuery(nameFrom(unit, '/unit'), pageFrom(new QueryFields(query, PAGE_FIELDS))),
    )
  }

  @Get('violations')
  @Endpoint({
    summary: 'Reports that took a guarantee beyond its cap',
    roles: READERS,
    query: PAGE,
    answers: { 200: { description: 'Oldest first; count is that of all of them.', schema: 'Violations' } },
  })
  violations(@Query() query: QueryString): Promise<JsonObject> {
    return this.queries.execute(new ViolationsQuery(pageFrom(new QueryFields(query, PAGE_FIELDS))))
  }
}
