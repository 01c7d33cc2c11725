import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KafkaClients } from '../../src/kafka/client.js'
import { type KafkaSettings, readKafkaSettings } from '../../src/kafka/settings.js'
import { headersOf } from '../../src/kafka/wire-message.js'
import { type HeaderList, received } from '../support/client-wire.js'

const read = (headers: HeaderList) => received({ key: null, value: null, headers })

const value = fc.option(fc.uint8Array({ maxLength: 4 }).map((array) => Buffer.from(array)))
const name = fc.constantFrom('a', 'b', '', '7', 'ce_id', 'constructor', '__proto__', 'toString')
const headerLists = fc.sample(fc.array(fc.tuple(name, value), { maxLength: 12 }), { numRuns: 500, seed: 1 })

test('for every list of headers, the client gives what it gave before it was made to collect them in one pass', () => {
  const before = headerLists.map((headers) => headersOf(read(headers)))
  new KafkaClients(readKafkaSettings({}, 'localhost:9092') as KafkaSettings)
  expect(headerLists.map((headers) => headersOf(read(headers)))).toEqual(before)
  const { headers } = read([
    ['constructor', Buffer.from('x')],
    ['a', Buffer.from('1')],
    ['a', null],
  ])
  expect(headers).toEqual({ constructor: Buffer.from('x'), a: [Buffer.from('1'), null] })
})

// Copying all headers so far for each would take hours, and the time of the test is over before.
test('a message of two hundred thousand headers is read like any other', () => {
  new KafkaClients(readKafkaSettings({}, 'localhost:9092') as KafkaSettings)
  const many = Array.from({ length: 200_000 }, (_, index) => [`h${index}`, Buffer.alloc(0)] as const)
  expect(Object.keys(read(many).headers ?? {})).toHaveLength(200_000)
  const repeated = Array.from({ length: 200_000 }, () => ['h', Buffer.alloc(0)] as const)
  expect(headersOf(read(repeated))[0]?.[1]).toHaveLength(200_000)
})
