import net from 'node:net'
import fastify from 'fastify'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { MOST_BODY_BYTES } from '../../src/application/json-text.js'
import { handleUnreadBodies } from '../../src/http/unread-body.js'
import { costing, Edge, type Folder, temporaryData } from './edge.js'

let folder: Folder
let edge: Edge
let emitter: string

beforeAll(async () => {
  folder = temporaryData()
  edge = await Edge.open(folder.path)
  await edge.policy({ id: 'units' })
  emitter = String((await edge.as('emitter')).token)
})

afterAll(async () => {
  await edge.close()
  folder.remove()
})

/** A connection that keeps all that comes back. */
class Wire {
  text = ''
  readonly closed: Promise<void>
  readonly socket: net.Socket

  constructor(url: string) {
    const { hostname, port } = new URL(url)
    this.socket = net.connect(Number(port), hostname)
    this.socket.on('data', (chunk) => {
      this.text += chunk
    })
    this.socket.on('error', () => undefined)
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()))
    onTestFinished(() => void this.socket.destroy())
  }

  /** Resolves when so many answers have come. */
  async answers(count: number): Promise<readonly string[]> {
    for (;;) {
      const found = this.text.match(/HTTP\/1\.1 \d{3}[\s\S]*?\r\n\r\n(?:\{[^\r]*\})?/g) ?? []
      if (found.length >= count && !this.text.endsWith('\r\n\r\n')) return found
      await new Promise((resolve) => this.socket.once('data', resolve))
    }
  }
}

const head = (method: string, path: string, token: string | undefined, ...lines: readonly string[]): string =>
  [
    `${method} ${path} HTTP/1.1`,
    'host: x',
    ...(token === undefined ? [] : [`authorization: Bearer ${token}`]),
    ...lines,
  ]
    .map((line) => `${line}\r\n`)
    .join('')
    .concat('\r\n')

const JSON_TYPE = 'content-type: application/json'
const LARGEST = `content-length: ${MOST_BODY_BYTES}`
const READ_LEDGER = '/v1/ledger'

/** Every request sends a head and the beginning of a body, and nothing more until it is answered. */
const EARLY: readonly (readonly [
  name: string,
  method: string,
  path: string,
  token: () => string | undefined,
  lines: readonly string[],
  status: number,
  code: string,
])[] = [
  ['no token', 'POST', '/v1/spends', () => undefined, [JSON_TYPE, LARGEST], 401, 'UNAUTHENTICATED'],
  ['a wrong token', 'POST', '/v1/spends', () => 'wrong', [JSON_TYPE, LARGEST], 401, 'UNAUTHENTICATED'],
  ['a token of another role', 'POST', '/v1/policies', () => emitter, [JSON_TYPE, LARGEST], 403, 'FORBIDDEN'],
  [
    'no token, and a body without its length',
    'POST',
    '/v1/spends',
    () => undefined,
    [JSON_TYPE, 'transfer-encoding: chunked'],
    401,
    'UNAUTHENTICATED',
  ],
  [
    'no token, and a body that is no JSON',
    'POST',
    '/v1/spends',
    () => undefined,
    ['content-type: text/plain', LARGEST],
    401,
    'UNAUTHENTICATED',
  ],
  [
    'no token, and a body that is too large',
    'POST',
    '/v1/spends',
    () => undefined,
    [JSON_TYPE, `content-length: ${MOST_BODY_BYTES * 9}`],
    401,
    'UNAUTHENTICATED',
  ],
  ['a path that nobody has', 'POST', '/v1/nothing', () => undefined, [JSON_TYPE, LARGEST], 404, 'NOT_FOUND'],
  [
    'a method that the path does not take',
    'PUT',
    '/v1/spends',
    () => undefined,
    [JSON_TYPE, LARGEST],
    405,
    'METHOD_NOT_ALLOWED',
  ],
]

test.each(EARLY)('%s is answered before the body has come', async (_, method, path, token, lines, status, code) => {
  const wire = new Wire(edge.url)
  wire.socket.write(`${head(method, path, token(), ...lines)}5\r\n{"id"`)
  const [answer] = await wire.answers(1)
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  expect(answer).toContain(`"code":"${code}"`)
})

test('a body that is no JSON is nobody’s business without a token', async () => {
  for (const body of ['{', '', '[[[', '\u0000']) {
    expect((await edge.client(undefined).send('POST', '/v1/spends', body)).body).toMatchObject({ status: 401 })
    expect((await edge.client(emitter).send('POST', '/v1/spends', body)).body).toMatchObject({ status: 400 })
  }
})

test('a body that was dropped leaves the connection as it was: the next request is answered', async () => {
  const wire = new Wire(edge.url)
  wire.socket.write(head('POST', '/v1/spends', 'wrong', JSON_TYPE, LARGEST))
  await wire.answers(1)
  wire.socket.write('x'.repeat(MOST_BODY_BYTES))
  wire.socket.write(head('GET', READ_LEDGER, edge.operator.token))
  const answers = await wire.answers(2)
  expect(answers.map((answer) => answer.slice(9, 12))).toEqual(['401', '200'])
})

/** A server that answers 401 before any body, and waits so long for the rest of one. */
const refusing = (lingerMs: number): Promise<string> => {
  const server = fastify()
  handleUnreadBodies(server, lingerMs)
  server.addHook('onRequest', (_request, reply) => void reply.code(401).send('{}'))
  server.post('/', () => 'read')
  onTestFinished(() => server.close())
  return server.listen({ host: '127.0.0.1', port: 0 })
}

test('a body that does not go on is not waited for', async () => {
  const wire = new Wire(await refusing(50))
  wire.socket.write(`${head('POST', '/', undefined, JSON_TYPE, LARGEST)}{"id"`)
  await wire.closed
  expect(wire.text).toMatch(/^HTTP\/1\.1 401 /)
})

test('a body without end is cut off, long before its time is over', async () => {
  const wire = new Wire(await refusing(3_600_000))
  wire.socket.write(head('POST', '/', undefined, JSON_TYPE, 'transfer-encoding: chunked'))
  const chunk = `${(65_536).toString(16)}\r\n${'x'.repeat(65_536)}\r\n`
  let sent = 0
  const flood = (): void => {
    sent += 65_536
    wire.socket.write(chunk, (error) => error ?? setImmediate(flood))
  }
  flood()
  await wire.closed
  expect(sent).toBeGreaterThanOrEqual(MOST_BODY_BYTES)
})

test('whoever asks before sending a body is told to go on with a good token alone', async () => {
  const body = JSON.stringify({ id: 'asked', unit: 'u', ...costing('0.1') })
  const lines = [JSON_TYPE, `content-length: ${body.length}`, 'expect: 100-continue']
  const refused = new Wire(edge.url)
  refused.socket.write(head('POST', '/v1/spends', 'wrong', ...lines))
  await refused.closed
  expect(refused.text).toMatch(/^HTTP\/1\.1 401 /)
  expect(refused.text).not.toContain('100 Continue')

  const admitted = new Wire(edge.url)
  admitted.socket.write(head('POST', '/v1/spends', emitter, ...lines))
  while (admitted.text === '') await new Promise((resolve) => admitted.socket.once('data', resolve))
  expect(admitted.text).toBe('HTTP/1.1 100 Continue\r\n\r\n')
  admitted.socket.write(body)
  expect((await admitted.answers(2))[1]).toMatch(/^HTTP\/1\.1 201 /)
})

test('nothing of this is a defect of ours', () => {
  expect(edge.log.join('')).not.toMatch(/INTERNAL|"level":"error"/)
})
