import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exp, expm1, ln, log1p } from '../../src/accounting/exact/elementary.js'
import {
  difference,
  hull,
  type Interval,
  negate,
  ofRational,
  power,
  product,
  quotient,
  sum,
} from '../../src/accounting/exact/interval.js'
import { ceilScaled, compareReals, floorScaled } from '../../src/accounting/exact/rounding.js'
import { parseRational, type Rational, rational } from '../../src/accounting/rational.js'
import * as reference from './reference.js'

const BITS = 64

/** lo ≤ x ≤ hi for a fraction x. */
function contains({ lo, hi, exp: exponent }: Interval, { num, den }: Rational): boolean {
  const scale = 2n ** BigInt(Math.abs(exponent))
  return exponent >= 0
    ? lo * scale * den <= num && num <= hi * scale * den
    : lo * den <= num * scale && num * scale <= hi * den
}

const rationals = fc
  .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.bigInt({ min: 1n, max: 10n ** 30n }))
  .map(([num, den]) => rational(num, den))
const positives = rationals.map(({ num, den }) => rational(num < 0n ? -num : num + 1n, den))
const enclosed = (x: Rational): Interval => ofRational(x, BITS)

describe('every operation contains the exact result', () => {
  test('of sums, differences and products of any sign', () => {
    fc.assert(
      fc.property(rationals, rationals, (x, y) => {
        const [a, b] = [enclosed(x), enclosed(y)]
        expect(contains(sum(a, b, BITS), rational(x.num * y.den + y.num * x.den, x.den * y.den))).toBe(true)
        expect(contains(difference(a, b, BITS), rational(x.num * y.den - y.num * x.den, x.den * y.den))).toBe(true)
        expect(contains(product(a, b, BITS), rational(x.num * y.num, x.den * y.den))).toBe(true)
        expect(contains(negate(a), rational(-x.num, x.den))).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  test('of quotients and powers', () => {
    fc.assert(
      fc.property(rationals, positives, fc.integer({ min: 0, max: 20 }), (x, y, exponent) => {
        expect(contains(quotient(enclosed(x), enclosed(y), BITS), rational(x.num * y.den, x.den * y.num))).toBe(true)
        const exact = rational(y.num ** BigInt(exponent), y.den ** BigInt(exponent))
        expect(contains(power(enclosed(y), exponent, BITS), exact)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  test('of numbers of very different size', () => {
    const far = { lo: 3n, hi: 3n, exp: -100_000 }
    const one = { lo: 1n, hi: 1n, exp: 0 }
    const added = sum(one, far, BITS)
    expect(compareEnds(added, one)).toEqual([true, true])
    expect(compareEnds(hull(far, one, BITS), one)[1]).toBe(true)
    expect(() => quotient(one, { lo: 0n, hi: 1n, exp: 0 }, BITS)).toThrow(RangeError)
  })

  test('of exp and ln and their forms near 0 and 1', () => {
    const near = (x: Rational): Rational => rational(x.num, x.den * 10n ** 12n)
    fc.assert(
      fc.property(positives, (x) => {
        const small = near(x)
        if (small.num < 300n * small.den) {
          expectAround(exp(enclosed(small), BITS), reference.exp(reference.fixed(small)))
          expectAround(expm1(enclosed(small), BITS), reference.exp(reference.fixed(small)) - reference.whole(1))
          const down = rational(-small.num, small.den)
          expectAround(exp(enclosed(down), BITS), reference.exp(reference.fixed(down)))
          expectAround(expm1(enclosed(down), BITS), reference.exp(reference.fixed(down)) - reference.whole(1))
        }
        expectAround(ln(enclosed(x), BITS), reference.ln(reference.fixed(x)), reference.whole(1))
        expectAround(log1p(enclosed(small), BITS), reference.ln(reference.whole(1) + reference.fixed(small)))
        const below = rational(-x.num, 3n * (x.num + x.den))
        expectAround(log1p(enclosed(below), BITS), reference.ln(reference.whole(1) + reference.fixed(below)))
      }),
      { numRuns: 100 },
    )
  })
})

test('what is next to 0 keeps its digits, without carrying the zeros before them', () => {
  for (const zeros of [70, 200, 20_000_000]) {
    for (const sign of [1n, -1n]) {
      const x = { lo: sign * 3n, hi: sign * 3n, exp: -zeros }
      const [above, below] = [expm1(x, BITS), log1p(x, BITS)]
      // e^x - 1 lies between x and x + x², ln(1 + x) between x - x² and x; the widths are 2⁻⁶⁴ of |x|.
      const scaled = ({ lo, hi, exp: exponent }: Interval) =>
        [lo, hi].map((end) => end << BigInt(exponent + zeros + BITS))
      const whole = (sign * 3n) << BigInt(BITS)
      expect(scaled(above)).toEqual([whole, whole + 3n])
      expect(scaled(below)).toEqual([whole - 3n, whole])
    }
  }
})

describe('rounding', () => {
  test('adds digits until both ends agree', () => {
    const asked: number[] = []
    const third = (bits: number): Interval => {
      asked.push(bits)
      return { lo: 2n ** 63n / 3n, hi: 2n ** 63n / 3n + (bits < 512 ? 2n ** 62n : 1n), exp: -63 }
    }
    expect(ceilScaled(third, 1n)).toBe(1n)
    expect(floorScaled(third, 5n)).toBe(1n)
    expect(asked).toContain(512)
  })

  test('takes the safe side where no number of digits can tell', () => {
    const aroundFour = (bits: number): Interval => ({
      lo: 2n ** BigInt(bits) - 1n,
      hi: 2n ** BigInt(bits) + 1n,
      exp: 2 - bits,
    })
    expect(ceilScaled(aroundFour, 1n)).toBe(5n)
    expect(floorScaled(aroundFour, 1n)).toBe(3n)
    expect(compareReals(aroundFour, aroundFour)).toBe(0)
  })

  test('asks for no more digits than it takes to reach the most that it can be', () => {
    const asked: number[] = []
    const belowFour = (bits: number): Interval => {
      asked.push(bits)
      return { lo: 2n ** BigInt(bits) - 1n, hi: 2n ** BigInt(bits) + 1n, exp: 2 - bits }
    }
    expect(ceilScaled(belowFour, 1n, 4n)).toBe(4n)
    expect(asked).toHaveLength(1)
  })

  test('calls what reaches 2⁶³ - 1 infinite', () => {
    const exactly = (units: bigint) => (): Interval => ({ lo: units, hi: units, exp: 0 })
    expect(ceilScaled(exactly(2n ** 63n - 2n), 1n)).toBe(2n ** 63n - 2n)
    expect(ceilScaled(exactly(2n ** 63n - 1n), 1n)).toBe('INF')
    expect(ceilScaled(() => ({ lo: 1n, hi: 2n, exp: 1_000_000 }), 1n)).toBe('INF')
    expect(ceilScaled(() => ({ lo: 0n, hi: 1n, exp: -1_000_000 }), 10n ** 30n)).toBe(1n)
    expect(ceilScaled(exactly(5n), 0n)).toBe(0n)
  })
})

/** The enclosure contains the value and is not absurdly wide. */
function expectAround(interval: Interval, value: reference.Fixed, floor = 1n << 1_300n): void {
  const { lo, hi, exp: exponent } = interval
  const shift = BigInt(reference.PLACES) + BigInt(exponent)
  const scaled = (end: bigint): bigint => (shift >= 0n ? end << shift : end >> -shift)
  const slack = 2n
  expect(scaled(lo) <= value + slack && value <= scaled(hi) + slack).toBe(true)
  const magnitude = value < 0n ? -value : value
  expect(scaled(hi) - scaled(lo) <= ((magnitude + floor) >> BigInt(BITS - 8)) + slack).toBe(true)
}

/** Whether the lower end is at most `x`, and the upper at least. */
const compareEnds = (interval: Interval, x: Interval): [boolean, boolean] => {
  const shift = BigInt(x.exp - interval.exp)
  return [interval.lo <= x.lo << shift, interval.hi >= x.hi << shift]
}

test('a fraction is enclosed exactly where it can be', () => {
  expect(contains(ofRational(parseRational('1/3'), BITS), parseRational('1/3'))).toBe(true)
  const two = ofRational(rational(2n), BITS)
  expect([two.lo, two.hi]).toEqual([2n, 2n])
})
