import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeRecord, encodeRecord, GENESIS_PREV, type LedgerRecord, leafHash } from '../../src/ledger/record.js'

const record: LedgerRecord = {
  at: '2026-11-21T10:00:00.000Z',
  by: 'service:trainer',
  cause: {
    kind: 'kafka',
    digest: '9357bf2751d2d0703a877d3d8b8bb7d2',
    offset: '1234',
    partition: 0,
    topic: 'epsilon.spends',
  },
  data: { unit: 'u-17 ü', amount: '100' },
  epoch: 0,
  prev: GENESIS_PREV,
  seq: 42,
  type: 'SpendAccepted',
  v: 1,
}
const text =
  '{"at":"2026-11-21T10:00:00.000Z","by":"service:trainer","cause":{"digest":"9357bf2751d2d0703a877d3d8b8bb7d2","kind":"kafka","offset":"1234","partition":0,"topic":"epsilon.spends"},' +
  `"data":{"amount":"100","unit":"u-17 ü"},"epoch":0,"prev":"${GENESIS_PREV}","seq":42,"type":"SpendAccepted","v":1}`
const bytes = Buffer.from(text)

const refused = (code: string) => expect.objectContaining({ code })

test('a record has one form, and reading gives it back', () => {
  expect(encodeRecord(record)).toBe(text)
  expect(decodeRecord(bytes)).toEqual(record)
  expect(decodeRecord(bytes, 'trusted')).toEqual(record)
})

// RFC 6962 vectors of the reference implementation.
test('the leaf hash is that of RFC 6962, for text and for bytes', () => {
  const empty = '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'
  const named = '395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56'
  expect([leafHash(''), leafHash(new Uint8Array()), leafHash('L123456'), leafHash(Buffer.from('L123456'))]).toEqual([
    empty,
    empty,
    named,
    named,
  ])
  expect(Buffer.from(leafHash('hello world'), 'hex').toString('base64')).toBe(
    'TszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0=',
  )
  expect(leafHash(text)).toBe(leafHash(bytes))
})

test.each([
  ['white space', text.replace('"v":1', '"v": 1')],
  ['another order of names', text.replace('"epoch":0,', '').replace('"v":1', '"v":1,"epoch":0')],
  ['a name given twice', text.replace('"amount":"100"', '"amount":"999","amount":"100"')],
  ['a header given twice', text.replace('"epoch":0', '"epoch":1,"epoch":0')],
  ['an unknown field', text.replace('"v":1}', '"v":1,"w":1}')],
  ['__proto__', text.replace('"amount":"100"', '"__proto__":{"amount":"1"},"amount":"100"')],
  ['an unneeded escape', text.replace('u-17', '\\u0075-17')],
  ['a number in another form', text.replace('"seq":42', '"seq":4.2e1')],
  ['a fraction', text.replace('"amount":"100"', '"amount":0.5')],
  ['minus zero', text.replace('"amount":"100"', '"amount":-0')],
])('%s is not canonical', (_, altered) => {
  expect(altered).not.toBe(text)
  expect(() => decodeRecord(Buffer.from(altered))).toThrow(refused('RECORD_NOT_CANONICAL'))
})

test('bytes that are no UTF-8 are not canonical, even where they look like the replacement character', () => {
  const place = text.indexOf('ü')
  const broken = Buffer.from(text.replace('ü', 'xy'))
  broken[place] = 0xff
  expect(() => decodeRecord(broken)).toThrow(refused('RECORD_NOT_CANONICAL'))
  const honest = Buffer.from(text.replace('ü', '\ufffd'))
  expect(decodeRecord(honest).data['unit']).toBe('u-17 \ufffd')
})

test.each([
  ['nothing', ''],
  ['half a record', text.slice(0, 100)],
  ['null', 'null'],
  ['a list', '[]'],
  ['an empty object', '{}'],
  ['a byte order mark', `\ufeff${text}`],
  ['an instant without milliseconds', text.replace('00.000Z', '00Z')],
  ['an instant of month 13', text.replace('2026-11', '2026-13')],
  ['nobody', text.replace('service:trainer', '')],
  ['a cause without a kind', text.replace('"kind":"kafka",', '')],
  ['data that is a list', text.replace('{"amount":"100","unit":"u-17 ü"}', '[]')],
  ['a negative number', text.replace('"seq":42', '"seq":-1')],
  ['a leaf in capitals', text.replace(GENESIS_PREV, 'A'.repeat(64))],
  ['version 0', text.replace('"v":1', '"v":0')],
  ['a type with a space', text.replace('SpendAccepted', 'Spend Accepted')],
])('%s is no record', (_, altered) => {
  expect(altered).not.toBe(text)
  expect(() => decodeRecord(Buffer.from(altered))).toThrow(refused('RECORD_UNREADABLE'))
})

test('what could not be read back is never written', () => {
  expect(() => encodeRecord({ ...record, by: '' })).toThrow(refused('RECORD_INVALID'))
  expect(() => encodeRecord({ ...record, type: 'a"b' })).toThrow(refused('RECORD_INVALID'))
  expect(() => encodeRecord({ ...record, data: { amount: 0.5 } })).toThrow(refused('VALUE_NOT_CANONICAL'))
  expect(() => encodeRecord({ ...record, data: { unit: '\ud800' } })).toThrow(refused('VALUE_NOT_CANONICAL'))
})

test('a record of 65,535 bytes is written, one byte more is refused with both numbers', () => {
  const filled = (note: string): LedgerRecord => ({ ...record, data: { note } })
  const room = 65_535 - Buffer.byteLength(encodeRecord(filled('')))
  expect(Buffer.byteLength(encodeRecord(filled('ü'.repeat(room / 2) + 'x'.repeat(room % 2))))).toBe(65_535)
  expect(() => encodeRecord(filled('x'.repeat(room + 1)))).toThrow('would have 65536 bytes; at most 65535 fit')
  const oversized = Buffer.from(encodeRecord(filled('')).replace('"note":""', `"note":"${'x'.repeat(room + 1)}"`))
  expect(() => decodeRecord(oversized)).toThrow(refused('RECORD_UNREADABLE'))
})

test('every record that can be written is read back as it was', () => {
  const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 })
  const data = fc.dictionary(text, fc.oneof(text, fc.maxSafeInteger(), fc.constant(null)), { noNullPrototype: true })
  fc.assert(
    fc.property(text, data, fc.nat(), (by, data, seq) => {
      fc.pre(!Object.hasOwn(data, '__proto__'))
      const original = { ...record, by, data, seq }
      expect(decodeRecord(Buffer.from(encodeRecord(original)))).toEqual(original)
    }),
    { numRuns: 50 },
  )
})
