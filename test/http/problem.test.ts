import 'reflect-metadata'
import type { AddressInfo } from 'node:net'
import { Controller, Get, Param } from '@nestjs/common'
import { APP_FILTER } from '@nestjs/core'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { Test } from '@nestjs/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ProblemFilter } from '../../src/http/problem.filter.js'
import { httpAdapter } from '../../src/http/server.js'
import { StderrLogger } from '../../src/http/stderr-logger.js'
import { LedgerError } from '../../src/ledger/errors.js'
import { Client } from '../support/client.js'

const SECRET = 'disk 7 is on fire'

const ERRORS: Readonly<Record<string, Error>> = {
  uncertain: new LedgerError('APPEND_UNCERTAIN', `records 5 to 6: ${SECRET}`, { retry: 'after-restart' }),
  stopping: new LedgerError('SHUTTING_DOWN', SECRET, { retry: 'now' }),
  busy: new LedgerError('BUSY', '50000 commands wait', { retry: 'now', hint: 'Try again.' }),
  unreadable: new LedgerError('STORE_UNREADABLE', SECRET, { retry: 'after-restart' }),
  large: new LedgerError('RECORD_TOO_LARGE', 'record 5 would have 70000 bytes', { retry: 'never' }),
  defect: new TypeError(SECRET),
}

@Controller()
class FailingController {
  @Get('fails/:how')
  fail(@Param('how') how: string): never {
    throw ERRORS[how] ?? new Error(how)
  }
}

const log: string[] = []
let app: NestFastifyApplication
let client: Client

beforeAll(async () => {
  const providers = [{ provide: APP_FILTER, useClass: ProblemFilter }]
  const module = await Test.createTestingModule({ controllers: [FailingController], providers }).compile()
  module.useLogger(new StderrLogger((line) => log.push(line)))
  app = module.createNestApplication<NestFastifyApplication>(httpAdapter(), { bodyParser: false })
  await app.listen(0, '127.0.0.1')
  client = new Client(`http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`, undefined)
})

afterAll(async () => {
  client.close()
  await app.close()
})

test.each([
  ['uncertain', 503, 'APPEND_UNCERTAIN'],
  ['stopping', 503, 'SHUTTING_DOWN'],
  ['busy', 503, 'BUSY'],
  ['unreadable', 503, 'NOT_READY'],
  ['large', 422, 'INVALID'],
  ['defect', 500, 'INTERNAL'],
] as const)(
  'an operating error (%s) is a problem document, and its inside stays in the log',
  async (how, status, code) => {
    log.length = 0
    const reply = await client.get(`/fails/${how}`)
    expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(reply.body).toMatchObject({ status, code, type: `urn:epsilon-ledger:problem:${code}` })
    expect(reply.status).toBe(status)
    expect(reply.headers['retry-after']).toBe(status === 503 ? '1' : undefined)
    expect(reply.text).not.toContain(SECRET)
    expect(reply.text).not.toMatch(/\.[jt]s:\d/)
    const { message } = ERRORS[how] as Error
    expect(log.join('')).toContain(JSON.stringify(message).slice(1, -1))
  },
)
