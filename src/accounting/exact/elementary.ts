import {
  bitsOf,
  difference,
  floorShift,
  hull,
  type Interval,
  NOUGHT,
  negate,
  point,
  quotient,
  sum,
} from './interval.js'

/**
 * exp, ln and their forms near 0 and 1, enclosed.
 *
 * Each is evaluated at the ends of its argument in fixed point with `GUARD` digits more than asked for. A series of n
 * terms errs by at most 4n + 4 units of the last place, eight squarings multiply that by 256; with n below 2,000 all errors
 * stay below `ERROR`, which widens the result on both sides.
 */
const GUARD = 48
const ERROR = 1n << 24n
/** |x| below 2^EXP_RANGE: beyond, e^-x is as good as 0 and e^x is not asked for. */
const EXP_RANGE = 30

/** e^x. */
export function exp(x: Interval, bits: number): Interval {
  return monotone(x, bits, expAt)
}

/** e^x - 1, to full relative precision near 0. */
export function expm1(x: Interval, bits: number): Interval {
  return monotone(x, bits, expm1At)
}

/** ln x for x above 0. */
export function ln(x: Interval, bits: number): Interval {
  if (x.lo <= 0n) throw new RangeError('logarithm of an interval that reaches 0')
  return monotone(x, bits, lnAt)
}

/** ln(1 + x) for x above -1, to full relative precision near 0. */
export function log1p(x: Interval, bits: number): Interval {
  return monotone(x, bits, log1pAt)
}

type Pointwise = (mantissa: bigint, exponent: number, bits: number) => Interval

function monotone(x: Interval, bits: number, at: Pointwise): Interval {
  const low = at(x.lo, x.exp, bits)
  return x.lo === x.hi ? low : hull(low, at(x.hi, x.exp, bits), bits)
}

function expAt(mantissa: bigint, exponent: number, bits: number): Interval {
  if (mantissa === 0n) return point(1n)
  const size = bitsOf(mantissa) + exponent
  if (size > EXP_RANGE) {
    if (mantissa > 0n) throw new RangeError('exponential of a number beyond the accounting range')
    return { lo: 0n, hi: 1n, exp: -(2 ** (EXP_RANGE - 4)) }
  }
  const places = bits + GUARD
  const fine = places + (size > 0 ? size : 0) + 4
  const fixed = floorShift(mantissa, -exponent - fine)
  const ln2 = ln2At(fine)
  const halvings = floorDivide(fixed, ln2)
  const rest = (fixed - halvings * ln2) >> BigInt(fine - places)
  const root = exponentialSeries(rest >> 8n, places) + (1n << BigInt(places))
  let value = root
  for (let i = 0; i < 8; i++) value = (value * value) >> BigInt(places)
  return { lo: value - ERROR, hi: value + ERROR, exp: Number(halvings) - places }
}

function expm1At(mantissa: bigint, exponent: number, bits: number): Interval {
  if (mantissa === 0n) return NOUGHT
  const size = bitsOf(mantissa) + exponent
  if (size < -bits) return beside(mantissa, exponent, bits, 1n)
  if (size > -2) return difference(expAt(mantissa, exponent, bits + 4), point(1n), bits)
  if (mantissa < 0n) {
    const opposite = expm1At(-mantissa, exponent, bits)
    return negate(quotient(opposite, sum(opposite, point(1n), bits), bits))
  }
  const places = bits + GUARD - size
  const value = exponentialSeries(floorShift(mantissa, -exponent - places), places)
  return { lo: value - ERROR, hi: value + ERROR, exp: -places }
}

function lnAt(mantissa: bigint, exponent: number, bits: number): Interval {
  const places = bits + GUARD
  const one = 1n << BigInt(places)
  const digits = bitsOf(mantissa)
  let scale = exponent + digits
  let fixed = floorShift(mantissa, digits - places)
  for (; fixed * 3n < one * 2n; scale--) fixed <<= 1n
  const value = 2n * atanhSeries(((fixed - one) << BigInt(places)) / (fixed + one), places)
  const scaled = value + BigInt(scale) * ln2At(places)
  const error = ERROR + BigInt(scale < 0 ? -scale : scale)
  return { lo: scaled - error, hi: scaled + error, exp: -places }
}

function log1pAt(mantissa: bigint, exponent: number, bits: number): Interval {
  if (mantissa === 0n) return NOUGHT
  const size = bitsOf(mantissa) + exponent
  if (size < -bits) return beside(mantissa, exponent, bits, -1n)
  if (size > -2) return ln(sum(point(1n), point(mantissa, exponent), bits + GUARD), bits)
  const places = bits + GUARD - size
  const fixed = floorShift(mantissa, -exponent - places)
  const value = 2n * atanhSeries((fixed << BigInt(places)) / ((2n << BigInt(places)) + fixed), places)
  return { lo: value - ERROR, hi: value + ERROR, exp: -places }
}

/**
 * From x to x ± 2^-bits·|x|, for |x| below 2^-bits: e^x - 1 lies above x and ln(1 + x) below it, both by less than x². A
 * series would carry as many digits as there are zeros after the point.
 */
function beside(mantissa: bigint, exponent: number, bits: number, side: 1n | -1n): Interval {
  const x = mantissa << BigInt(bits)
  const other = x + side * (mantissa < 0n ? -mantissa : mantissa)
  return side > 0n ? { lo: x, hi: other, exp: exponent - bits } : { lo: other, hi: x, exp: exponent - bits }
}

/** e^x - 1 for a fixed-point x of 0 to 1/4. */
function exponentialSeries(x: bigint, places: number): bigint {
  const shift = BigInt(places)
  let total = x
  let term = x
  for (let n = 2n; term > 0n; n++) {
    term = ((term * x) >> shift) / n
    total += term
  }
  return total
}

/** artanh z for a fixed-point z between -1/5 and 1/5. */
function atanhSeries(z: bigint, places: number): bigint {
  if (z < 0n) return -atanhSeries(-z, places)
  const shift = BigInt(places)
  const square = (z * z) >> shift
  let total = z
  let power = z
  for (let n = 3n; power > 0n; n += 2n) {
    power = (power * square) >> shift
    total += power / n
  }
  return total
}

const knownLn2 = new Map<number, bigint>()

/** ln 2 in fixed point, less than one unit too small. */
function ln2At(places: number): bigint {
  const kept = (places + 63) & ~63
  const known = knownLn2.get(kept) ?? computeLn2(kept)
  knownLn2.set(kept, known)
  return known >> BigInt(kept - places)
}

/** ln 2 = 2 artanh(1/3). */
function computeLn2(places: number): bigint {
  const extra = 32
  let power = (2n << BigInt(places + extra)) / 3n
  let total = 0n
  for (let n = 1n; power > 0n; n += 2n) {
    total += power / n
    power /= 9n
  }
  return total >> BigInt(extra)
}

function floorDivide(a: bigint, b: bigint): bigint {
  const ratio = a / b
  return a < 0n && ratio * b !== a ? ratio - 1n : ratio
}
