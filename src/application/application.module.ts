import { type DynamicModule, Module } from '@nestjs/common'
import { CqrsModule } from '@nestjs/cqrs'
import { Ledger } from './ledger.js'
import { ConfirmClockHandler, CreateTokenHandler, SubmitHandler } from './operation.handlers.js'
import {
  AnswerHandler,
  LedgerHandler,
  PoliciesHandler,
  PolicyHandler,
  RecordHandler,
  RecordsHandler,
  ReservationsHandler,
  TokensHandler,
  UnitBudgetsHandler,
  UnitSpendsHandler,
  ViolationsHandler,
} from './query.handlers.js'
import { Service } from './service.js'
import { ChargeAllHandler, ChargeHandler, CloseReservationHandler, EstimateHandler } from './spend.handlers.js'
import { ChargeQuarantinedHandler, QuarantineHandler, TopicsHandler } from './topic.handlers.js'
import { Topics } from './topics.js'

const COMMAND_HANDLERS = [
  ChargeHandler,
  ChargeAllHandler,
  CloseReservationHandler,
  SubmitHandler,
  CreateTokenHandler,
  ConfirmClockHandler,
  ChargeQuarantinedHandler,
]
const QUERY_HANDLERS = [
  EstimateHandler,
  AnswerHandler,
  UnitBudgetsHandler,
  UnitSpendsHandler,
  ViolationsHandler,
  ReservationsHandler,
  PoliciesHandler,
  PolicyHandler,
  TokensHandler,
  LedgerHandler,
  RecordHandler,
  RecordsHandler,
  TopicsHandler,
  QuarantineHandler,
]

@Module({})
class ApplicationModule {}

/** One handler for each command and query, over an open ledger. */
export const applicationModule = (service: Service, topics: Topics): DynamicModule => ({
  module: ApplicationModule,
  imports: [CqrsModule],
  providers: [
    { provide: Service, useValue: service },
    { provide: Ledger, useValue: service.ledger },
    { provide: Topics, useValue: topics },
    ...COMMAND_HANDLERS,
    ...QUERY_HANDLERS,
  ],
  exports: [CqrsModule, Service, Ledger, Topics],
})
