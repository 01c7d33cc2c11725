import { createHash } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { Controller, Get } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AppModule } from '../../src/app.module.js'
import { NoTopics } from '../../src/application/topics.js'
import { httpAdapter } from '../../src/http/server.js'
import type { Client, Reply } from '../support/client.js'
import { costing, Edge, type Folder, temporaryData } from './edge.js'

let folder: Folder
let edge: Edge
const clients: Record<string, Client> = {}

beforeAll(async () => {
  folder = temporaryData()
  edge = await Edge.open(folder.path)
  await edge.policy({ id: 'units' })
  for (const role of ['emitter', 'auditor', 'operator', 'approver'] as const) clients[role] = await edge.as(role)
})

afterAll(async () => {
  await edge.close()
  folder.remove()
})

const READ = ['auditor', 'operator', 'approver']

/** Every route with the roles that may call it. */
const ROUTES: readonly (readonly [method: string, path: string, roles: readonly string[]])[] = [
  ['POST', '/v1/spends', ['emitter']],
  ['POST', '/v1/spends/batch', ['emitter']],
  ['POST', '/v1/spends/estimate', ['emitter']],
  ['GET', '/v1/spends/x', ['emitter', ...READ]],
  ['POST', '/v1/reservations', ['emitter']],
  ['POST', '/v1/reservations/x/settle', ['emitter']],
  ['POST', '/v1/reservations/x/release', ['emitter']],
  ['GET', '/v1/reservations?open', READ],
  ['POST', '/v1/reports', ['emitter']],
  ['POST', '/v1/policies', ['operator']],
  ['GET', '/v1/policies', READ],
  ['GET', '/v1/policies/x', READ],
  ['POST', '/v1/policies/x/approve', ['approver']],
  ['DELETE', '/v1/policies/x', ['operator']],
  ['GET', '/v1/units/u/budgets', READ],
  ['GET', '/v1/units/u/spends', READ],
  ['GET', '/v1/violations', READ],
  ['GET', '/v1/records', READ],
  ['GET', '/v1/records/0', READ],
  ['GET', '/v1/ledger', READ],
  ['POST', '/v1/halt', ['operator']],
  ['POST', '/v1/resume', ['operator']],
  ['GET', '/v1/topics', READ],
  ['POST', '/v1/topics/t/partitions/p/reset', ['operator']],
  ['POST', '/v1/topics/t/partitions/p/reset/approve', ['approver']],
  ['GET', '/v1/quarantine', READ],
  ['POST', '/v1/quarantine/0', ['operator']],
  ['POST', '/v1/quarantine/0/approve', ['approver']],
  ['POST', '/v1/clock/confirm', ['operator']],
  ['POST', '/v1/tokens', ['operator', 'approver']],
  ['GET', '/v1/tokens', READ],
  ['DELETE', '/v1/tokens/x', ['operator', 'approver']],
  ['GET', '/metrics', READ],
]

test.each(ROUTES)('%s %s is for its roles alone', async (method, path, roles) => {
  const body = method === 'POST' ? '{}' : undefined
  const before = edge.head
  expect((await edge.client(undefined).send(method, path, body)).status).toBe(401)
  for (const [role, client] of Object.entries(clients)) {
    const { status } = await client.send(method, path, body)
    if (roles.includes(role)) expect(status).not.toBe(403)
    else expect(status).toBe(403)
    expect(status).not.toBe(401)
  }
  expect(edge.head).toBe(before)
})

/** What stands for a parameter in a path above. */
const NAMED = { '/x': '/{id}', '/u/': '/{unit}/', '/0': '/{seq}', '/t/': '/{topic}/', '/p/': '/{partition}/' }

test('the document lists exactly these routes, and those without a token', async () => {
  const { body } = await edge.client(undefined).get<{ paths: Record<string, object> }>('/docs/openapi.json')
  const listed = Object.entries(body.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  const known = ROUTES.map(([method, path]) => `${method} ${path.split('?')[0]}`)
  const named = known.map((route) =>
    Object.entries(NAMED).reduce((path, [value, name]) => path.replace(value, name), route),
  )
  expect(listed.sort()).toEqual([...named, 'GET /health/live', 'GET /health/ready'].sort())
})

test('health and documents need no token', async () => {
  const nobody = edge.client(undefined)
  for (const path of ['/health/live', '/health/ready', '/docs', '/docs/openapi.json']) {
    expect((await nobody.get(path)).status).toBe(200)
  }
})

test('what is not a good token is 401 with its challenge, and leaves a line that does not repeat it', async () => {
  const secrets = ['wrong', 'x'.repeat(43), '', 'a b', `${clients['auditor']?.token}x`]
  for (const secret of secrets) {
    const reply = await edge.client(secret).get('/v1/ledger')
    expect(reply.body).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' })
    expect(reply.headers['www-authenticate']).toBe('Bearer')
  }
  const basic = await edge.client(undefined).get('/v1/ledger', { headers: { authorization: 'Basic eDp5' } })
  expect(basic.status).toBe(401)
  const log = edge.log.join('')
  expect(log).toMatch(/UNAUTHENTICATED GET \/v1\/ledger/)
  for (const secret of secrets.filter((text) => text.length > 5)) expect(log).not.toContain(secret)
})

test('a token is shown once, and the log holds its SHA-256 alone', async () => {
  const made = await edge.operator.post<{ id: string; token: string }>('/v1/tokens', {
    role: 'auditor',
    source: 'audit',
  })
  expect(made.status).toBe(201)
  expect(made.body).toMatchObject({ role: 'auditor', source: 'audit', expiresAt: null, receipt: { seq: edge.head } })
  expect(Buffer.from(made.body.token, 'base64url')).toHaveLength(32)
  const record = await edge.operator.get(`/v1/records/${edge.head}`)
  expect(record.text).toContain(createHash('sha256').update(made.body.token).digest('hex'))
  const listed = await edge.operator.get('/v1/tokens')
  expect(listed.text).toContain(made.body.id)
  for (const text of [record.text, listed.text]) expect(text).not.toContain(made.body.token)
})

test('a revoked token ends at once', async () => {
  const made = await edge.operator.post<{ id: string; token: string }>('/v1/tokens', {
    role: 'auditor',
    source: 'gone',
  })
  const client = edge.client(made.body.token)
  expect((await client.get('/v1/ledger')).status).toBe(200)
  expect((await edge.operator.send('DELETE', `/v1/tokens/${made.body.id}`)).body).toMatchObject({
    id: made.body.id,
    revoked: true,
  })
  expect((await client.get('/v1/ledger')).status).toBe(401)
})

/** What was asked while an append was under way, after the guard had let it pass, and before it was decided. */
const decidedAfter = async (change: () => Promise<unknown>, ask: () => Promise<Reply>): Promise<Reply> => {
  const { store } = edge.service
  const append = store.append.bind(store)
  let goOn = (): void => undefined
  const held = new Promise<void>((resolve) => (goOn = resolve))
  store.append = async (...batch) => {
    await held
    return append(...batch)
  }
  try {
    const changed = change()
    await waiting(1, changed)
    const asked = ask()
    await waiting(2, asked)
    goOn()
    await changed
    return await asked
  } finally {
    goOn()
    store.append = append
  }
}

/** Resolves when so many commands wait, or when one was answered without waiting: then the test finds another answer. */
const waiting = async (commands: number, reply: Promise<unknown>): Promise<void> => {
  const answered = reply.then(() => true)
  while (edge.service.waiting() < commands && !(await Promise.race([answered, setTimeout(1, false)])));
}

const LATE: readonly (readonly [what: string, path: string, body: object])[] = [
  ['a spend', '/v1/spends', { id: 'late', unit: 'u', ...costing('0.1') }],
  ['a report', '/v1/reports', { id: 'late', unit: 'u', ...costing('0.1') }],
  ['a reservation', '/v1/reservations', { id: 'late', unit: 'u', expiresInSeconds: 60, ...costing('0.1') }],
  ['the repeat of an answered spend', '/v1/spends', { id: 'early', unit: 'u', ...costing('0.1') }],
]

test.each(LATE)('%s whose token is revoked before it is decided is 401, and not recorded', async (_, path, body) => {
  const made = await edge.operator.post<{ id: string; token: string }>('/v1/tokens', {
    role: 'emitter',
    source: 'late',
  })
  const client = edge.client(made.body.token)
  await client.post('/v1/spends', { id: 'early', unit: 'u', ...costing('0.1') })
  const before = edge.head
  const reply = await decidedAfter(
    () => edge.operator.send('DELETE', `/v1/tokens/${made.body.id}`),
    () => client.post(path, body),
  )
  expect(reply.body).toMatchObject({ status: 401, code: 'UNAUTHENTICATED', detail: expect.stringContaining('revoked') })
  expect(reply.headers).toMatchObject({
    'www-authenticate': 'Bearer',
    'content-type': expect.stringContaining('application/problem+json'),
  })
  expect(edge.head).toBe(before + 1)
})

test("every item of a batch whose token is revoked before it is decided is 401, and an operator's command too", async () => {
  const made = await edge.operator.post<{ id: string; token: string }>('/v1/tokens', { role: 'emitter', source: 'b' })
  const client = edge.client(made.body.token)
  const batch = await decidedAfter(
    () => edge.operator.send('DELETE', `/v1/tokens/${made.body.id}`),
    () => client.post('/v1/spends/batch', { spends: ['1', '2'].map((id) => ({ id, unit: 'u', ...costing('0.1') })) }),
  )
  const denied = { status: 401, code: 'UNAUTHENTICATED' }
  expect(batch).toMatchObject({ status: 200, body: { results: [denied, denied] } })
  const other = await edge.operator.post<{ id: string; token: string }>('/v1/tokens', { role: 'operator', source: 'o' })
  const second = edge.client(other.body.token)
  const before = edge.head
  const halt = await decidedAfter(
    () => edge.operator.send('DELETE', `/v1/tokens/${other.body.id}`),
    () => second.post('/v1/halt', { reason: 'too late' }),
  )
  expect(halt.body).toMatchObject(denied)
  expect(halt.headers['www-authenticate']).toBe('Bearer')
  expect(edge.head).toBe(before + 1)
})

test('a token lasts as many days as it was given', async () => {
  const { body } = await edge.operator.post<{ expiresAt: string }>('/v1/tokens', {
    role: 'emitter',
    source: 's',
    expiresInDays: 2,
  })
  const days = (Date.parse(body.expiresAt) - Date.now()) / 86_400_000
  expect(days).toBeGreaterThan(1.99)
  expect(days).toBeLessThanOrEqual(2)
})

test('a token opens everything of its role until the instant at which it expires, by the clock of the records', async () => {
  const { body } = await edge.operator.post<{ token: string; expiresAt: string }>('/v1/tokens', {
    role: 'auditor',
    source: 's',
    expiresInDays: 1,
  })
  const client = edge.client(body.token)
  const { service } = edge
  const { at } = service
  const statusAt = async (instant: string) => {
    service.at = () => instant
    try {
      return (await client.get('/v1/ledger')).status
    } finally {
      service.at = at
    }
  }
  expect(await statusAt(new Date(Date.parse(body.expiresAt) - 1).toISOString())).toBe(200)
  expect(await statusAt(body.expiresAt)).toBe(401)
})

test('approvers make approvers, operators all others', async () => {
  const cases = [
    [edge.operator, 'approver', 403],
    [edge.operator, 'operator', 201],
    [edge.approver, 'approver', 201],
    [edge.approver, 'emitter', 403],
  ] as const
  for (const [client, role, status] of cases) {
    expect((await client.post('/v1/tokens', { role, source: 's' })).status).toBe(status)
  }
})

test('HEAD is for those who may GET', async () => {
  const statusAs = async (token: string | undefined): Promise<number> =>
    (await fetch(`${edge.url}/v1/ledger`, { method: 'HEAD', headers: { authorization: `Bearer ${token}` } })).status
  expect(await statusAs('wrong')).toBe(401)
  expect(await statusAs(clients['emitter']?.token)).toBe(403)
  expect(await statusAs(clients['auditor']?.token)).toBe(200)
})

@Controller('v1/forgotten')
class Forgotten {
  @Get()
  read(): object {
    return {}
  }
}

test('a route that does not say who may call it is closed to everybody', async () => {
  const module = {
    module: class {},
    imports: [AppModule.around(edge.service, new NoTopics())],
    controllers: [Forgotten],
  }
  const app = await NestFactory.create<NestFastifyApplication>(module, httpAdapter(), {
    logger: false,
    bodyParser: false,
  })
  await app.init()
  const server = app.getHttpAdapter().getInstance()
  await server.ready()
  const statusAs = async (token: string | undefined): Promise<number> =>
    (await server.inject({ method: 'GET', url: '/v1/forgotten', headers: { authorization: `Bearer ${token}` } }))
      .statusCode
  expect(await statusAs('wrong')).toBe(401)
  for (const { token } of Object.values(clients)) expect(await statusAs(token)).toBe(403)
})

test('reading appends nothing', async () => {
  await clients['emitter']?.post('/v1/spends', { id: 'one', unit: 'u', ...costing('0.1') })
  const before = edge.head
  for (const [method, path] of ROUTES) if (method === 'GET') await clients['auditor']?.get(path)
  expect(edge.head).toBe(before)
})
