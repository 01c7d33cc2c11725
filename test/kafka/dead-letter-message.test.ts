import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DEAD_LETTER_HEADERS, deadLetterMessage } from '../../src/kafka/dead-letter-message.js'
import { headersOf, headerValues } from '../../src/kafka/wire-message.js'
import { received, type Stored, sentAndReceived } from '../support/client-wire.js'
import { SPEND, structured } from './emitted.js'

const BURIAL = {
  reason: 'MALFORMED',
  detail: 'the value is not JSON: it ends too early',
  topic: 'epsilon.spends',
  partition: 3,
}
const buried = (stored: Stored, burial = BURIAL) => sentAndReceived(deadLetterMessage(received(stored), burial))
const textIn = (message: ReturnType<typeof buried>, name: string) => headerValues(message, name).map(String)

test('a dead letter says why it is one, and where it was', () => {
  const message = buried(structured(SPEND, {}, { offset: '9007199254740993', timestamp: '1767225600001' }))
  expect(DEAD_LETTER_HEADERS.map((name) => textIn(message, name))).toEqual([
    ['MALFORMED'],
    ['the value is not JSON: it ends too early'],
    ['epsilon.spends'],
    ['3'],
    ['9007199254740993'],
    ['1767225600001'],
  ])
})

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array))
const name = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.constantFrom('constructor', '__proto__', 'ce_id', '10', 'toString'),
)
const stored = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.array(fc.tuple(name, bytes), { maxLength: 8 }),
})

test('for every message, key, value and headers of the dead letter are the bytes that came', () => {
  fc.assert(
    fc.property(stored, (one) => {
      const came = received(one)
      const message = buried(one)
      expect([message.key, message.value]).toEqual([came.key, came.value])
      const own = headersOf(message).filter(([header]) => !(DEAD_LETTER_HEADERS as readonly string[]).includes(header))
      expect(own).toEqual(headersOf(came))
    }),
    { numRuns: 1_000 },
  )
})

test('a header without a value comes with an empty one, since none can be sent', () => {
  const message = buried({
    key: null,
    value: null,
    headers: [
      ['a', null],
      ['a', Buffer.from('b')],
    ],
  })
  expect(textIn(message, 'a')).toEqual(['', 'b'])
})

test('what is put aside again keeps what was said the first time, and ours comes last', () => {
  const again = deadLetterMessage(buried(structured(SPEND)), { ...BURIAL, topic: 'elsewhere' })
  expect(textIn(sentAndReceived(again), 'epsilon_topic')).toEqual(['epsilon.spends', 'elsewhere'])
})

test('a detail that is no text of Unicode can be sent all the same', () => {
  expect(textIn(buried(structured(SPEND), { ...BURIAL, detail: 'at \ud800' }), 'epsilon_detail')).toEqual(['at \ufffd'])
})
