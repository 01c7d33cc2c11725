import { type DynamicModule, Module } from '@nestjs/common'
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core'
import { BodyPipe } from './body.pipe.js'
import { HealthController } from './health.controller.js'
import { MetricsController } from './metrics.controller.js'
import { Metrics } from './metrics.js'
import { OperationsController } from './operations.controller.js'
import { PoliciesController } from './policies.controller.js'
import { PositionGuard } from './position.guard.js'
import { ProblemFilter } from './problem.filter.js'
import { QuarantineController } from './quarantine.controller.js'
import { RecordsController } from './records.controller.js'
import { ReservationsController } from './reservations.controller.js'
import { SpendsController } from './spends.controller.js'
import { TokenGate } from './token-gate.js'
import { TokensController } from './tokens.controller.js'
import { TopicsController } from './topics.controller.js'
import { UnitsController } from './units.controller.js'

@Module({})
class HttpModule {}

/** HTTP over commands and queries. Who asks is checked before a body is read, and before anything waits for a position. */
export const httpModule = (application: DynamicModule): DynamicModule => ({
  module: HttpModule,
  imports: [application],
  controllers: [
    SpendsController,
    ReservationsController,
    UnitsController,
    PoliciesController,
    TokensController,
    OperationsController,
    RecordsController,
    TopicsController,
    QuarantineController,
    HealthController,
    MetricsController,
  ],
  providers: [
    Metrics,
    TokenGate,
    { provide: APP_GUARD, useClass: PositionGuard },
    { provide: APP_PIPE, useClass: BodyPipe },
    { provide: APP_FILTER, useClass: ProblemFilter },
  ],
})
