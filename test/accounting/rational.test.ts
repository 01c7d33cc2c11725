import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AccountingError } from '../../src/accounting/errors.js'
import { parseRational, rational, rationalText } from '../../src/accounting/rational.js'
import { formatAmount } from '../../src/accounting/units.js'

const codeOf = (value: unknown): string => {
  try {
    parseRational(value, '/x')
  } catch (error) {
    if (error instanceof AccountingError) return `${error.code} ${error.pointer}`
    throw error
  }
  return 'read'
}

test('a number is read as exactly what is written', () => {
  expect(parseRational('0.1')).toEqual({ num: 1n, den: 10n })
  expect(parseRational(0.1)).toEqual({ num: 1n, den: 10n })
  expect(parseRational('250/60000')).toEqual({ num: 1n, den: 240n })
  expect(parseRational('2.50e-3')).toEqual({ num: 1n, den: 400n })
  expect(parseRational('1E+2')).toEqual({ num: 100n, den: 1n })
  expect(parseRational(1e21)).toEqual({ num: 10n ** 21n, den: 1n })
  expect(parseRational('0e0')).toEqual({ num: 0n, den: 1n })
})

test('what is no plain number is refused', () => {
  const wrong = [
    '',
    ' 1',
    '1 ',
    '+1',
    '.5',
    '1.',
    '01',
    '0x10',
    '1,1',
    '1_000',
    'NaN',
    'Infinity',
    '-0',
    '-0.0',
    '-0/5',
  ]
  const more = [
    '1/0',
    '1/-2',
    '1/2/3',
    '1.5/2',
    '01/2',
    '1/02',
    '1e',
    '1e1.5',
    '٣',
    '１',
    null,
    undefined,
    true,
    {},
    [],
  ]
  for (const value of [...wrong, ...more, NaN, Infinity, -0])
    expect(codeOf(value), `${value}`).toBe('INVALID_NUMBER /x')
  for (const value of ['-1', '-0.1', '-1/2', -3]) expect(codeOf(value)).toBe('OUT_OF_RANGE /x')
})

test('powers of ten from ±400 on and more than 60 significant digits are refused', () => {
  for (const value of [
    '1e400',
    '1e-400',
    '10e399',
    '0.1e-399',
    '0e400',
    `1${'0'.repeat(400)}`,
    `0.${'0'.repeat(400)}1`,
  ]) {
    expect(codeOf(value), value).toBe('INVALID_NUMBER /x')
  }
  for (const value of ['1e399', '1e-399', '9'.repeat(60), `0.${'9'.repeat(60)}`, `1${'0'.repeat(100)}`]) {
    expect(codeOf(value), value).toBe('read')
  }
  for (const value of ['9'.repeat(61), `1.${'1'.repeat(60)}`, `1/${'1'.repeat(61)}`, '1'.repeat(100_000)]) {
    expect(codeOf(value), value.slice(0, 80)).toBe('INVALID_NUMBER /x')
  }
})

describe('the text of a value', () => {
  test('is the same however the value was written', () => {
    for (const text of ['0.10', '.1e0'.replace('.', '0.'), '1/10', '100e-3', 0.1]) {
      expect(rationalText(parseRational(text))).toBe('0.1')
    }
    expect(rationalText(parseRational('2/6'))).toBe('1/3')
    expect(rationalText(parseRational('1e-20'))).toBe('1e-20')
    expect(rationalText(parseRational('1500'))).toBe('1500')
    expect(rationalText(parseRational('12e30'))).toBe('1.2e31')
    expect(rationalText(rational(0n))).toBe('0')
  })

  test('is read back as the same value', () => {
    const value = fc.oneof(
      fc
        .tuple(fc.bigInt({ min: 0n, max: 10n ** 60n - 1n }), fc.integer({ min: -330, max: 330 }))
        .map(([n, e]) => `${n}e${e}`),
      fc
        .tuple(fc.bigInt({ min: 0n, max: 10n ** 30n }), fc.bigInt({ min: 1n, max: 10n ** 30n }))
        .map(([p, q]) => `${p}/${q}`),
      fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).filter((one) => !Object.is(one, -0)),
    )
    fc.assert(
      fc.property(value, (text) => {
        const read = parseRational(text)
        expect(parseRational(rationalText(read))).toEqual(read)
      }),
      { numRuns: 1_000 },
    )
  })
})

test('amounts are shown exactly, without trailing zeros', () => {
  expect(formatAmount(24_356_000_000_001n, 'rho')).toBe('0.024356000000001')
  expect(formatAmount(400_000_000_000_000n, 'eps')).toBe('0.4')
  expect(formatAmount(1n, 'delta')).toBe('0.000000000000000001')
  expect(formatAmount(0n, 'rdp:8')).toBe('0')
  expect(formatAmount(3n * 10n ** 15n, 'rdp:inf')).toBe('3')
  expect(formatAmount(-1_500_000_000_000_000n, 'eps')).toBe('-1.5')
})
