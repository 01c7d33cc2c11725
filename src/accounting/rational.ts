import { AccountingError } from './errors.js'

/** An exact fraction in lowest terms; `den` is positive. */
export interface Rational {
  readonly num: bigint
  readonly den: bigint
}

/** At most this many significant digits in a number, or in each half of a fraction. */
const MOST_DIGITS = 60
/** Powers of ten of this size and beyond are refused. */
const EXPONENT_LIMIT = 400
/** Longer than any number that keeps the two limits. */
const MOST_CHARACTERS = 1_000

const DECIMAL = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d{1,4}))?$/
const FRACTION = /^(-?)(0|[1-9]\d*)\/([1-9]\d*)$/

export const ZERO: Rational = Object.freeze({ num: 0n, den: 1n })
export const ONE: Rational = Object.freeze({ num: 1n, den: 1n })

export function rational(num: bigint, den: bigint = 1n): Rational {
  if (den === 0n) throw new RangeError('a fraction needs a denominator other than 0')
  const divisor = den < 0n ? -gcd(num, den) : gcd(num, den)
  return Object.freeze({ num: num / divisor, den: den / divisor })
}

export const add = (a: Rational, b: Rational): Rational => rational(a.num * b.den + b.num * a.den, a.den * b.den)
export const subtract = (a: Rational, b: Rational): Rational => rational(a.num * b.den - b.num * a.den, a.den * b.den)
export const multiply = (a: Rational, b: Rational): Rational => rational(a.num * b.num, a.den * b.den)
export const divide = (a: Rational, b: Rational): Rational => rational(a.num * b.den, a.den * b.num)

/** Negative, zero or positive as `a` is below, equal to or above `b`. */
export function compare(a: Rational, b: Rational): number {
  const difference = a.num * b.den - b.num * a.den
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

export const isZero = (a: Rational): boolean => a.num === 0n

/** ⌈x⌉ for x = num/den with den > 0. */
export const ceilDivide = (num: bigint, den: bigint): bigint => -floorDivide(-num, den)

/** ⌊x⌋ for x = num/den with den > 0. */
export function floorDivide(num: bigint, den: bigint): bigint {
  const quotient = num / den
  return num < 0n && quotient * den !== num ? quotient - 1n : quotient
}

/**
 * Reads a non-negative number exactly: a decimal (`0.1`, `2.5e-7`), a fraction of two integers (`250/60000`), or a JSON
 * number by its shortest decimal.
 *
 * @throws AccountingError `INVALID_NUMBER` for what is no such number, `OUT_OF_RANGE` for a negative one.
 */
export function parseRational(value: unknown, pointer = ''): Rational {
  const text = textOf(value, pointer)
  const fraction = FRACTION.exec(text)
  const decimal = fraction === null ? DECIMAL.exec(text) : null
  if (fraction === null && decimal === null) {
    throw new AccountingError('INVALID_NUMBER', `${show(text)} is neither a decimal nor a fraction p/q`, pointer)
  }
  const result = fraction !== null ? fromFraction(fraction, pointer) : fromDecimal(decimal!, pointer)
  if (text.startsWith('-')) {
    if (isZero(result)) throw new AccountingError('INVALID_NUMBER', `${show(text)}: zero has no sign`, pointer)
    throw new AccountingError('OUT_OF_RANGE', `${show(text)} is negative`, pointer)
  }
  return result
}

/**
 * The one text of a value: a decimal where it ends within 60 digits (`0.1`, `1e-20`), else the fraction (`1/3`).
 * `parseRational` reads it back as the same value, unless a fraction of more digits came out of a computation.
 */
export function rationalText(value: Rational): string {
  const decimal = decimalDigits(value)
  if (decimal === undefined) return `${value.num}/${value.den}`
  const { digits, exponent } = decimal
  if (digits === '0') return '0'
  const point = digits.length + exponent
  if (point > 21 || point < -17) return scientific(digits, point - 1)
  if (exponent >= 0) return digits + '0'.repeat(exponent)
  if (point > 0) return `${digits.slice(0, point)}.${digits.slice(point)}`
  return `0.${'0'.repeat(-point)}${digits}`
}

/** The text of a value that a record keeps. @throws AccountingError `OUT_OF_RANGE` where it could not be read back. */
export function keptText(value: Rational, pointer: string): string {
  const text = rationalText(value)
  try {
    parseRational(text)
  } catch {
    throw new AccountingError('OUT_OF_RANGE', `${show(text)} has too many digits to be kept; use fewer`, pointer)
  }
  return text
}

function textOf(value: unknown, pointer: string): string {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new AccountingError('INVALID_NUMBER', `${value} is not a finite number`, pointer)
    return Object.is(value, -0) ? '-0' : String(value)
  }
  if (typeof value !== 'string') {
    const kind = value === null ? 'null' : typeof value
    throw new AccountingError('INVALID_NUMBER', `expected a decimal string or a number, not ${kind}`, pointer)
  }
  if (value.length > MOST_CHARACTERS) throw new AccountingError('INVALID_NUMBER', 'the number is too long', pointer)
  return value
}

function fromFraction([, , num = '', den = '']: RegExpExecArray, pointer: string): Rational {
  refuseDigits(num.length > MOST_DIGITS || den.length > MOST_DIGITS, pointer)
  return rational(BigInt(num), BigInt(den))
}

function fromDecimal([, , whole = '', fraction = '', power = '0']: RegExpExecArray, pointer: string): Rational {
  const written = Number(power)
  const digits = (whole + fraction).replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  refuseDigits(significant.length > MOST_DIGITS, pointer)
  const leading = digits.length - 1 - fraction.length + written
  if (beyond(written) || (significant !== '' && beyond(leading))) {
    throw new AccountingError('INVALID_NUMBER', `powers of ten must lie strictly within ±${EXPONENT_LIMIT}`, pointer)
  }
  if (significant === '') return ZERO
  const exponent = written - fraction.length + (digits.length - significant.length)
  const scale = 10n ** BigInt(exponent < 0 ? -exponent : exponent)
  return exponent < 0 ? rational(BigInt(significant), scale) : rational(BigInt(significant) * scale)
}

const beyond = (exponent: number): boolean => exponent >= EXPONENT_LIMIT || exponent <= -EXPONENT_LIMIT

function refuseDigits(tooMany: boolean, pointer: string): void {
  if (tooMany) {
    throw new AccountingError('INVALID_NUMBER', `a number has at most ${MOST_DIGITS} significant digits`, pointer)
  }
}

/** value = digits · 10^exponent without trailing zeros in `digits`; undefined where that takes more than 60 digits. */
function decimalDigits(value: Rational): { digits: string; exponent: number } | undefined {
  let rest = value.den
  let twos = 0
  let fives = 0
  for (; rest % 2n === 0n; twos++) rest /= 2n
  for (; rest % 5n === 0n; fives++) rest /= 5n
  if (rest !== 1n) return undefined
  const places = twos > fives ? twos : fives
  const all = (value.num * 2n ** BigInt(places - twos) * 5n ** BigInt(places - fives)).toString()
  const digits = all.replace(/0+$/, '') || '0'
  if (digits.length > MOST_DIGITS) return undefined
  return { digits, exponent: all.length - digits.length - places }
}

function scientific(digits: string, exponent: number): string {
  const mantissa = digits.length === 1 ? digits : `${digits[0]}.${digits.slice(1)}`
  return `${mantissa}e${exponent}`
}

function gcd(a: bigint, b: bigint): bigint {
  let x = a < 0n ? -a : a
  let y = b < 0n ? -b : b
  while (y > LARGEST_SAFE || x > LARGEST_SAFE) {
    if (y === 0n) return x
    ;[x, y] = [y, x % y]
  }
  return BigInt(gcdOfSafe(Number(x), Number(y)))
}

/** Integers that a double holds exactly; their remainders are exact, and several times as quick. */
const LARGEST_SAFE = BigInt(Number.MAX_SAFE_INTEGER)

function gcdOfSafe(a: number, b: number): number {
  let x = a
  let y = b
  while (y !== 0) [x, y] = [y, x % y]
  return x
}

const show = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
