import { AccountingError } from './errors.js'
import { inTranscendentalRange, integerFrom } from './fields.js'
import { poissonSampled, square } from './mechanism-body.js'
import { compare, isZero, ONE, parseRational } from './rational.js'
import type { Run } from './release.js'
import { LARGEST_COUNT, type Relation } from './units.js'

/**
 * Reads the `history` of an Opacus accountant's `state_dict()`: triples of noise multiplier, sample rate and number of
 * steps (opacus@4d0ebc84, accountants/accountant.py). They mean Poisson sampling and one record added or removed.
 */
export function runsOfOpacusHistory(history: readonly unknown[], relation: Relation, pointer: string): readonly Run[] {
  if (relation !== 'add_or_remove_one') {
    throw new AccountingError('RELATION_MISMATCH', `an Opacus history has no cost under ${relation}`, pointer)
  }
  if (history.length === 0) throw new AccountingError('INVALID', 'the history must not be empty', pointer)
  return history.map((entry, index) => runOf(entry, relation, `${pointer}/${index}`))
}

function runOf(entry: unknown, relation: Relation, pointer: string): Run {
  if (!Array.isArray(entry) || entry.length !== 3) {
    throw new AccountingError('INVALID', 'expected [noiseMultiplier, sampleRate, steps]', pointer)
  }
  const noiseMultiplier = parseRational(entry[0], `${pointer}/0`)
  if (isZero(noiseMultiplier)) throw new AccountingError('OUT_OF_RANGE', 'must be above 0', `${pointer}/0`)
  const probability = inTranscendentalRange(parseRational(entry[1], `${pointer}/1`), `${pointer}/1`)
  if (compare(probability, ONE) > 0) throw new AccountingError('OUT_OF_RANGE', 'must be at most 1', `${pointer}/1`)
  const gaussian = { kind: 'gaussian', variance: square(noiseMultiplier) } as const
  const mechanism = poissonSampled(gaussian, probability, relation, pointer)
  return { mechanism, count: integerFrom(entry[2], 1n, LARGEST_COUNT, `${pointer}/2`) }
}
