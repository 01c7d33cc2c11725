import { pricesOf } from './price.js'
import type { Rational } from './rational.js'
import type { Release } from './release.js'
import type { Row } from './units.js'

/**
 * What one run costs in each row, in units: the exact fraction, or one larger by a factor below 1 + 2⁻¹⁰⁰ where the loss
 * is irrational. So n runs cost at most r units wherever n times it is at most r.
 *
 * @returns nothing for a row in which one run is infinite, and nothing at all for a release of several parts, which has
 *   no count of its own.
 */
export const unitsPerCount = (release: Release, rows: readonly Row[]): ReadonlyMap<Row, Rational> => {
  const [part] = release.parts
  const units = new Map<Row, Rational>()
  if (part === undefined || release.parts.length > 1) return units
  for (const [row, price] of pricesOf(part.mechanism, release.relation, rows)) {
    if (price !== 'INF') units.set(row, price.hi)
  }
  return units
}
