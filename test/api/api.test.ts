import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest'
import type { Client } from '../support/client.js'
import { Service } from '../support/service.js'
import { HERE, type Judge, promtool, redocly, run, schemathesis } from './judges.js'

let service: Service
let operator: Client

beforeAll(async () => {
  service = await Service.start()
  operator = await service.as('operator')
  const terms = { neighboring: 'add_or_remove_one', window: 'lifetime', role: 'guarantee', delta: '0.5' }
  for (const policy of [
    { id: 'sources', scope: ['source'], metric: 'approx', epsilon: '4000', ...terms },
    { id: 'units', scope: ['unit'], metric: 'zcdp', epsilon: '30', ...terms, role: 'quota', window: 'day' },
  ]) {
    expect((await operator.post('/v1/policies', policy)).status).toBe(201)
  }
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

test('schemathesis finds nothing as an emitter: every check, over what emitters call', async (context) => {
  await judged(context, await service.createToken('emitter', 'tester'), ['--include-path-regex', EMITTED])
})

test('schemathesis finds nothing as an approver: every check, over all else', async (context) => {
  const approver = await service.as('approver')
  await judged(context, approver.token ?? '', ['--include-path-regex', '/approve$'])
})

// Last, since an operator may halt everything.
test('schemathesis finds nothing as an operator: every check, over all else', async (context) => {
  await judged(context, operator.token ?? '', ['--exclude-path-regex', '^/v1/(spends|reports)'])
})

const judged = async (context: TestContext, token: string, selection: readonly string[]): Promise<void> => {
  const command = present(schemathesis(), context)
  const { code, output } = await run(command, [
    ...['--config-file', join(HERE, 'schemathesis.toml'), 'run', `${service.url}/docs/openapi.json`],
    ...['--header', `Authorization: Bearer ${token}`, '--exclude-checks', 'unsupported_method'],
    ...[
      '--max-examples',
      '20',
      '--seed',
      process.env['SEED'] ?? '1',
      '--continue-on-failure',
      '--generation-database',
      'none',
      ...selection,
    ],
  ])
  expect(code, output).toBe(0)
}

/** The judge's command; without it the test is skipped, or fails where everything is required. */
const present = (judge: Judge, context: TestContext): string => {
  if ('command' in judge) return judge.command
  if (process.env['REQUIRE_ALL'] === '1') throw new Error(judge.missing)
  return context.skip(judge.missing)
}
