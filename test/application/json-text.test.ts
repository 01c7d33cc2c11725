import { expect, test } from 'vitest'
import { JSON_TYPE, readJson } from '../../src/application/json-text.js'

const read = (bytes: string | readonly number[]) =>
  readJson(typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes))

test.each([
  ['{"a":[1,"é"]}', { a: [1, 'é'] }],
  ['null', null],
  ['"a"', 'a'],
  ['{"a":1,"a":2}', { a: 2 }],
])('%s is read', (text, value) => {
  expect(read(text)).toEqual({ value })
})

test('__proto__ is a member like any other, for the reader of the body to refuse', () => {
  const { value } = read('{"__proto__":{"x":1}}') as { value: object }
  expect(Object.keys(value)).toEqual(['__proto__'])
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
})

test.each([
  ['', 'is empty, and JSON is expected'],
  ['{"a":1', 'is not JSON: at position 6'],
  ['[', 'is not JSON: it ends too early'],
  ['{"secret":NaN}', 'is not JSON: it has a character that has no place there'],
  ['\ufeff{}', 'is not JSON: it has a character that has no place there'],
  [[0x22, 0xff, 0x22], 'is not UTF-8'],
  [[0x22, 0xed, 0xa0, 0x80, 0x22], 'is not UTF-8'],
] as const)('%j is refused, and nothing of it is quoted', (bytes, problem) => {
  expect(read(bytes)).toEqual({ problem })
})

test('a million brackets are read, or refused, without an end of the stack', () => {
  expect(read('['.repeat(1_000_000))).toEqual({ problem: 'is not JSON: it ends too early' })
  expect(read(`${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`)).toHaveProperty('value')
})

test.each([
  ['application/json', true],
  ['Application/JSON; charset=utf-8', true],
  ['application/vnd.epsilon+json', true],
  ['text/json', false],
  ['application/jsonl', false],
  ['', false],
])('%j is a type of JSON: %s', (type, expected) => {
  expect(JSON_TYPE.test(type)).toBe(expected)
})
