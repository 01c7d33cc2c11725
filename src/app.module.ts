import { type BeforeApplicationShutdown, type DynamicModule, Module, type OnApplicationShutdown } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import type { FastifyAdapter } from '@nestjs/platform-fastify'
import { applicationModule } from './application/application.module.js'
import { Service } from './application/service.js'
import { httpModule } from './http/http.module.js'

/** How long requests in flight may take once the service is told to stop. */
const GRACE_MS = 10_000

/** The whole program around an open ledger. */
@Module({})
export class AppModule implements BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    private readonly service: Service,
    private readonly host: HttpAdapterHost<FastifyAdapter>,
  ) {}

  static around(service: Service): DynamicModule {
    const application = applicationModule(service)
    return { module: AppModule, imports: [application, httpModule(application)] }
  }

  /** A client that reads a long answer slowly must not keep the ledger open for ever. */
  beforeApplicationShutdown(): void {
    const server = this.host.httpAdapter.getHttpServer()
    setTimeout(() => server.closeAllConnections(), GRACE_MS).unref()
  }

  /** Called when no request is in flight any more: whoever was promised an answer has it. */
  onApplicationShutdown(): Promise<void> {
    return this.service.close()
  }
}
