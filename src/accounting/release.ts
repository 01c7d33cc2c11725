import { partsOfDpEvent } from './dp-event.js'
import { AccountingError } from './errors.js'
import { Fields } from './fields.js'
import { isTranscendental, type Mechanism, mechanismText } from './mechanism.js'
import { MECHANISM_FIELDS, parseMechanism } from './mechanism-body.js'
import { partsOfOpacusHistory } from './opacus.js'
import { isZero } from './rational.js'
import { LARGEST_COUNT, type Relation } from './units.js'

/** One mechanism, run `count` times; its cost is rounded up once. */
export interface Part {
  readonly mechanism: Mechanism
  readonly count: bigint
}

/** What one spend releases, in the form its cost depends on. Immutable. */
export interface Release {
  /** Charged together; a release costs the sum of its parts' own ceilings. */
  readonly parts: readonly Part[]
  /** How often the whole release is repeated; the counts of the parts contain it. */
  readonly repetitions: bigint
  readonly relation: Relation
  /** Canonical text: bodies that mean the same release have the same key, however their numbers are written. */
  readonly key: string
}

/** The names a spend body may have at its top. */
export const BODY_FIELDS: readonly string[] = [...MECHANISM_FIELDS, 'parts', 'dpEvent', 'opacusHistory']

const MOST_PARTS = 1_000
/** What takes milliseconds each; equal mechanisms count once, however often they occur. */
const MOST_TRANSCENDENTAL = 64
const DEEPEST = 16

/**
 * Reads a spend body: one mechanism with its parameters, or `parts`, or a `dpEvent` of dp_accounting, or an
 * `opacusHistory`. Unknown fields are refused.
 *
 * @throws AccountingError with the JSON pointer of what is wrong.
 */
export function parseRelease(body: unknown, relation: Relation): Release {
  const parts = partsOf(body, relation, '', 0)
  refuseTooLarge(parts)
  return releaseOf(parts, parts.length === 1 ? parts[0]!.count : 1n, relation)
}

/** The same release, repeated `count` times: the `count` of a single mechanism, whole repetitions of several parts. */
export function withCount(release: Release, count: bigint): Release {
  if (count < 0n || count > LARGEST_COUNT) {
    throw new AccountingError('OUT_OF_RANGE', `count must lie between 0 and ${LARGEST_COUNT}, not ${count}`, '/count')
  }
  if (release.repetitions === 0n) throw new RangeError('a release of count 0 no longer says what it repeats')
  const parts = release.parts.map((part) => ({ ...part, count: (part.count / release.repetitions) * count }))
  return releaseOf(parts, count, release.relation)
}

export const countOf = (release: Release): bigint => release.repetitions

/** Whether the release has a δ of its own, which a reservation on a zcdp or rdp budget must not have. */
export const deltaOf = (release: Release): boolean =>
  release.parts.some(({ mechanism }) => mechanismHasDelta(mechanism))

function partsOf(body: unknown, relation: Relation, pointer: string, depth: number): readonly Part[] {
  if (depth > DEEPEST) throw new AccountingError('OUT_OF_RANGE', `nested deeper than ${DEEPEST}`, pointer)
  const fields = new Fields(body, pointer)
  const parts = oneForm(fields, relation, depth)
  fields.end()
  return parts
}

function oneForm(fields: Fields, relation: Relation, depth: number): readonly Part[] {
  const forms = ['mechanism', 'parts', 'dpEvent', 'opacusHistory'].filter((name) => fields.has(name))
  if (forms.length !== 1) {
    const found = forms.length === 0 ? 'none' : forms.join(' and ')
    throw new AccountingError(
      'INVALID',
      `a body has exactly one of mechanism, parts, dpEvent and opacusHistory, here ${found}`,
      fields.pointer,
    )
  }
  if (fields.has('parts')) return nestedParts(fields, relation, depth)
  if (fields.has('dpEvent')) return partsOfDpEvent(fields.take('dpEvent'), relation, fields.at('dpEvent'))
  if (fields.has('opacusHistory')) {
    return partsOfOpacusHistory(fields.list('opacusHistory'), relation, fields.at('opacusHistory'))
  }
  return [Object.freeze({ mechanism: parseMechanism(fields, relation), count: fields.count() })]
}

function nestedParts(fields: Fields, relation: Relation, depth: number): readonly Part[] {
  const list = fields.list('parts')
  const pointer = fields.at('parts')
  if (list.length === 0) throw new AccountingError('INVALID', 'parts must not be empty', pointer)
  return list.flatMap((part, index) => partsOf(part, relation, `${pointer}/${index}`, depth + 1))
}

function refuseTooLarge(parts: readonly Part[]): void {
  if (parts.length > MOST_PARTS) {
    throw new AccountingError('OUT_OF_RANGE', `a release has at most ${MOST_PARTS} parts, this one ${parts.length}`)
  }
  if (parts.length <= MOST_TRANSCENDENTAL) return
  const costly = parts.map(({ mechanism }) => mechanism).filter(isTranscendental)
  const different = new Set(costly.map(mechanismText)).size
  if (different <= MOST_TRANSCENDENTAL) return
  throw new AccountingError(
    'OUT_OF_RANGE',
    `a release has at most ${MOST_TRANSCENDENTAL} different mechanisms whose cost is no fraction, this one ${different}; send several spends`,
  )
}

function releaseOf(parts: readonly Part[], repetitions: bigint, relation: Relation): Release {
  const texts = parts.map(({ mechanism, count }) => `${mechanismText(mechanism)}x${count}`)
  const key = `${relation} ${repetitions} ${texts.join(' ')}`
  return Object.freeze({ parts: Object.freeze(parts), repetitions, relation, key })
}

function mechanismHasDelta(mechanism: Mechanism): boolean {
  switch (mechanism.kind) {
    case 'declared_approx':
    case 'sampled_approx':
    case 'declared_zcdp':
      return !isZero(mechanism.delta)
    default:
      return false
  }
}
