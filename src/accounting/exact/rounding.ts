import { INFINITE_FROM } from '../units.js'
import { ceilings, difference, floors, type Interval, times } from './interval.js'

/** A real number known through enclosures: the more bits, the narrower. */
export type Enclosure = (bits: number) => Interval

export const FIRST_BITS = 128
export const LAST_BITS = 4_096

/** More digits than any amount has, so that a huge enclosure is never written out. */
const LARGEST_EXPONENT = 64

/**
 * ⌈factor · x⌉ for a real x above 0, or `INF` from 2⁶³ - 1. Digits are added until both ends of the enclosure round alike;
 * where even `LAST_BITS` cannot tell, the larger end is taken.
 *
 * @param most where it is known that the result is no larger: an x just below a whole number needs no more digits then.
 */
export function ceilScaled(x: Enclosure, factor: bigint, most = INFINITE_FROM): bigint | 'INF' {
  if (factor === 0n) return 0n
  for (let bits = FIRST_BITS; ; bits *= 2) {
    const scaled = times(x(bits), factor, 2 * bits)
    if (scaled.exp > LARGEST_EXPONENT) {
      if (scaled.lo > 0n || bits >= LAST_BITS) return 'INF'
      continue
    }
    const [below, beyond] = ceilings(scaled)
    const above = beyond < most ? beyond : most
    const least = below > 1n ? below : 1n
    if (least >= INFINITE_FROM) return 'INF'
    if (above <= least || bits >= LAST_BITS) return above >= INFINITE_FROM ? 'INF' : above
  }
}

/** Whether factor · x is certainly at least `limit`, at a glance. */
export const reaches = (x: Enclosure, factor: bigint, limit: bigint): boolean =>
  floors(times(x(FIRST_BITS), factor, 2 * FIRST_BITS))[0] >= limit

/** ⌊factor · x⌋ for any real x; where even `LAST_BITS` cannot tell, the smaller integer. */
export function floorScaled(x: Enclosure, factor: bigint): bigint {
  for (let bits = FIRST_BITS; ; bits *= 2) {
    const [below, above] = floors(times(x(bits), factor, 2 * bits))
    if (below === above || bits >= LAST_BITS) return below
  }
}

/** The sign of x - y; 0 where even `LAST_BITS` cannot tell. */
export function compareReals(x: Enclosure, y: Enclosure): -1 | 0 | 1 {
  for (let bits = FIRST_BITS; bits <= LAST_BITS; bits *= 2) {
    const { lo, hi } = difference(x(bits), y(bits), bits)
    if (lo > 0n) return 1
    if (hi < 0n) return -1
  }
  return 0
}
