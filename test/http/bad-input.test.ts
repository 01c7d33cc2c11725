import net from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Client, Reply } from '../support/client.js'
import { costing, Edge, type Folder, temporaryData } from './edge.js'

let folder: Folder
let edge: Edge
let emitter: Client

beforeAll(async () => {
  folder = temporaryData()
  edge = await Edge.open(folder.path)
  await edge.policy({ id: 'units' })
  await edge.policy({ id: 'datasets', scope: ['dataset'], match: { purpose: 'training' } })
  emitter = await edge.as('emitter', 'trainer')
})

afterAll(async () => {
  await edge.close()
  folder.remove()
})

const spend = (more: object = {}) =>
  JSON.stringify({ id: 'bad', unit: 'u', purpose: 'billing', ...costing('0.1'), ...more })
const withEpsilon = (epsilon: string) => `{"id":"bad","unit":"u","mechanism":"declared_pure","epsilon":${epsilon}}`
const units = (count: number) => Array.from({ length: count }, (_, index) => `u${index}`)
const nested = (levels: number) => `{"id":"bad","clipping":${'['.repeat(levels)}${']'.repeat(levels)}}`

/** What is sent to POST /v1/spends, and the status and code that it gets. */
const BODIES: readonly (readonly [name: string, body: string, status: number, code: string])[] = [
  ['NaN as a string', spend({ epsilon: 'NaN' }), 422, 'INVALID_NUMBER'],
  ['NaN bare', withEpsilon('NaN'), 400, 'MALFORMED'],
  ['Infinity', spend({ epsilon: 'Infinity' }), 422, 'INVALID_NUMBER'],
  ['a negative number', spend({ epsilon: -1 }), 422, 'OUT_OF_RANGE'],
  ['a negative string', spend({ epsilon: '-1' }), 422, 'OUT_OF_RANGE'],
  ['minus zero', withEpsilon('-0'), 422, 'INVALID_NUMBER'],
  ['1e400', withEpsilon('1e400'), 422, 'INVALID_NUMBER'],
  ['1e400 as a string', spend({ epsilon: '1e400' }), 422, 'INVALID_NUMBER'],
  ['1e-5000', spend({ epsilon: '1e-5000' }), 422, 'INVALID_NUMBER'],
  ['1e-31', spend({ epsilon: '1e-31' }), 422, 'OUT_OF_RANGE'],
  ['61 digits', spend({ epsilon: `0.${'1'.repeat(61)}` }), 422, 'INVALID_NUMBER'],
  ['null as a number', spend({ epsilon: null }), 422, 'INVALID_NUMBER'],
  ['an unknown field', spend({ epsilom: '1' }), 422, 'INVALID'],
  ['__proto__', `{"__proto__":{"id":"x"},${spend().slice(1)}`, 422, 'INVALID'],
  ['constructor', spend({ constructor: { prototype: {} } }), 422, 'INVALID'],
  ['__proto__ inside', `{"clipping":{"__proto__":1},${spend().slice(1)}`, 422, 'INVALID'],
  ['a lone surrogate', `{"id":"bad","unit":"\\ud800",${spend().slice(23)}`, 422, 'INVALID'],
  ['a control character', spend({ unit: 'a\u0000b' }), 422, 'INVALID'],
  ['an empty name', spend({ unit: '' }), 422, 'INVALID'],
  ['a name of 257 bytes', spend({ unit: `${'é'.repeat(128)}x` }), 422, 'INVALID'],
  ['a unit that is a number', spend({ unit: 17 }), 422, 'INVALID'],
  ['a unit that is a list', spend({ unit: ['u'] }), 422, 'INVALID'],
  ['unit and units', spend({ units: ['u'] }), 422, 'INVALID'],
  ['no id', spend({ id: undefined }), 422, 'INVALID'],
  ['another relation', spend({ neighboring: 'replace_one' }), 422, 'RELATION_MISMATCH'],
  ['an unknown relation', spend({ neighboring: 'swap' }), 422, 'INVALID'],
  ['no unit', spend({ unit: undefined }), 422, 'ATTRIBUTE_REQUIRED'],
  ['no dataset where a guarantee needs it', spend({ purpose: 'training' }), 422, 'ATTRIBUTE_REQUIRED'],
  ['20,001 units', spend({ unit: undefined, units: units(20_001) }), 422, 'OUT_OF_RANGE'],
  ['a unit given twice', spend({ unit: undefined, units: ['a', 'b', 'a'] }), 422, 'INVALID'],
  ['no units', spend({ unit: undefined, units: [] }), 422, 'INVALID'],
  ['a count of 0', spend({ count: 0 }), 422, 'OUT_OF_RANGE'],
  ['a count above 10^12', spend({ count: '1000000000001' }), 422, 'OUT_OF_RANGE'],
  ['a count of one half', spend({ count: 0.5 }), 422, 'OUT_OF_RANGE'],
  ['an unknown mechanism', spend({ mechanism: 'magic' }), 422, 'UNSUPPORTED_MECHANISM'],
  ['sampling without its method', spend({ sampling: { probability: '0.1' } }), 422, 'UNSUPPORTED_SAMPLING'],
  [
    'more than 16 KiB',
    JSON.stringify({
      id: 'bad',
      unit: 'u',
      purpose: 'billing',
      dpEvent: { class_name: 'NoOpDpEvent', module_name: 'x'.repeat(17_000) },
    }),
    422,
    'OUT_OF_RANGE',
  ],
  ['50,000 nested brackets', nested(50_000), 422, 'INVALID'],
  ['50,000 open brackets', '['.repeat(50_000), 400, 'MALFORMED'],
  ['a list', '[]', 422, 'INVALID'],
  ['null', 'null', 422, 'INVALID'],
  ['truncated JSON', spend().slice(0, -5), 400, 'MALFORMED'],
  ['nothing', '', 400, 'MALFORMED'],
  ['a byte order mark', `\ufeff${spend()}`, 400, 'MALFORMED'],
  ['5 MB', JSON.stringify({ id: 'x'.repeat(5_000_000) }), 413, 'TOO_LARGE'],
]

test.each(BODIES)('%s is refused without a record', async (_, body, status, code) => {
  const before = edge.head
  const reply = await emitter.send('POST', '/v1/spends', body)
  expectProblem(reply, status, code)
  if (status === 422) expect(reply.body['errors'] ?? [{}]).not.toEqual([])
  expect(edge.head).toBe(before)
})

test.each(BODIES.filter(([, , status]) => status === 422))(
  '%s fails alone in a batch, with the same code',
  async (_, body, status, code) => {
    const before = edge.head
    const reply = await emitter.send<{ results: Record<string, unknown>[] }>(
      'POST',
      '/v1/spends/batch',
      `{"spends":[${body}]}`,
    )
    expect(reply.status).toBe(200)
    expect(reply.body.results).toEqual([expect.objectContaining({ status, code })])
    expect(edge.head).toBe(before)
  },
)

test('a body that is not UTF-8 is refused', async () => {
  const reply = await raw(Buffer.concat([Buffer.from('{"id":"'), Buffer.from([0xff]), Buffer.from('"}')]))
  expect(reply).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"MALFORMED"/)
})

test('the problem names the field by its JSON pointer, and the reader has to change that alone', async () => {
  const reply = await emitter.send(
    'POST',
    '/v1/spends',
    spend({ noise: { stream: 's', from: 5, to: 4 }, onExhausted: 'no' }),
  )
  expect(reply.body).toMatchObject({ status: 422, code: 'INVALID', errors: [{ pointer: '/onExhausted' }] })
})

test('everything that is wrong with the shape of a body is named at once', async () => {
  const reply = await emitter.post<{ errors: { pointer: string }[] }>('/v1/spends', {
    id: '',
    unit: 5,
    mechanism: 7,
    epsilon: 'x',
  })
  expect(reply.body.errors.map(({ pointer }) => pointer).sort()).toEqual(['/epsilon', '/id', '/mechanism', '/unit'])
})

/** Method, path, body and what comes back. */
const LONG_NAME = `/v1/units/${'x'.repeat(300)}/budgets`
const ENDLESS_NAME = `/v1/units/${'x'.repeat(9000)}/budgets`
const REQUESTS: readonly (readonly [string, string, string | undefined, number, string])[] = [
  ['GET', '/v1/nothing', undefined, 404, 'NOT_FOUND'],
  ['GET', '/v1/units/%ff/budgets', undefined, 400, 'MALFORMED'],
  ['GET', '/v1/units/%zz/budgets', undefined, 400, 'MALFORMED'],
  ['GET', '/v1/units/u/spends?limit=0', undefined, 422, 'INVALID'],
  ['GET', '/v1/units/u/spends?limit=1e3', undefined, 422, 'INVALID'],
  ['GET', '/v1/units/u/spends?limt=5', undefined, 422, 'INVALID'],
  ['GET', '/v1/units/u/spends?limit=1&limit=2', undefined, 422, 'INVALID'],
  ['GET', '/v1/records?from=-1', undefined, 422, 'INVALID'],
  ['GET', '/v1/records/99999', undefined, 404, 'NOT_FOUND'],
  ['GET', '/v1/records/x', undefined, 422, 'INVALID'],
  ['GET', '/v1/policies/none', undefined, 404, 'NOT_FOUND'],
  ['GET', '/v1/spends/none?source=trainer', undefined, 404, 'NOT_FOUND'],
  ['GET', '/v1/spends/none', undefined, 422, 'INVALID'],
  ['PUT', '/v1/spends', '{}', 405, 'METHOD_NOT_ALLOWED'],
  ['DELETE', '/v1/ledger', undefined, 405, 'METHOD_NOT_ALLOWED'],
  ['POST', '/v1/halt', '{"scope":{},"reason":"r"}', 422, 'INVALID'],
  ['POST', '/v1/halt', '{"scope":{"planet":"x"},"reason":"r"}', 422, 'INVALID'],
  ['POST', '/v1/halt', '{}', 422, 'INVALID'],
  ['POST', '/v1/resume', '{"reason":"r"}', 404, 'NOT_FOUND'],
  ['POST', '/v1/tokens', '{"role":"king","source":"s"}', 422, 'INVALID'],
  ['POST', '/v1/tokens', '{"role":"emitter","source":"s","expiresInDays":0}', 422, 'INVALID'],
  ['POST', '/v1/tokens', '{"role":"approver","source":"s"}', 403, 'FORBIDDEN'],
  ['DELETE', '/v1/tokens/none', undefined, 404, 'NOT_FOUND'],
  ['DELETE', '/v1/policies/none', undefined, 404, 'NOT_FOUND'],
]

test.each(REQUESTS)('%s %s %s is refused without a record', async (method, path, body, status, code) => {
  const before = edge.head
  const reply = await edge.operator.send(method, path, body)
  expectProblem(reply, status, code)
  expect(edge.head).toBe(before)
  if (status === 405) expect(reply.headers.allow).toMatch(/GET|POST/)
})

test('a name that is too long is refused, however long it is', async () => {
  expectProblem(await edge.operator.get(LONG_NAME), 422, 'INVALID')
  expectProblem(await edge.operator.get(ENDLESS_NAME), 400, 'MALFORMED')
})

test('a body of another type than JSON is 415', async () => {
  const reply = await emitter.send('POST', '/v1/spends', 'id=1', {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  expectProblem(reply, 415, 'UNSUPPORTED_MEDIA_TYPE')
})

test('what is no HTTP gets a problem document too', async () => {
  expect(await exchange('nonsense\r\n\r\n')).toMatch(
    /^HTTP\/1\.1 400 [\s\S]*application\/problem\+json[\s\S]*"code":"MALFORMED"/,
  )
})

test('after all of that the service decides as before', async () => {
  expect(
    (await emitter.post('/v1/spends', { id: 'good', unit: 'u', purpose: 'billing', ...costing('0.1') })).status,
  ).toBe(201)
})

const expectProblem = (reply: Reply, status: number, code: string): void => {
  expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/)
  expect(reply.body).toMatchObject({ status, code, type: `urn:epsilon-ledger:problem:${code}` })
  expect(reply.status).toBe(status)
  expect(reply.body['title']).toBeTruthy()
  expect(reply.body['detail']).toBeTruthy()
}

const raw = (body: Buffer): Promise<string> =>
  exchange(
    Buffer.concat([
      Buffer.from(
        `POST /v1/spends HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${emitter.token}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
      ),
      body,
    ]),
  )

/** Sends bytes as they are, and reads what comes back until the connection ends. */
const exchange = (bytes: string | Buffer): Promise<string> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(edge.url)
    const socket = net.connect(Number(port), hostname, () => socket.write(bytes))
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('end', () => resolve(text))
    socket.on('error', reject)
  })
