import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson } from '../../src/ledger/canonical.js'

const { json } = fc.letrec((tie) => ({
  text: fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => text !== '__proto__'),
  json: fc.oneof(
    { depthSize: 'small' },
    tie('text'),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('json'), { maxLength: 6 }),
    fc.dictionary(tie('text') as fc.Arbitrary<string>, tie('json'), { maxKeys: 30, noNullPrototype: true }),
  ),
}))

test('the text is that of an independent implementation of RFC 8785', () => {
  const same = (value: unknown): boolean => canonicalJson(value) === canonicalize(value)
  fc.assert(fc.property(json, same), { numRuns: 500 })
})

test('reading the text back gives the same value and the same text', () => {
  fc.assert(
    fc.property(json, (value) => {
      const text = canonicalJson(value)
      expect(canonicalJson(JSON.parse(text))).toBe(text)
      expect(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(text))).toBe(text)
    }),
    { numRuns: 200 },
  )
})

// RFC 8785 section 3.2.3: names are ordered by UTF-16 code units, so U+1F600 comes before U+FB33.
test('names are sorted by UTF-16 code units', () => {
  const value = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7, '10': 8, '9': 9 }
  expect(canonicalJson(value)).toBe(
    '{"\\r":2,"1":4,"10":8,"9":9,"\u0080":6,"\u00f6":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}',
  )
})

// RFC 8785 section 3.2.2.2.
test('only what must be escaped is escaped, in the shortest form', () => {
  expect(canonicalJson('\u20ac$\u000f\u000aA\'\u0042\u0022\u005c\\"/\u007f\u2028')).toBe(
    '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\u007f\u2028"',
  )
})

test.each([
  ['a fraction', 0.5],
  ['a number beyond 2^53', 2 ** 53],
  ['NaN', Number.NaN],
  ['infinity', Number.POSITIVE_INFINITY],
  ['a bigint', 1n],
  ['undefined', undefined],
  ['a function', () => 1],
  ['a symbol', Symbol('s')],
  ['a date', new Date(0)],
  ['a map', new Map()],
  ['a lone surrogate', '\ud800'],
  ['a reversed pair', '\udc00\ud800'],
])('%s has no canonical text', (_, value) => {
  expect(() => canonicalJson(value)).toThrow(expect.objectContaining({ code: 'VALUE_NOT_CANONICAL' }))
})

test('a value that cannot be written is named by its place', () => {
  expect(() => canonicalJson({ a: [1, { 'b/c': [2, 0.5] }] })).toThrow('the number 0.5 at "/a/1/b~1c/1"')
  expect(() => canonicalJson({ a: { '\ud800': 1 } })).toThrow('a lone surrogate at "/a"')
  expect(() => canonicalJson(JSON.parse('{"x":{"__proto__":1}}'))).toThrow('the name __proto__ at "/x"')
})

test('a value of any depth is written or refused, never a crash', () => {
  const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels))
  expect(canonicalJson(nested(64))).toBe('['.repeat(64) + ']'.repeat(64))
  expect(() => canonicalJson(nested(65))).toThrow(expect.objectContaining({ code: 'VALUE_NOT_CANONICAL' }))
  expect(() => canonicalJson(nested(100_000))).toThrow(expect.objectContaining({ code: 'VALUE_NOT_CANONICAL' }))
})
