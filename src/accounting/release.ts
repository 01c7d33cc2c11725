import { runsOfDpEvent } from './dp-event.js'
import { AccountingError } from './errors.js'
import { Fields } from './fields.js'
import { isTranscendental, type Mechanism, mechanismText } from './mechanism.js'
import { MECHANISM_FIELDS, parseMechanism } from './mechanism-body.js'
import { runsOfOpacusHistory } from './opacus.js'
import { isZero } from './rational.js'
import { LARGEST_COUNT, type Relation } from './units.js'

/** One mechanism, run `count` times. */
export interface Run {
  readonly mechanism: Mechanism
  readonly count: bigint
}

/** A run whose cost is rounded up once. */
export interface Part extends Run {
  /** The mechanism's canonical text, without the count. */
  readonly text: string
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

export const MOST_PARTS = 1_000
/** What takes up to some milliseconds each in 21 orders, and up to a tenth of a second in the 64 largest. */
export const MOST_SAMPLED_GAUSSIANS = 16
/** What takes up to a millisecond or so each in 21 orders. */
export const MOST_TRANSCENDENTAL = 64
const DEEPEST = 16

/**
 * Reads a spend body: one mechanism with its parameters, or `parts`, or a `dpEvent` of dp_accounting, or an
 * `opacusHistory`. Unknown fields are refused.
 *
 * @throws AccountingError with the JSON pointer of what is wrong.
 */
export function parseRelease(body: unknown, relation: Relation): Release {
  const runs = runsOf(body, relation, '', 0)
  const parts = runs.map((run) => Object.freeze({ ...run, text: mechanismText(run.mechanism) }))
  refuseTooLarge(parts)
  return releaseOf(parts, parts.length === 1 ? parts[0]!.count : 1n, relation)
}

/** The same release, repeated `count` times: the `count` of a single mechanism, whole repetitions of several parts. */
export function withCount(release: Release, count: bigint): Release {
  if (count < 0n || count > LARGEST_COUNT) {
    throw new AccountingError('OUT_OF_RANGE', `count must lie between 0 and ${LARGEST_COUNT}, not ${count}`, '/count')
  }
  if (release.repetitions === 0n) throw new RangeError('a release of count 0 no longer says what it repeats')
  const parts = release.parts.map((part) =>
    Object.freeze({ ...part, count: (part.count / release.repetitions) * count }),
  )
  return releaseOf(parts, count, release.relation)
}

export const countOf = (release: Release): bigint => release.repetitions

/** Whether any part has no privacy at all: no budget can ever admit it, and only a report can record it. */
export const isNonPrivate = (release: Release): boolean =>
  release.parts.some(({ mechanism }) => mechanism.kind === 'non_private')

/** Whether the release has a δ of its own, which a reservation on a zcdp or rdp budget must not have. */
export const deltaOf = (release: Release): boolean =>
  release.parts.some(({ mechanism }) => mechanismHasDelta(mechanism))

function runsOf(body: unknown, relation: Relation, pointer: string, depth: number): readonly Run[] {
  if (depth > DEEPEST) throw new AccountingError('OUT_OF_RANGE', `nested deeper than ${DEEPEST}`, pointer)
  const fields = new Fields(body, pointer)
  const runs = oneForm(fields, relation, depth)
  fields.end()
  return runs
}

function oneForm(fields: Fields, relation: Relation, depth: number): readonly Run[] {
  const forms = ['mechanism', 'parts', 'dpEvent', 'opacusHistory'].filter((name) => fields.has(name))
  if (forms.length !== 1) {
    const found = forms.length === 0 ? 'none' : forms.join(' and ')
    throw new AccountingError(
      'INVALID',
      `a body has exactly one of mechanism, parts, dpEvent and opacusHistory, here ${found}`,
      fields.pointer,
    )
  }
  if (fields.has('parts')) return nestedRuns(fields, relation, depth)
  if (fields.has('dpEvent')) return runsOfDpEvent(fields.take('dpEvent'), relation, fields.at('dpEvent'))
  if (fields.has('opacusHistory')) {
    return runsOfOpacusHistory(fields.list('opacusHistory'), relation, fields.at('opacusHistory'))
  }
  return [{ mechanism: parseMechanism(fields, relation), count: fields.count() }]
}

function nestedRuns(fields: Fields, relation: Relation, depth: number): readonly Run[] {
  const list = fields.list('parts')
  const pointer = fields.at('parts')
  if (list.length === 0) throw new AccountingError('INVALID', 'parts must not be empty', pointer)
  return list.flatMap((part, index) => runsOf(part, relation, `${pointer}/${index}`, depth + 1))
}

/** Equal mechanisms are worked out once, however often they occur, and so they count once. */
function refuseTooLarge(parts: readonly Part[]): void {
  if (parts.length > MOST_PARTS) {
    throw new AccountingError(
      'OUT_OF_RANGE',
      `a release has at most ${MOST_PARTS} parts, this one ${parts.length}; send several spends`,
    )
  }
  const sampled = parts.filter(({ mechanism }) => mechanism.kind === 'sampled_gaussian')
  refuseMoreThan(MOST_SAMPLED_GAUSSIANS, sampled, 'Gaussians on Poisson samples')
  const costly = parts.filter(({ mechanism }) => isTranscendental(mechanism))
  refuseMoreThan(MOST_TRANSCENDENTAL, costly, 'mechanisms whose cost is no fraction')
}

function refuseMoreThan(most: number, parts: readonly Part[], what: string): void {
  if (parts.length <= most) return
  const different = new Set(parts.map(({ text }) => text)).size
  if (different <= most) return
  throw new AccountingError(
    'OUT_OF_RANGE',
    `a release has at most ${most} different ${what}, this one ${different}; send several spends`,
  )
}

function releaseOf(parts: readonly Part[], repetitions: bigint, relation: Relation): Release {
  const texts = parts.map(({ text, count }) => `${text}x${count}`)
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
