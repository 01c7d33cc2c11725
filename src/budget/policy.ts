import type { Filter } from '../accounting/filter.js'
import type { Cap, Metric, Relation, Row } from '../accounting/units.js'
import type { WindowKind } from './window.js'

/** What a spend says of itself, and what a policy's scope and match can name. `source` comes from the token. */
export type Attribute = 'unit' | 'dataset' | 'analyst' | 'purpose' | 'source'

export const ATTRIBUTES: readonly Attribute[] = ['unit', 'dataset', 'analyst', 'purpose', 'source']

/** A guarantee enters the proof's verdict; a quota only refuses. */
export type Role = 'guarantee' | 'quota'

/** Attribute → the values it may have. An absent attribute is not looked at. */
export type Match = { readonly [attribute in Attribute]?: readonly string[] }

/** One order of an `rdp` policy with its part of the conversion's delta (a decimal; "0" for `inf`). */
export interface OrderShare {
  readonly alpha: number | 'inf'
  readonly deltaShare: string
}

/**
 * What a policy says, with the caps that follow from it.
 *
 * `and` rows must all hold; of the `or` rows, where there are any, one must (`docs/privacy.md`). `caps` are integers
 * at each row's scale, rounded down, as decimal strings, or DEAD for an order that can never accept anything.
 */
export interface PolicyTerms {
  readonly id: string
  readonly scope: readonly Attribute[]
  readonly match: Match
  readonly metric: Metric
  readonly epsilon: string
  readonly deltaConv: string
  readonly deltaExt: string
  readonly neighboring: Relation
  readonly window: WindowKind
  readonly role: Role
  readonly orders: readonly OrderShare[]
  readonly alphaStar: string | null
  readonly and: readonly Row[]
  readonly or: readonly Row[]
  readonly caps: Readonly<Record<string, string>>
  readonly costFn: 'exact-v1'
}

/** A policy as it stands in a record. */
export interface PolicyVersion extends PolicyTerms {
  readonly version: number
  /**
   * Counts the structures that this id has had. Balances belong to (id, generation): a change of caps keeps them, a
   * change of metric, orders, scope or window begins new ones, and going back to a structure finds its sums again.
   */
  readonly generation: number
}

/** A policy version prepared for deciding: rows in one fixed order, caps as integers. */
export interface Policy extends PolicyVersion {
  readonly rows: readonly Row[]
  readonly capOf: ReadonlyMap<Row, Cap>
  readonly filter: Filter
}

export const preparePolicy = (version: PolicyVersion): Policy => {
  const known = prepared.get(version)
  if (known !== undefined) return known
  const policy = prepare(version)
  prepared.set(version, policy)
  return policy
}

/** A version never changes, and every answer asks for its policy. */
const prepared = new WeakMap<PolicyVersion, Policy>()

const prepare = (version: PolicyVersion): Policy => {
  const rows = [...version.and, ...version.or]
  const capOf = new Map<Row, Cap>(rows.map((row) => [row, capFromText(version.caps[row])]))
  const filter = { and: version.and, or: version.or, caps: Object.fromEntries(capOf) }
  return { ...version, rows, capOf, filter }
}

const capFromText = (text: string | undefined): Cap => (text === undefined || text === 'DEAD' ? 'DEAD' : BigInt(text))

/** What must stay the same for balances to be carried on. */
export const structureOf = (terms: PolicyTerms): string =>
  JSON.stringify([
    terms.metric,
    terms.neighboring,
    terms.scope,
    terms.window,
    [...terms.and].sort(),
    [...terms.or].sort(),
  ])

/**
 * Whether `next` can only refuse more than `now`, so that it may hold at once. Everything else waits for a second
 * person.
 */
export const tightens = (now: PolicyTerms, next: PolicyTerms): boolean =>
  structureOf(now) === structureOf(next) &&
  (now.role === next.role || next.role === 'guarantee') &&
  matchCovers(next.match, now.match) &&
  Object.entries(next.caps).every(([row, cap]) => capAtMost(cap, now.caps[row]))

const capAtMost = (cap: string, bound: string | undefined): boolean =>
  cap === 'DEAD' || (bound !== undefined && bound !== 'DEAD' && BigInt(cap) <= BigInt(bound))

/** Whether every spend that `narrow` matches is matched by `wide` too. */
const matchCovers = (wide: Match, narrow: Match): boolean =>
  Object.entries(wide).every(([attribute, values]) => {
    const narrowed = narrow[attribute as Attribute]
    return narrowed?.every((value) => values.includes(value)) === true
  })

/** Whether one spend could be charged to both: no attribute has two value sets without a common value. */
export const couldMeet = (one: PolicyTerms, other: PolicyTerms): boolean =>
  Object.entries(one.match).every(([attribute, values]) => {
    const others = other.match[attribute as Attribute]
    // A spend with several units can meet one policy by one unit and another policy by another.
    return attribute === 'unit' || others === undefined || values.some((value) => others.includes(value))
  })
