import type { Rational } from '../rational.js'

/**
 * A closed interval [lo · 2^exp, hi · 2^exp] that contains a real number.
 *
 * Every operation rounds outwards, so a result contains each value that the exact operation can take on the inputs. How
 * many bits are kept is the caller's choice; more bits give a narrower interval, never a wrong one.
 */
export interface Interval {
  readonly lo: bigint
  readonly hi: bigint
  readonly exp: number
}

export const NOUGHT: Interval = Object.freeze({ lo: 0n, hi: 0n, exp: 0 })

export const point = (value: bigint, exp = 0): Interval => ({ lo: value, hi: value, exp })

/** The number of binary digits of |value|, at most 3 too many. */
export function bitsOf(value: bigint): number {
  const digits = value.toString(16).length
  return 4 * (value < 0n ? digits - 1 : digits)
}

/** ⌊value / 2^bits⌋ for any sign; a negative `bits` multiplies. */
export const floorShift = (value: bigint, bits: number): bigint => value >> BigInt(bits)

/** ⌈value / 2^bits⌉ for any sign; a negative `bits` multiplies. */
export const ceilShift = (value: bigint, bits: number): bigint => -(-value >> BigInt(bits))

/** Drops digits beyond `bits`, outwards. */
export function trim(x: Interval, bits: number): Interval {
  const low = bitsOf(x.lo)
  const high = bitsOf(x.hi)
  const excess = (low > high ? low : high) - bits
  if (excess <= 0) return x
  return { lo: floorShift(x.lo, excess), hi: ceilShift(x.hi, excess), exp: x.exp + excess }
}

export function ofRational({ num, den }: Rational, bits: number): Interval {
  if (den === 1n) return trim(point(num), bits)
  const shift = bits + bitsOf(den) - bitsOf(num)
  const [top, bottom] = shift > 0 ? [num << BigInt(shift), den] : [num, den << BigInt(-shift)]
  return { lo: floorRatio(top, bottom), hi: ceilRatio(top, bottom), exp: -shift }
}

export const negate = (x: Interval): Interval => ({ lo: -x.hi, hi: -x.lo, exp: x.exp })

export function sum(x: Interval, y: Interval, bits: number): Interval {
  const exp = commonExponent(x, y, bits)
  const [a, b] = [rescale(x, exp), rescale(y, exp)]
  return trim({ lo: a.lo + b.lo, hi: a.hi + b.hi, exp }, bits)
}

/** The smallest interval from the lower end of `low` to the upper end of `high`. */
export function hull(low: Interval, high: Interval, bits: number): Interval {
  const exp = commonExponent(low, high, bits)
  return trim({ lo: rescale(low, exp).lo, hi: rescale(high, exp).hi, exp }, bits)
}

export const difference = (x: Interval, y: Interval, bits: number): Interval => sum(x, negate(y), bits)

export function product(x: Interval, y: Interval, bits: number): Interval {
  const exp = x.exp + y.exp
  if (x.lo >= 0n && y.lo >= 0n) return trim({ lo: x.lo * y.lo, hi: x.hi * y.hi, exp }, bits)
  const [lo, hi] = extremes([x.lo * y.lo, x.lo * y.hi, x.hi * y.lo, x.hi * y.hi])
  return trim({ lo, hi, exp }, bits)
}

/** x / y for an interval y above 0. */
export function quotient(x: Interval, y: Interval, bits: number): Interval {
  if (y.lo <= 0n) throw new RangeError('division by an interval that reaches 0')
  const widest = bitsOf(x.lo) > bitsOf(x.hi) ? bitsOf(x.lo) : bitsOf(x.hi)
  const needed = bits + bitsOf(y.hi) - widest
  const shift = BigInt(needed > 0 ? needed : 0)
  const lo = x.lo << shift
  const hi = x.hi << shift
  return trim(
    {
      lo: floorRatio(lo, lo < 0n ? y.lo : y.hi),
      hi: ceilRatio(hi, hi < 0n ? y.hi : y.lo),
      exp: x.exp - y.exp - Number(shift),
    },
    bits,
  )
}

/** x · factor for an integer factor of at least 0. */
export const times = (x: Interval, factor: bigint, bits: number): Interval =>
  trim({ lo: x.lo * factor, hi: x.hi * factor, exp: x.exp }, bits)

/** x^power for an interval of at least 0 and an integer power of at least 0. */
export function power(x: Interval, exponent: number, bits: number): Interval {
  let result = point(1n)
  let square = x
  for (let rest = exponent; rest > 0; rest >>= 1) {
    if (rest & 1) result = product(result, square, bits)
    if (rest > 1) square = product(square, square, bits)
  }
  return result
}

/** ⌊x⌋ of both ends; undefined where they are too large to be written out. */
export const floors = (x: Interval): readonly [bigint, bigint] => [floorShift(x.lo, -x.exp), floorShift(x.hi, -x.exp)]

/** ⌈x⌉ of both ends. */
export const ceilings = (x: Interval): readonly [bigint, bigint] => [ceilShift(x.lo, -x.exp), ceilShift(x.hi, -x.exp)]

/** The finer exponent; where the two lie far apart one just fine enough, so that no shift makes huge numbers. */
function commonExponent(x: Interval, y: Interval, bits: number): number {
  if (isNought(x)) return y.exp
  if (isNought(y)) return x.exp
  const [coarse, fine] = x.exp >= y.exp ? [x.exp, y.exp] : [y.exp, x.exp]
  return coarse - fine > 4 * bits ? coarse - 2 * bits : fine
}

const isNought = (x: Interval): boolean => x.lo === 0n && x.hi === 0n

const rescale = (x: Interval, exp: number): { lo: bigint; hi: bigint } => ({
  lo: isNought(x) ? 0n : floorShift(x.lo, exp - x.exp),
  hi: isNought(x) ? 0n : ceilShift(x.hi, exp - x.exp),
})

const floorRatio = (num: bigint, den: bigint): bigint => {
  const ratio = num / den
  return num < 0n && ratio * den !== num ? ratio - 1n : ratio
}

const ceilRatio = (num: bigint, den: bigint): bigint => -floorRatio(-num, den)

function extremes(values: readonly bigint[]): readonly [bigint, bigint] {
  let lo = values[0]!
  let hi = lo
  for (const value of values) {
    if (value < lo) lo = value
    if (value > hi) hi = value
  }
  return [lo, hi]
}
