import { unreachable } from './errors.js'
import { type Interval, ofRational } from './exact/interval.js'
import { ceilScaled, type Enclosure, FIRST_BITS, LAST_BITS, reaches } from './exact/rounding.js'
import { ceilDivide, compare, isZero, type Rational, rational, ZERO } from './rational.js'
import { type Cost, INFINITE_FROM } from './units.js'

/** What one run of a mechanism costs in one row: an exact number of at least 0, not yet rounded. */
export type Loss =
  | { readonly kind: 'infinite' }
  | { readonly kind: 'exact'; readonly value: Rational }
  | { readonly kind: 'real'; readonly value: Enclosure; readonly atLeast?: Enclosure; readonly atMost?: Rational }
  | { readonly kind: 'least'; readonly of: readonly Loss[] }
  | { readonly kind: 'greatest'; readonly of: readonly Loss[] }

export const INFINITE: Loss = Object.freeze({ kind: 'infinite' })

export const exact = (value: Rational): Loss => ({ kind: 'exact', value })

export const FREE: Loss = Object.freeze(exact(ZERO))

/** A number above 0 that is no fraction; enclosed on demand, each precision once. */
export const real = (value: Enclosure, { atLeast, atMost }: Bounds = {}): Loss => ({
  kind: 'real',
  value: remembered(value),
  ...(atLeast && { atLeast: remembered(atLeast) }),
  ...(atMost && { atMost }),
})

/** What is known beside a real loss. */
interface Bounds {
  /** A cheap lower bound that settles losses too large to be enclosed. */
  readonly atLeast?: Enclosure
  /** No more than this counts. It settles losses that no enclosure tells from a fraction just above them. */
  readonly atMost?: Rational
}

function remembered(value: Enclosure): Enclosure {
  const known = new Map<number, Interval>()
  return (bits) => {
    const interval = known.get(bits) ?? value(bits)
    known.set(bits, interval)
    return interval
  }
}

/** The smallest of several valid bounds. */
export const least = (...of: readonly Loss[]): Loss => ({ kind: 'least', of })

/** The largest of several losses: the worse of two directions. */
export const greatest = (...of: readonly Loss[]): Loss => ({ kind: 'greatest', of })

/**
 * A loss that is a function of the ε of an ε-DP mechanism: nothing at 0, never more than ε, and infinite where ε is beyond
 * every budget, so that no function is ever evaluated there.
 */
export function ofEpsilon(epsilon: Rational, value: (epsilon: Interval, bits: number) => Interval): Loss {
  if (isZero(epsilon)) return FREE
  if (compare(epsilon, BEYOND_EVERY_BUDGET) >= 0) return INFINITE
  return real((bits) => value(ofRational(epsilon, bits), bits), { atMost: epsilon })
}

/** From this ε on every row that follows from a pure ε costs 2⁶³ units or more: none of them is as far as 700 below ε. */
const BEYOND_EVERY_BUDGET = rational(10_000n)

/** ⌈scale · count · loss⌉, rounded up once for the whole count. */
export function costOfLoss(loss: Loss, count: bigint, scale: bigint): Cost {
  if (count === 0n) return 0n
  switch (loss.kind) {
    case 'infinite':
      return 'INF'
    case 'exact': {
      const units = ceilTimes(loss.value, count * scale)
      return units >= INFINITE_FROM ? 'INF' : units
    }
    case 'real':
      if (loss.atLeast !== undefined && reaches(loss.atLeast, count * scale, INFINITE_FROM)) return 'INF'
      return ceilScaled(loss.value, count * scale, loss.atMost && ceilTimes(loss.atMost, count * scale))
    case 'least':
      return loss.of.map((one) => costOfLoss(one, count, scale)).reduce((a, b) => (isBelow(a, b) ? a : b))
    case 'greatest':
      return loss.of.map((one) => costOfLoss(one, count, scale)).reduce((a, b) => (isBelow(a, b) ? b : a))
    default:
      return unreachable(loss)
  }
}

/** Two fractions around a finite loss, equal or closer than one part in 2¹⁰⁰. */
export interface LossBounds {
  readonly lo: Rational
  readonly hi: Rational
}

/** @returns undefined for a loss that even one run makes infinite. */
export function boundsOf(loss: Loss, scale: bigint): LossBounds | undefined {
  if (costOfLoss(loss, 1n, scale) === 'INF') return undefined
  switch (loss.kind) {
    case 'infinite':
      return undefined
    case 'exact':
      return { lo: loss.value, hi: loss.value }
    case 'real':
      return atMost(realBounds(loss.value), loss.atMost)
    case 'least':
      return extremeBounds(loss.of, scale, -1)
    case 'greatest':
      return extremeBounds(loss.of, scale, 1)
    default:
      return unreachable(loss)
  }
}

function extremeBounds(losses: readonly Loss[], scale: bigint, sign: 1 | -1): LossBounds | undefined {
  const pick = (a: Rational, b: Rational): Rational => (compare(a, b) * sign >= 0 ? a : b)
  const bounds = losses.map((loss) => boundsOf(loss, scale)).filter((one) => one !== undefined)
  return bounds.length === 0 ? undefined : bounds.reduce((a, b) => ({ lo: pick(a.lo, b.lo), hi: pick(a.hi, b.hi) }))
}

const atMost = ({ lo, hi }: LossBounds, most: Rational | undefined): LossBounds =>
  most === undefined ? { lo, hi } : { lo: smaller(lo, most), hi: smaller(hi, most) }

const smaller = (a: Rational, b: Rational): Rational => (compare(a, b) <= 0 ? a : b)

const ceilTimes = ({ num, den }: Rational, factor: bigint): bigint => ceilDivide(num * factor, den)

function realBounds(value: Enclosure): LossBounds {
  for (let bits = FIRST_BITS; ; bits *= 2) {
    const { lo, hi, exp } = value(bits)
    const close = lo > 0n && (hi - lo) << 100n <= lo
    if (close || bits >= LAST_BITS) return { lo: scaled(lo > 0n ? lo : 0n, exp), hi: scaled(hi, exp) }
  }
}

const scaled = (mantissa: bigint, exp: number): Rational =>
  exp >= 0 ? rational(mantissa << BigInt(exp)) : rational(mantissa, 1n << BigInt(-exp))

const isBelow = (a: Cost, b: Cost): boolean => a !== 'INF' && (b === 'INF' || a < b)
