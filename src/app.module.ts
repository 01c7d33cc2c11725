import { type DynamicModule, Module, type OnApplicationShutdown } from '@nestjs/common'
import { applicationModule } from './application/application.module.js'
import { Service } from './application/service.js'
import { httpModule } from './http/http.module.js'

/** The whole program around an open ledger. */
@Module({})
export class AppModule implements OnApplicationShutdown {
  constructor(private readonly service: Service) {}

  static around(service: Service): DynamicModule {
    const application = applicationModule(service)
    return { module: AppModule, imports: [application, httpModule(application)] }
  }

  /** Called when no request is in flight any more: whoever was promised an answer has it. */
  onApplicationShutdown(): Promise<void> {
    return this.service.close()
  }
}
