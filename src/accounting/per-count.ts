import { lossesOf } from './cost.js'
import { unreachable } from './errors.js'
import type { Interval } from './exact/interval.js'
import { FIRST_BITS } from './exact/rounding.js'
import { costOfLoss, type Loss } from './loss.js'
import { compare, multiply, type Rational, rational } from './rational.js'
import type { Release } from './release.js'
import { type Row, scaleOf } from './units.js'

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
  const losses = lossesOf(part, release.relation)
  for (const row of rows) {
    const loss = losses(row)
    const scale = scaleOf(row)
    if (costOfLoss(loss, 1n, scale) !== 'INF') units.set(row, multiply(above(loss, scale), rational(scale)))
  }
  return units
}

/** The loss as a fraction, rounded up where it is none. */
const above = (loss: Loss, scale: bigint): Rational => {
  switch (loss.kind) {
    case 'infinite':
      throw new RangeError('an infinite loss has no fraction')
    case 'exact':
      return loss.value
    case 'real':
      return upperEnd(loss.value(FIRST_BITS))
    case 'least':
      return finite(loss.of, scale).reduce((one, other) => (compare(one, other) < 0 ? one : other))
    case 'greatest':
      return finite(loss.of, scale).reduce((one, other) => (compare(one, other) < 0 ? other : one))
    default:
      return unreachable(loss)
  }
}

const finite = (losses: readonly Loss[], scale: bigint): readonly Rational[] =>
  losses.filter((loss) => costOfLoss(loss, 1n, scale) !== 'INF').map((loss) => above(loss, scale))

const upperEnd = ({ hi, exp }: Interval): Rational =>
  exp >= 0 ? rational(hi << BigInt(exp)) : rational(hi, 1n << BigInt(-exp))
