import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { messageDigest } from '../../src/kafka/message-digest.js'
import { type HeaderList, received, type Stored } from '../support/client-wire.js'

const bytes = (text: string): Buffer => Buffer.from(text)
const MESSAGE: Stored = { key: bytes('u-17'), value: bytes('{}'), headers: [['ce_id', bytes('a')]], timestamp: '5' }
const digestOf = (change: Partial<Stored>): string => messageDigest(received({ ...MESSAGE, ...change }))

test('the digest is the first half of SHA-256 over every part with its length before it', () => {
  const parts = ['\0\0\0\x015', '\0\0\0\x04u-17', '\0\0\0\x02{}', '\0\0\0\x05ce_id', '\0\0\0\x01a']
  const expected = createHash('sha256')
    .update(Buffer.from(parts.join(''), 'latin1'))
    .digest('hex')
    .slice(0, 32)
  expect(digestOf({})).toBe(expected)
})

test('null and empty differ, wherever they stand', () => {
  const empty = Buffer.alloc(0)
  const variants = [
    {},
    { key: null },
    { key: empty },
    { value: null },
    { value: empty },
    { headers: [] },
    { headers: [['ce_id', null]] },
    { headers: [['ce_id', empty]] },
  ] as const satisfies readonly Partial<Stored>[]
  expect(new Set(variants.map(digestOf)).size).toBe(variants.length)
})

test('bytes that move from one part to the next change the digest', () => {
  const variants: readonly Partial<Stored>[] = [
    { key: bytes('ab'), value: bytes('c') },
    { key: bytes('a'), value: bytes('bc') },
    { key: bytes('a'), value: bytes('b'), headers: [['c', bytes('')]] },
    { headers: [['ab', bytes('c')]] },
    { headers: [['a', bytes('bc')]] },
    {
      headers: [
        ['a', bytes('b')],
        ['c', bytes('')],
      ],
    },
    {
      headers: [
        ['a', bytes('b')],
        ['a', bytes('c')],
      ],
    },
    {
      headers: [
        ['a', bytes('c')],
        ['a', bytes('b')],
      ],
    },
    { timestamp: '6' },
  ]
  expect(new Set(variants.map(digestOf)).size).toBe(variants.length)
})

test('the offset is not in the digest: the record has it beside', () => {
  expect(digestOf({ offset: '9' })).toBe(digestOf({ offset: '8' }))
})

test('names that every object inherits are headers like any other', () => {
  const named = (name: string, value: string): HeaderList => [[name, bytes(value)]]
  const digests = ['constructor', '__proto__', 'toString'].flatMap((name) =>
    ['a', 'b'].map((value) => digestOf({ headers: named(name, value) })),
  )
  expect(new Set(digests).size).toBe(digests.length)
})

const part = fc.option(fc.uint8Array({ maxLength: 8 }).map((array) => Buffer.from(array)))
const header = fc.tuple(fc.constantFrom('a', 'b', '10', '2', 'constructor', '__proto__'), part)
const stored = fc.record({ key: part, value: part, headers: fc.array(header, { maxLength: 6 }) })

test('for every two messages, the digests are the same where each name has the same values, and only there', () => {
  const grouped = ({ key, value, headers }: Stored): string => {
    const names = [...new Set(headers.map(([name]) => name))].sort()
    const values = names.map((name) => [name, headers.filter(([other]) => other === name).map(([, one]) => hex(one))])
    return JSON.stringify([hex(key), hex(value), values])
  }
  const hex = (value: Buffer | null): string | null => value?.toString('hex') ?? null
  fc.assert(
    fc.property(stored, stored, (one, other) => {
      const [first, second] = [messageDigest(received(one)), messageDigest(received(other))]
      expect(first === second).toBe(grouped(one) === grouped(other))
      expect(first).toMatch(/^[0-9a-f]{32}$/)
    }),
    { numRuns: 2_000 },
  )
})

test('for every message, another order of its header names gives the same digest', () => {
  fc.assert(
    fc.property(stored, (one) => {
      const sorted = [...one.headers].sort(([a], [b]) => (a < b ? 1 : a > b ? -1 : 0))
      expect(messageDigest(received({ ...one, headers: sorted }))).toBe(messageDigest(received(one)))
    }),
  )
})
