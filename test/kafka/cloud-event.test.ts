import { expect, test } from 'vitest'
import { type EventReading, readCloudEvent, UNREADABLE } from '../../src/kafka/cloud-event.js'
import { received, type Stored } from '../support/client-wire.js'
import { binary, header, SPEND, structured, withHeaders } from './emitted.js'

const reading = (stored: Stored): EventReading => readCloudEvent(received(stored))
const { data, ...ENVELOPE } = SPEND
const BASE64 = Buffer.from(JSON.stringify(data)).toString('base64')
const untyped = (stored: Stored): Stored => withHeaders(stored, { 'content-type': undefined })
const raw = (value: Buffer | string | null): Partial<Stored> => ({ value: value === null ? null : Buffer.from(value) })

test.each<[string, Stored]>([
  ['binary', binary(SPEND)],
  ['binary with another JSON type', withHeaders(binary(SPEND), { 'content-type': 'application/vnd.spend+json; v=1' })],
  ['binary without a content type', untyped(binary(SPEND))],
  [
    'binary with extensions, twice',
    withHeaders(binary(SPEND), { ce_traceparent: 'x', ce_datacontenttype: 'text/xml' }),
  ],
  ['binary, a header that has no value', withHeaders(binary(SPEND), { ce_subject: null, ce_time: null })],
  ['structured', structured(SPEND)],
  ['structured, in other letters', withHeaders(structured(SPEND), { 'content-type': 'Application/CloudEvents+JSON' })],
  ['structured without a content type', untyped(structured(SPEND))],
  [
    'structured with the headers of binary mode, which do not count',
    withHeaders(structured(SPEND), { ce_id: 'other' }),
  ],
  ['structured with extensions', structured(SPEND, { traceparent: 'x', comexampleothervalue: 5 })],
  ['structured with null attributes', structured(SPEND, { subject: null, time: null, datacontenttype: null })],
  ['structured with its content type', structured(SPEND, { datacontenttype: 'application/json' })],
  ['structured with data_base64', structured(ENVELOPE, { data_base64: BASE64 })],
  ['structured with an id given twice, of which the last counts', twice()],
])('%s is read as the event that it is', (_, stored) => {
  expect(reading(stored)).toEqual({ kind: 'event', event: SPEND })
})

function twice(): Stored {
  const text = JSON.stringify({ specversion: '1.0', ...SPEND })
  return structured(SPEND, {}, raw(`{"id":"first",${text.slice(1)}`))
}

test.each([
  ['binary', withHeaders(binary(SPEND), { ce_subject: 'u-17', ce_time: '2026-11-21T10:00:00.25+01:00' })],
  ['structured', structured(SPEND, { subject: 'u-17', time: '2026-11-21T10:00:00.25+01:00' })],
])('subject and time of a %s event are read', (_, stored) => {
  const event = { ...SPEND, subject: 'u-17', time: '2026-11-21T10:00:00.25+01:00' }
  expect(reading(stored)).toEqual({ kind: 'event', event })
})

test('data may be any JSON, null and false included; whoever asks looks at it', () => {
  for (const value of [null, false, 0, '', [], 'text']) {
    for (const stored of [structured(ENVELOPE, { data: value }), binary(SPEND, raw(JSON.stringify(value)))]) {
      expect(reading(stored)).toEqual({ kind: 'event', event: { ...ENVELOPE, data: value } })
    }
  }
})

test.each<[keyof typeof UNREADABLE, string, Stored]>([
  ['NOT_CLOUD_EVENT', 'nothing at all', binary(SPEND, { headers: [], value: null })],
  ['NOT_CLOUD_EVENT', 'JSON of something else', binary(SPEND, { headers: [] })],
  ['NOT_CLOUD_EVENT', 'no JSON', binary(SPEND, { headers: [], ...raw('spend!') })],
  ['NOT_CLOUD_EVENT', 'a list', binary(SPEND, { headers: [], ...raw('[{"specversion":"1.0"}]') })],
  [
    'NOT_CLOUD_EVENT',
    'JSON type without the headers',
    withHeaders(structured(SPEND), { 'content-type': 'application/json' }),
  ],
  [
    'UNSUPPORTED_FORMAT',
    'a batch',
    withHeaders(structured(SPEND), { 'content-type': 'application/cloudevents-batch+json' }),
  ],
  ['UNSUPPORTED_FORMAT', 'Avro', withHeaders(structured(SPEND), { 'content-type': 'application/cloudevents+avro' })],
  ['UNSUPPORTED_FORMAT', 'no format', withHeaders(structured(SPEND), { 'content-type': 'application/cloudevents' })],
  [
    'UNSUPPORTED_FORMAT',
    'almost JSON',
    withHeaders(structured(SPEND), { 'content-type': 'application/cloudevents+jsonx' }),
  ],
  ['UNSUPPORTED_SPECVERSION', '0.3 in a header', withHeaders(binary(SPEND), { ce_specversion: '0.3' })],
  ['UNSUPPORTED_SPECVERSION', '1.0.2 in JSON', structured(SPEND, { specversion: '1.0.2' })],
  ['MALFORMED', 'no value', structured(SPEND, {}, raw(null))],
  ['MALFORMED', 'an empty value', structured(SPEND, {}, raw(''))],
  ['MALFORMED', 'half a value', structured(SPEND, {}, raw('{"specversion":"1.0",'))],
  ['MALFORMED', 'a list', structured(SPEND, {}, raw(`[${JSON.stringify(SPEND)}]`))],
  ['MALFORMED', 'a byte that is no UTF-8', structured(SPEND, {}, raw(Buffer.from('7b22ff223a317d', 'hex')))],
  ['MALFORMED', 'a byte order mark', structured(SPEND, {}, raw(`\ufeff${JSON.stringify(SPEND)}`))],
  ['TOO_LARGE', 'more than 4 MiB', structured(SPEND, { more: 'x'.repeat(4 * 1024 * 1024) })],
  ['TOO_LARGE', 'more than 4 MiB of nothing known', binary(SPEND, { headers: [], ...raw('x'.repeat(5_000_000)) })],
  ['ATTRIBUTE_MISSING', 'no id', withHeaders(binary(SPEND), { ce_id: undefined })],
  ['ATTRIBUTE_MISSING', 'an id without a value', withHeaders(binary(SPEND), { ce_id: null })],
  ['ATTRIBUTE_MISSING', 'no source', structured(SPEND, { source: null })],
  ['ATTRIBUTE_MISSING', 'no type', structured(SPEND, { type: undefined })],
  ['ATTRIBUTE_MISSING', 'no specversion', structured(SPEND, { specversion: undefined })],
  ['ATTRIBUTE_INVALID', 'an id that is a number', structured(SPEND, { id: 42 })],
  ['ATTRIBUTE_INVALID', 'an empty source', withHeaders(binary(SPEND), { ce_source: '' })],
  ['ATTRIBUTE_INVALID', 'an id of 257 bytes', withHeaders(binary(SPEND), { ce_id: 'x'.repeat(257) })],
  ['ATTRIBUTE_INVALID', 'a control character', structured(SPEND, { id: 'a\u0000b' })],
  ['ATTRIBUTE_INVALID', 'a lone surrogate', structured(SPEND, { source: '\ud800' })],
  ['ATTRIBUTE_INVALID', 'a source that is no UTF-8', withHeaders(binary(SPEND), { ce_source: Buffer.from([0xff]) })],
  ['ATTRIBUTE_INVALID', 'a surrogate in UTF-8', withHeaders(binary(SPEND), { ce_id: Buffer.from('eda080', 'hex') })],
  [
    'ATTRIBUTE_INVALID',
    'an id given twice',
    binary(SPEND, { headers: [...binary(SPEND).headers, header('ce_id', 'b')] }),
  ],
  [
    'ATTRIBUTE_INVALID',
    'a content type given twice',
    binary(SPEND, { headers: [...binary(SPEND).headers, header('content-type', 'application/json')] }),
  ],
])('%s: %s', (reason, _, stored) => {
  expect(reading(stored)).toMatchObject({ kind: 'unreadable', reason })
})

test('what could be read of an unreadable event is kept', () => {
  const { id, source, type } = SPEND
  expect(reading(withHeaders(binary(SPEND), { ce_id: '' }))).toMatchObject({ known: { source, type } })
  expect(reading(structured(SPEND, { source: 5 }))).toMatchObject({ known: { id, type } })
  expect(reading(withHeaders(binary(SPEND), { ce_specversion: '2.0' }))).toMatchObject({ known: { id, source, type } })
  expect(reading(structured(SPEND, {}, raw('')))).toMatchObject({ known: {} })
})

test.each<[string, string, Stored]>([
  ['MALFORMED', 'no value', binary(SPEND, raw(null))],
  ['MALFORMED', 'an empty value', binary(SPEND, raw(''))],
  ['MALFORMED', 'no JSON', binary(SPEND, raw('{"unit":'))],
  ['MALFORMED', 'no UTF-8', binary(SPEND, raw(Buffer.from([0x22, 0xff, 0x22])))],
  ['MALFORMED', 'no data', structured(ENVELOPE)],
  ['MALFORMED', 'no Base64', structured(ENVELOPE, { data_base64: 'e30' })],
  ['MALFORMED', 'white space in Base64', structured(ENVELOPE, { data_base64: `${BASE64}\n` })],
  ['MALFORMED', 'Base64 that is a number', structured(ENVELOPE, { data_base64: 5 })],
  ['MALFORMED', 'Base64 of no JSON', structured(ENVELOPE, { data_base64: 'AAAA' })],
  ['MALFORMED', 'Base64 of nothing', structured(ENVELOPE, { data_base64: '' })],
  ['INVALID', 'data and data_base64', structured(SPEND, { data_base64: BASE64 })],
  ['INVALID', 'a content type that is a number', structured(SPEND, { datacontenttype: 5 })],
  ['INVALID', 'an empty subject', structured(SPEND, { subject: '' })],
  ['INVALID', 'a subject that is a list', structured(SPEND, { subject: ['u-17'] })],
  ['INVALID', 'a time of another form', structured(SPEND, { time: '21.11.2026 10:00' })],
  ['INVALID', 'a time without its zone', withHeaders(binary(SPEND), { ce_time: '2026-11-21T10:00:00' })],
  ['INVALID', 'a time that is a number', structured(SPEND, { time: 1767225600 })],
  ['UNSUPPORTED_MEDIA_TYPE', 'text', withHeaders(binary(SPEND), { 'content-type': 'text/plain' })],
  ['UNSUPPORTED_MEDIA_TYPE', 'XML', structured(SPEND, { datacontenttype: 'application/xml' })],
  ['TOO_LARGE', 'more than 4 MiB', binary(SPEND, raw(`"${'x'.repeat(4 * 1024 * 1024)}"`))],
])('who asks is known, but the data has a flaw, %s: %s', (code, _, stored) => {
  const result = reading(stored)
  expect(result).toMatchObject({ kind: 'flawed', envelope: ENVELOPE, flaw: { code } })
})

test('names that every object inherits are no attributes, as headers and as members', () => {
  const headers = [
    ...binary(SPEND).headers,
    ...['constructor', '__proto__', 'toString'].map((name) => header(name, 'x')),
  ]
  expect(reading(binary(SPEND, { headers }))).toEqual({ kind: 'event', event: SPEND })
  const text = `{"__proto__":{"specversion":"1.0","id":"x"},${JSON.stringify(SPEND).slice(1)}`
  expect(reading(structured(SPEND, {}, raw(text)))).toMatchObject({ kind: 'unreadable', reason: 'ATTRIBUTE_MISSING' })
})

test('what a headers object inherits is no header, whatever it is', () => {
  const message = received(binary(SPEND))
  const headers = Object.assign(Object.create({ ce_subject: Buffer.from('inherited') }), message.headers) as object
  expect(readCloudEvent({ ...message, headers: headers as Record<string, unknown> })).toEqual({
    kind: 'event',
    event: SPEND,
  })
})

test('long texts cost no more than their length', () => {
  const long = 'x'.repeat(1_000_000)
  const types = [
    `application/${long}`,
    `application/${'+'.repeat(1_000_000)}json!`,
    `application/json${' '.repeat(1_000_000)}x`,
  ]
  for (const type of types) reading(withHeaders(binary(SPEND), { 'content-type': type }))
  expect(reading(structured(ENVELOPE, { data_base64: 'A'.repeat(4_000_000) }))).toMatchObject({ kind: 'flawed' })
})

test('messages quote no more than a few words of what was sent', () => {
  const secret = 'x'.repeat(5_000)
  for (const stored of [
    withHeaders(binary(SPEND), { 'content-type': secret }),
    withHeaders(binary(SPEND), { ce_specversion: secret.slice(0, 200) }),
    withHeaders(structured(SPEND), { 'content-type': `application/cloudevents+${secret}` }),
  ]) {
    expect(JSON.stringify(reading(stored)).length).toBeLessThan(400)
  }
})
