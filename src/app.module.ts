import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import type { FastifyAdapter } from '@nestjs/platform-fastify'
import { applicationModule } from './application/application.module.js'
import { Service } from './application/service.js'
import { Topics } from './application/topics.js'
import { httpModule } from './http/http.module.js'

/** How long requests in flight may take once the service is told to stop; supervisors kill after 10 s. */
const GRACE_MS = 6_000

/** The whole program around an open ledger. */
@Module({})
export class AppModule implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    private readonly service: Service,
    private readonly topics: Topics,
    private readonly host: HttpAdapterHost<FastifyAdapter>,
  ) {}

  static around(service: Service, topics: Topics): DynamicModule {
    const application = applicationModule(service, topics)
    return { module: AppModule, imports: [application, httpModule(application)] }
  }

  onApplicationBootstrap(): void {
    this.topics.start()
  }

  /** A client that reads a long answer slowly must not keep the ledger open for ever. */
  async beforeApplicationShutdown(): Promise<void> {
    const server = this.host.httpAdapter.getHttpServer()
    setTimeout(() => server.closeAllConnections(), GRACE_MS).unref()
    this.service.lastCall()
    await this.topics.stopTaking()
  }

  /** Called when no request is in flight any more: whoever was promised an answer has it. */
  async onApplicationShutdown(): Promise<void> {
    await this.topics.stop()
    await this.service.close()
  }
}
