import { expect, test } from 'vitest'
import { ingestOf, REQUESTS } from '../../src/kafka/message.js'
import { messageCause } from '../../src/kafka/message-cause.js'
import { unaccountable } from '../../src/kafka/quarantined-message.js'
import type { ReceivedMessage } from '../../src/kafka/wire-message.js'
import { received, type Stored } from '../support/client-wire.js'
import { binary, dataOf, type Emitted, REPORT, SPEND, structured, withHeaders } from './emitted.js'

const TOPIC = 'epsilon.spends'
const causeOf = (message: ReceivedMessage) => messageCause(message, TOPIC, 3)
const fateOf = (stored: Stored, sources?: readonly string[]) => {
  const message = received(stored)
  return ingestOf(message, causeOf(message), sources && new Set(sources))
}

const BODY = { mechanism: 'laplace', noiseMultiplier: '10' }
const RESERVE: Emitted = { ...SPEND, type: 'epsilon.reserve.v1', data: { ...dataOf(SPEND), expiresInSeconds: 60 } }
const SETTLE: Emitted = { ...SPEND, type: 'epsilon.settle.v1', data: { reservation: 'train-7', count: 3 } }
const RELEASE: Emitted = { ...SPEND, type: 'epsilon.release.v1', data: { reservation: 'train-7', reason: 'cancelled' } }
const ASKING = [SPEND, RESERVE, SETTLE, RELEASE]

test.each([binary, structured])('each request of a %o event is the body over HTTP with the id of the event', (mode) => {
  for (const event of [SPEND, RESERVE, REPORT]) {
    const request = REQUESTS[event.type as keyof typeof REQUESTS]
    const wire = { ...dataOf(event), id: event.id }
    expect(fateOf(mode(event))).toEqual({ request, source: 'trainer', wire, cause: causeOf(received(mode(event))) })
  }
})

test('what closes a reservation names it; the id of the event is nothing but the message', () => {
  expect(fateOf(binary(SETTLE))).toMatchObject({
    request: 'settle',
    source: 'trainer',
    id: 'train-7',
    wire: { count: 3 },
  })
  expect(fateOf(binary(RELEASE))).toMatchObject({ request: 'release', id: 'train-7', wire: { reason: 'cancelled' } })
  const settled = fateOf(binary({ ...SETTLE, data: { reservation: 'train-7', ...BODY } }))
  expect(settled).toMatchObject({ request: 'settle', wire: BODY })
  expect('wire' in settled && Object.keys(settled.wire)).toEqual(Object.keys(BODY))
})

test('a cause says where the message lies, and what it is', () => {
  const message = received(binary(SPEND, { offset: '9007199254740993' }))
  const digest = expect.stringMatching(/^[0-9a-f]{32}$/)
  const place = { kind: 'kafka', topic: TOPIC, partition: 3, offset: '9007199254740993', digest }
  const within = (context: object | undefined) =>
    messageCause({ ...message, batchContext: context } as ReceivedMessage, TOPIC, 3)
  expect(within(undefined)).toEqual(place)
  expect(within({ partitionLeaderEpoch: -1, inTransaction: false })).toEqual(place)
  expect(within({ partitionLeaderEpoch: 4, inTransaction: false })).toEqual({ ...place, leaderEpoch: 4 })
  expect(within({ partitionLeaderEpoch: 0, inTransaction: true })).toEqual({
    ...place,
    leaderEpoch: 0,
    transactional: true,
  })
})

test.each<[string, number, string, string | undefined, (event: Emitted) => Stored]>([
  ['MALFORMED', 400, 'no data', undefined, (event) => binary(event, { value: null })],
  ['MALFORMED', 400, 'half its data', undefined, (event) => binary(event, { value: Buffer.from('{"unit"') })],
  [
    'TOO_LARGE',
    413,
    'too much data',
    undefined,
    (event) => binary(event, { value: Buffer.alloc(4 * 1024 * 1024 + 1) }),
  ],
  [
    'UNSUPPORTED_MEDIA_TYPE',
    415,
    'text',
    undefined,
    (event) => withHeaders(binary(event), { 'content-type': 'text/plain' }),
  ],
  ['INVALID', 422, 'a list', '', (event) => structured({ ...event, data: [event.data] })],
  ['INVALID', 422, 'null', '', (event) => structured({ ...event, data: null })],
  ['INVALID', 422, 'a wrong time', undefined, (event) => structured(event, { time: 'now' })],
])(
  'what asks for permission with a flaw is invalid, a report with it is quarantined: %s %d, %s',
  (code, status, _, pointer, stored) => {
    for (const event of ASKING) {
      const fate = fateOf(stored(event))
      const request = REQUESTS[event.type as keyof typeof REQUESTS]
      expect(fate).toMatchObject({
        request: 'invalid',
        invalid: { request, source: 'trainer', id: 'weekly-42', status, code },
      })
      if (fate.request !== 'invalid') continue
      expect(fate.invalid.errors).toEqual(
        pointer === undefined ? undefined : [{ pointer, detail: fate.invalid.detail }],
      )
    }
    const { source, id, type } = REPORT
    expect(fateOf(stored(REPORT))).toMatchObject({
      request: 'quarantine',
      message: { reason: 'REPORT_INVALID', detail: expect.stringMatching(`^${code}: `), source, id, ceType: type },
    })
  },
)

test('the id of a request stands in the event, and in its data it is an error', () => {
  for (const event of [SPEND, RESERVE]) {
    expect(fateOf(binary({ ...event, data: dataOf(event, { id: event.id }) }))).toMatchObject({
      request: 'invalid',
      invalid: { code: 'INVALID', unit: 'u-17', errors: [{ pointer: '/id' }] },
    })
  }
  expect(fateOf(binary({ ...REPORT, data: dataOf(REPORT, { id: REPORT.id }) }))).toMatchObject({
    request: 'quarantine',
  })
})

test.each([undefined, null, 7, '', 'a\nb', 'x'.repeat(257), ['train-7']])(
  'nothing can be closed by the name %j',
  (reservation) => {
    for (const event of [SETTLE, RELEASE]) {
      expect(fateOf(binary({ ...event, data: dataOf(event, { reservation }) }))).toMatchObject({
        request: 'invalid',
        invalid: { id: 'weekly-42', code: 'INVALID', errors: [{ pointer: '/reservation' }] },
      })
    }
  },
)

test('a source that is not listed may ask nothing, and what it reports is quarantined', () => {
  for (const event of ASKING) {
    const id = event === SPEND || event === RESERVE ? 'weekly-42' : 'train-7'
    const invalid = { id, status: 403, code: 'FORBIDDEN' }
    expect(fateOf(binary(event), ['other'])).toMatchObject({ request: 'invalid', invalid })
  }
  const message = { reason: 'REPORT_INVALID', detail: 'FORBIDDEN: source "trainer" may not spend this way' }
  expect(fateOf(binary(REPORT), ['other'])).toMatchObject({ request: 'quarantine', message })
  expect(fateOf(binary(SPEND), ['other', 'trainer'])).toMatchObject({ request: 'spend' })
})

test('a message that is no event of a known type is quarantined, with all that is known of it', () => {
  const stored = binary({ ...SPEND, type: 'epsilon.spend.v2' }, { key: Buffer.alloc(300, 1) })
  const { id, source } = SPEND
  expect(fateOf(stored)).toMatchObject({
    request: 'quarantine',
    message: {
      reason: 'UNKNOWN_TYPE',
      bytes: stored.value?.length,
      key: Buffer.alloc(256, 1).toString('base64'),
      source,
      id,
      ceType: 'epsilon.spend.v2',
    },
  })
  for (const type of ['constructor', '__proto__', 'toString', 'Epsilon.spend.v1']) {
    expect(fateOf(binary({ ...SPEND, type }))).toMatchObject({ message: { reason: 'UNKNOWN_TYPE' } })
  }
  const nothing = { reason: 'NOT_CLOUD_EVENT', detail: expect.any(String), bytes: 0, key: null }
  expect(fateOf({ key: null, value: null, headers: [] })).toMatchObject({ request: 'quarantine', message: nothing })
})

test('a report that the ledger cannot account is quarantined with the code that HTTP would answer', () => {
  const message = received(binary(REPORT))
  const sent = { source: REPORT.source, id: REPORT.id }
  const rejection = { code: 'NO_POLICY', detail: 'no policy covers it' }
  const quarantined = {
    request: 'quarantine',
    cause: causeOf(message),
    message: {
      reason: 'REPORT_INVALID',
      detail: 'NO_POLICY: no policy covers it',
      bytes: message.value?.length,
      key: Buffer.from('u-17').toString('base64'),
      ...sent,
      ceType: 'epsilon.report.v1',
    },
  }
  expect(unaccountable(message, causeOf(message), { ...sent, type: 'epsilon.report.v1' }, rejection)).toEqual(
    quarantined,
  )
  expect(unaccountable(message, causeOf(message), { ...sent, type: 'epsilon.settle.v1' }, rejection)).toEqual({
    ...quarantined,
    message: { ...quarantined.message, reason: 'DECISION_LOST', ceType: 'epsilon.settle.v1' },
  })
})
