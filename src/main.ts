import type { AddressInfo } from 'node:net'
import 'reflect-metadata'
import { NestFactory } from '@nestjs/core'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { SwaggerModule } from '@nestjs/swagger'
import { AppModule } from './app.module.js'
import type { Service } from './application/service.js'
import { NoTopics, type Topics } from './application/topics.js'
import { Metrics } from './http/metrics.js'
import { openApiDocument } from './http/openapi/document.js'
import { httpAdapter } from './http/server.js'
import { StderrLogger } from './http/stderr-logger.js'

export interface Served {
  /** Where it listens: `http://127.0.0.1:4280`. */
  readonly url: string
  /** Takes no more requests, finishes those in flight, and closes the ledger. */
  close(): Promise<void>
}

/** Serves an open ledger over HTTP until it is closed or the process gets SIGTERM or SIGINT. */
export const start = async (options: {
  readonly service: Service
  /** None where nothing is said. */
  readonly topics?: Topics
  readonly host: string
  readonly port: number
  readonly log?: (line: string) => void
}): Promise<Served> => {
  const { service, topics = new NoTopics(), host, port, log } = options
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.around(service, topics), httpAdapter(), {
    logger: new StderrLogger(log),
    bodyParser: false,
    abortOnError: false,
  })
  app.get(Metrics).observe(app.getHttpAdapter().getInstance())
  SwaggerModule.setup('docs', app, openApiDocument(app), { jsonDocumentUrl: 'docs/openapi.json', raw: ['json'] })
  app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true })
  await app.listen(port, host)
  const { port: given } = app.getHttpServer().address() as AddressInfo
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${given}`, close: () => app.close() }
}
