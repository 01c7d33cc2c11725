import { once } from 'node:events'
import { connect, type Settings } from 'node:http2'
import { ANY, binaryEvent, EventStoreDBClient, NO_STREAM } from '@eventstore/db-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KurrentDouble } from '../../support/kurrent/kurrent-double.js'
import { type Answered, RawCall } from './raw-call.js'
import { decodeAnswers, type Exchange, RECORDING, sentMessages } from './recording.js'

/** What the double does not answer, and why nobody needs it. */
const NOT_COVERED: Readonly<Record<string, string>> = {
  'subscribeToAll from END, then unsubscribe': 'the ledger follows its own stream, never all of them',
  'persistentSubscriptions.create': 'the ledger keeps its own place; the server keeps none for it',
  'persistentSubscriptions.read one event, ack': 'the same',
}

const SMALL_LIMIT = '(server --max-append-size 1024)'
const RUN = 'rmwq04s64'

let double: KurrentDouble
let small: KurrentDouble
let client: EventStoreDBClient
beforeAll(async () => {
  double = await KurrentDouble.start()
  small = await KurrentDouble.start({ maxAppendBytes: 1024 })
  client = EventStoreDBClient.connectionString(double.url)
})
afterAll(async () => {
  await client.dispose()
  await Promise.all([double.stop(), small.stop()])
})

const covered = RECORDING.entries.filter(({ name }) => NOT_COVERED[name] === undefined)

test('48 of the 51 recorded exchanges are replayed', () => {
  expect(RECORDING.server).toContain('23.10.8')
  expect(RECORDING.entries).toHaveLength(51)
  expect(covered).toHaveLength(48)
  expect(Object.values(NOT_COVERED).every((reason) => reason.length > 0)).toBe(true)
})

test('a connection takes a hundred calls at once, as with the real server', async () => {
  const session = connect(`http://127.0.0.1:${double.port}`)
  const [settings] = (await once(session, 'remoteSettings')) as [Settings]
  session.destroy()
  expect(settings.maxConcurrentStreams).toBe(100)
  expect(RECORDING.http2.serverSettings).toMatchObject({ maxConcurrentStreams: 100 })
})

/** What happened between the exchanges and was not recorded: first what stands before one, then what happens during it. */
const BEFORE: Readonly<Record<string, () => Promise<unknown>>> = {
  'setStreamMetadata maxCount 2': () => write('mc', [24, 25, 26, 27]),
  'read: stream fully truncated ($tb 100) from START': async () => {
    await write('tb', [28, 29])
    await client.setStreamMetadata(`tr-tb-${RUN}`, { truncateBefore: 100 })
  },
  'subscribe: START on existing with 2, then one live event, then unsubscribe': () => write('sub', [32, 33]),
  'delete: wrong expected version 0n': () => write('del', [36, 37]),
  'tombstone: ok ANY': () => write('ts', [40]),
}
const DURING: Readonly<Record<string, { readonly after: number; readonly act: () => Promise<unknown> }>> = {
  'subscribe: START on existing with 2, then one live event, then unsubscribe': {
    after: 4,
    act: () => write('sub', [34]),
  },
  'subscribe: START on non-existing, then one live event, then unsubscribe': {
    after: 1,
    act: () => write('subnone', [35]),
  },
}

const write = (stream: string, ids: readonly number[]) => {
  const events = ids.map((id) =>
    binaryEvent({ id: `00000000-0000-4000-8000-0000000000${id}`, type: 't', data: Buffer.from('aaaaaaaa') }),
  )
  const expectedRevision = ids.length === 1 ? ANY : NO_STREAM
  return client.appendToStream(`tr-${stream}-${RUN}`, events, { expectedRevision })
}

describe('answers as the real server did', () => {
  /** Where the real server put an event, and where the double did. */
  const positions: (readonly [real: bigint, ours: bigint])[] = []

  test.each(covered.map((exchange) => [exchange.name, exchange] as const))('%s', async (name, exchange) => {
    await BEFORE[name]?.()
    const answered = await replay(exchange)
    const real = decodeAnswers(exchange.method, base64(exchange.responseMessagesBase64))
    const ours = decodeAnswers(exchange.method, answered.messages)
    const { trailers, trailersOnly } = answered
    expect({ messages: ours.messages, trailers }).toEqual(expectedOf(exchange, real.messages))
    expect(trailersOnly).toBe(exchange.trailersOnly)
    for (const [at, position] of real.positions.entries()) positions.push([position, ours.positions[at] as bigint])
  })

  test('and stored all in the same order', () => {
    const inOrder = [...positions].sort(([a], [b]) => Number(a - b))
    for (const [at, [real, ours]] of inOrder.entries()) {
      const [realBefore, oursBefore] = inOrder[at - 1] ?? [-1n, -1n]
      expect(ours > oursBefore).toBe(real > realBefore)
      expect(ours < oursBefore).toBe(false)
    }
    expect(new Set(positions.map(([real]) => real)).size).toBe(21)
  })
})

/** What the real server answered, but for what the double does not have, and for the words of its library in one refusal. */
const expectedOf = ({ method, trailers }: Exchange, messages: readonly unknown[]) => ({
  messages: method.endsWith('/GetSupportedMethods') ? messages.map(withoutOtherServices) : messages,
  trailers:
    trailers?.['grpc-status'] === RESOURCE_EXHAUSTED
      ? { ...trailers, 'grpc-message': 'Received message larger than max (17825937 vs 16777216)' }
      : trailers,
})

const RESOURCE_EXHAUSTED = '8'

const withoutOtherServices = (message: unknown) => {
  const { methodsList, ...rest } = message as { methodsList: readonly { serviceName: string }[] }
  const services = /\.(?:streams|gossip|serverfeatures)$/
  return { ...rest, methodsList: methodsList.filter(({ serviceName }) => services.test(serviceName)) }
}

const base64 = (messages: readonly string[]): readonly Uint8Array[] =>
  messages.map((message) => Buffer.from(message, 'base64'))

const replay = async (exchange: Exchange): Promise<Answered> => {
  const { port } = exchange.name.includes(SMALL_LIMIT) ? small : double
  // In megabytes; one of the messages has 17.
  const session = connect(`http://127.0.0.1:${port}`, { maxSessionMemory: 100 })
  try {
    return await play(exchange, new RawCall(session, exchange.method, sentHeaders(exchange.requestHeaders)))
  } finally {
    session.destroy()
  }
}

const play = async (exchange: Exchange, call: RawCall): Promise<Answered> => {
  const { name, method, responseMessagesBase64, trailers } = exchange
  for (const message of sentMessages(exchange)) call.send(message)
  if (trailers !== null || !method.endsWith('/BatchAppend')) call.end()
  const during = DURING[name]
  if (during !== undefined) {
    await call.until(during.after)
    await during.act()
  }
  if (trailers !== null) return call.finished()
  await call.until(responseMessagesBase64.length)
  return call.cancel()
}

const sentHeaders = (headers: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(':')))
