import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest'
import type { Client } from '../support/client.js'
import { Service } from '../support/service.js'
import { HERE, type Judge, promtool, redocly, run, schemathesis } from './judges.js'

interface Judged {
  readonly service: Service
  readonly operator: Client
}

/** A ledger with two policies. Each judge has its own: an operator may halt everything. */
const prepared = async (): Promise<Judged> => {
  const service = await Service.start()
  const operator = await service.as('operator')
  const terms = { neighboring: 'add_or_remove_one', window: 'lifetime', role: 'guarantee', delta: '0.5' }
  for (const policy of [
    { id: 'sources', scope: ['source'], metric: 'approx', epsilon: '4000', ...terms },
    { id: 'units', scope: ['unit'], metric: 'zcdp', epsilon: '30', ...terms, role: 'quota', window: 'day' },
  ]) {
    expect((await operator.post('/v1/policies', policy)).status).toBe(201)
  }
  return { service, operator }
}

let service: Service
let operator: Client

beforeAll(async () => {
  const ledger = await prepared()
  service = ledger.service
  operator = ledger.operator
})

afterAll(() => service.remove())

test('redocly finds nothing in the OpenAPI document', async (context) => {
  const command = present(redocly(), context)
  const document = join(service.data, 'openapi.json')
  writeFileSync(document, (await operator.get('/docs/openapi.json')).text)
  const { code, output } = await run(command, ['lint', document, '--config', join(HERE, 'redocly.yaml')])
  expect(code, output).toBe(0)
})

test('redocly finds nothing in the AsyncAPI document', async (context) => {
  const command = present(redocly(), context)
  const document = join(process.cwd(), 'docs/asyncapi.yaml')
  const { code, output } = await run(command, ['lint', document, '--config', join(HERE, 'redocly-topics.yaml')])
  expect(code, output).toBe(0)
})

test('promtool finds nothing in the metrics', async (context) => {
  const command = present(promtool(), context)
  const { text } = await operator.get('/metrics')
  const { code, output } = await run(command, ['check', 'metrics'], text)
  expect(code, output).toBe(0)
})

const EMITTED = '^/v1/(spends|reports|reservations)'
/** What emitters may not read. */
const RESERVATIONS = ['--include-operation-id', 'Reservations_list']

describe.concurrent('schemathesis finds nothing, with every check', () => {
  test('as an emitter, over what emitters call', async (context) => {
    await judged(context, 'emitter', ['--include-path-regex', EMITTED])
  })

  test('as an approver, over approvals and the list of reservations', async (context) => {
    await judged(context, 'approver', ['--include-path-regex', '/approve$', ...RESERVATIONS])
  })

  test('as an operator, over all else', async (context) => {
    await judged(context, 'operator', ['--exclude-path-regex', EMITTED])
  })
})

const judged = async (
  context: TestContext,
  role: 'emitter' | 'operator' | 'approver',
  selection: readonly string[],
): Promise<void> => {
  const command = present(schemathesis(), context)
  const { service } = await prepared()
  const token =
    role === 'emitter' ? await service.createToken('emitter', 'tester') : ((await service.as(role)).token ?? '')
  const { code, output } = await run(command, [
    ...['--config-file', join(HERE, 'schemathesis.toml'), 'run', `${service.url}/docs/openapi.json`],
    ...['--header', `Authorization: Bearer ${token}`, '--exclude-checks', 'unsupported_method'],
    ...['--max-examples', '20', '--seed', process.env['SEED'] ?? '1', '--continue-on-failure'],
    ...['--generation-database', 'none', ...selection],
  ]).finally(() => service.remove())
  expect(code, output).toBe(0)
}

/** The judge's command; without it the test is skipped, or fails where everything is required. */
const present = (judge: Judge, context: TestContext): string => {
  if ('command' in judge) return judge.command
  if (process.env['REQUIRE_ALL'] === '1') throw new Error(judge.missing)
  return context.skip(judge.missing)
}
