import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openService } from '../../src/composition.js'
import { readConfiguration } from '../../src/configuration.js'
import { PROBLEMS } from '../../src/http/problem.js'
import { type Served, start } from '../../src/main.js'
import { onOneDay } from '../support/midnight.js'
import { codeIn, pretty, readPage, sectionNamed, tableRows } from './markdown.js'
import { steady } from './steady.js'

interface Operation {
  readonly security: readonly Readonly<Record<string, unknown>>[]
  readonly requestBody?: unknown
  readonly parameters?: readonly { readonly in: string }[]
  readonly responses: Readonly<Record<string, { readonly description: string }>>
}

let data: string
let served: Served
let tokens: Record<string, string>
let operations: ReadonlyMap<string, Operation>

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), 'epsilon-ledger-docs-'))
  const service = await openService(readConfiguration({}, { data }))
  served = await start({ service, host: '127.0.0.1', port: 0, log: () => undefined })
  const secret = (name: string): string => readFileSync(join(data, `${name}.token`), 'utf8').trim()
  tokens = { operator: secret('operator'), approver: secret('approver'), auditor: secret('operator') }
  const document = (await (await fetch(`${served.url}/docs/openapi.json`)).json()) as {
    paths: Record<string, Record<string, Operation>>
  }
  operations = new Map(
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation]),
    ),
  )
})

afterAll(async () => {
  await served.close()
  rmSync(data, { recursive: true })
})

const PAGE = readPage('api.md')
const ROUTES = tableRows(sectionNamed(PAGE, 2, 'Routes').text)
  .filter((cells) => cells.length === 4)
  .map(([route = '', roles = '', success = '', own = '']) => ({
    route: codeIn(route),
    roles: roles.split(', '),
    success: success.split(', '),
    own: codesIn(own),
  }))
const KINDS = tableRows(sectionNamed(PAGE, 3, 'Codes of every kind').text).map(([, codes = '']) => codesIn(codes))

function codesIn(text: string): readonly string[] {
  return [...text.matchAll(/`([A-Z_]+)`/g)].map((match) => match[1] ?? '')
}

test('the page has every route of the OpenAPI document, and no other', () => {
  expect(ROUTES.map(({ route }) => route).sort()).toEqual([...operations.keys()].sort())
})

test.each(ROUTES)(
  'roles, success and codes of $route are those of the OpenAPI document',
  ({ route, roles, success, own }) => {
    const operation = operations.get(route) as Operation
    const named = operation.security.flatMap((one) => Object.keys(one))
    expect(roles).toEqual(named.length === 0 ? ['anyone'] : named)
    const statuses = Object.keys(operation.responses)
    expect(success).toEqual(statuses.filter((status) => status.startsWith('2')))
    const codes = statuses.flatMap((status) => codesIn(operation.responses[status]?.description ?? ''))
    const [every = [], withToken = [], withName = [], withBody = []] = KINDS
    const ofKind = [
      ...every,
      ...(named.length === 0 ? [] : withToken),
      ...(operation.parameters?.some((parameter) => parameter.in === 'path') ? withName : []),
      ...(operation.requestBody === undefined ? [] : withBody),
    ]
    expect([...new Set([...ofKind, ...own])].sort()).toEqual([...codes].sort())
  },
)

test('the table of codes has every code of the program with its status, and no other', () => {
  const rows = tableRows(sectionNamed(PAGE, 2, 'Codes, in order of precedence').text)
  const documented = rows.map(([, code = '', status = '']) => [codeIn(code), Number(status)])
  expect(documented.sort()).toEqual(
    Object.entries(PROBLEMS)
      .map(([code, [status]]) => [code, status])
      .sort(),
  )
})

const OF_TOPICS: Readonly<Record<string, string>> = {
  epsilon_topic_lag: 'partition=""',
  epsilon_topic_running: 'partition=""',
  epsilon_publish_lag: 'topic=""',
}

test('the table of metrics has every metric of the program with its type, labels and meaning, and no other', async () => {
  await ask('anyone', 'GET', '/health/live', undefined)
  const text = await (await ask('operator', 'GET', '/metrics', undefined)).text()
  const named = (name: string): string => new RegExp(`^# HELP ${name} (.*)$`, 'm').exec(text)?.[1] ?? ''
  const labels = (name: string): string => {
    // Without brokers these have no values, and a metric without values shows no labels.
    const sample = OF_TOPICS[name] ?? new RegExp(`^${name}(?:_count)?\\{(.*)\\} `, 'm').exec(text)?.[1] ?? ''
    return [...sample.matchAll(/(\w+)="/g)].map(([, label]) => `\`${label}\``).join(', ')
  }
  const metrics = [...text.matchAll(/^# TYPE (epsilon_\w+) (\w+)$/gm)].map(([, name = '', type = '']) => [
    `\`${name}\``,
    type,
    labels(name),
    named(name),
  ])
  const section = sectionNamed(PAGE, 3, 'GET /metrics').text
  expect([...tableRows(section)].sort()).toEqual(metrics.sort())
  for (const [, name] of section.matchAll(/`((?:process|nodejs)_\w+)`/g)) expect(named(name ?? '')).not.toBe('')
})

interface Exchange {
  readonly role: string
  readonly method: string
  readonly path: string
  readonly body: string | undefined
  readonly status: string
  readonly answer: string
}

/** Requests with the answers that follow them, in the order of the page. */
const exchanges = (): readonly Exchange[] =>
  [...PAGE.matchAll(/^```http (\w+)\n(\w+) (.*)\n(?:\n([\s\S]*?))?^```\n\n```json (\d+)\n([\s\S]*?)^```$/gm)].map(
    ([, role = '', method = '', path = '', body, status = '', answer = '']) => ({
      role,
      method,
      path,
      body,
      status,
      answer: answer.trimEnd(),
    }),
  )

test('every request in the page gets the answer in the page', async () => {
  await onOneDay(20_000)
  const played = exchanges()
  expect(played.length).toBe([...PAGE.matchAll(/^```http /gm)].length)
  let page = PAGE
  let lastId = ''
  const wrong: string[] = []
  for (const exchange of played) {
    const path = exchange.path.replace('<id of the last token>', lastId)
    const reply = await ask(exchange.role, exchange.method, path, exchange.body)
    const answer = (await reply.json()) as Record<string, unknown>
    if (exchange.path === '/v1/tokens' && exchange.method === 'POST') {
      lastId = answer['id'] as string
      tokens[answer['role'] as string] = answer['token'] as string
      if (answer['role'] === 'auditor') tokens['auditor'] = tokens['operator'] as string
    }
    const shown = pretty(steady(answer))
    if (String(reply.status) !== exchange.status) wrong.push(`${exchange.method} ${path}: ${reply.status} ${shown}`)
    if (shown !== exchange.answer)
      wrong.push(`${exchange.method} ${path}: the page shows\n${exchange.answer}\nbut the answer is\n${shown}`)
    const request = `\`\`\`http ${exchange.role}\n${exchange.method} ${exchange.path}\n${exchange.body === undefined ? '' : `\n${exchange.body}`}\`\`\`\n\n\`\`\`json ${exchange.status}\n`
    const old = exchange.answer === '' ? '' : `${exchange.answer}\n`
    page = page.replace(`${request}${old}\`\`\``, () => `${request}${shown}\n\`\`\``)
  }
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync('docs/api.md', page)
  else expect(wrong).toEqual([])
})

const ask = (role: string, method: string, path: string, body: string | undefined, headers = {}): Promise<Response> =>
  fetch(served.url + path, {
    method,
    headers: {
      ...(role === 'anyone' ? {} : { authorization: `Bearer ${tokens[role]}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  })

test.each([
  ['an unknown path, without a token', 'anyone', 'GET', '/v1/nothing', undefined, {}, 'NOT_FOUND'],
  ['a wrong method, without a token', 'anyone', 'PUT', '/v1/spends', '{}', {}, 'METHOD_NOT_ALLOWED'],
  [
    'a wrong content type, without a token',
    'anyone',
    'POST',
    '/v1/spends',
    'x',
    { 'content-type': 'text/plain' },
    'UNAUTHENTICATED',
  ],
  ['no JSON, without a token', 'anyone', 'POST', '/v1/spends', '{', {}, 'UNAUTHENTICATED'],
  ['no JSON, with a token of another role', 'operator', 'POST', '/v1/spends', '{', {}, 'FORBIDDEN'],
  [
    'a wrong content type for what is no JSON',
    'emitter',
    'POST',
    '/v1/spends',
    '{',
    { 'content-type': 'text/plain' },
    'UNSUPPORTED_MEDIA_TYPE',
  ],
  ['no JSON', 'emitter', 'POST', '/v1/spends', '{', {}, 'MALFORMED'],
  ['an unknown field, without a token', 'anyone', 'POST', '/v1/spends', '{"x":1}', {}, 'UNAUTHENTICATED'],
  ['an unknown field, with a token of another role', 'operator', 'POST', '/v1/spends', '{"x":1}', {}, 'FORBIDDEN'],
  [
    'an unknown field in a repeat',
    'emitter',
    'POST',
    '/v1/spends',
    '{"id":"weekly-42","unit":"u-17","mechanism":"no_op","x":1}',
    {},
    'INVALID',
  ],
  [
    'a used id without a required attribute',
    'emitter',
    'POST',
    '/v1/spends',
    '{"id":"weekly-42","mechanism":"no_op"}',
    {},
    'IDEMPOTENCY_CONFLICT',
  ],
  [
    'no unit under another relation',
    'emitter',
    'POST',
    '/v1/spends',
    '{"id":"p-1","mechanism":"no_op","neighboring":"replace_one"}',
    {},
    'ATTRIBUTE_REQUIRED',
  ],
  [
    'another relation for a cost beyond the cap',
    'emitter',
    'POST',
    '/v1/spends',
    '{"id":"p-2","unit":"u","mechanism":"laplace","noiseMultiplier":"0.01","neighboring":"replace_one"}',
    {},
    'RELATION_MISMATCH',
  ],
  [
    'a delta in a reservation beyond the cap',
    'emitter',
    'POST',
    '/v1/reservations',
    '{"id":"p-3","unit":"u","mechanism":"declared_approx","epsilon":"9","delta":"0.1","expiresInSeconds":1}',
    {},
    'DELTA_NOT_RESERVABLE',
  ],
] as const)(
  'of several problems the first in the table is answered: %s',
  async (_, role, method, path, body, headers, code) => {
    const reply = await ask(role, method, path, body, headers)
    expect(((await reply.json()) as { code: string }).code).toBe(code)
  },
)
