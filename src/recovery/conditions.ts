import { compare, parseRational } from '../accounting/rational.js'
import { formatAmount } from '../accounting/units.js'
import { type PolicyVersion, preparePolicy, tightens } from '../budget/policy.js'
import type { PolicyHistory } from '../budget/registry.js'
import type { Audit } from './audit.js'
import { overdrawnName } from './cap-below-spent.js'

/** What held for a policy id from a record on; null after its removal. */
export interface Held {
  readonly seq: number
  readonly version: PolicyVersion | null
}

export const heldOf = ({ changes, versions }: PolicyHistory): readonly Held[] =>
  changes.flatMap(({ kind, version: number, seq }) =>
    kind === 'set' || kind === 'approved'
      ? [{ seq, version: versions.find(({ version }) => version === number) ?? null }]
      : [],
  )

/**
 * What the statement about a guarantee rests on beside the theorems: everything that was decided about it after
 * something was charged, by somebody who may have seen what was released, and everything that it did not count
 * (`docs/privacy.md`, "When a policy changes").
 */
export const conditionsOf = (
  audit: Audit,
  history: PolicyHistory,
  guarantee: PolicyVersion,
  use: { readonly budgetsAboveCap: number; readonly largestUse: string },
): readonly string[] => {
  const walk = new Walk(audit, guarantee.generation)
  for (const held of heldOf(history)) walk.take(held)
  return [...walk.end(), ...aboveCap(audit, guarantee, walk.charged, use)]
}

/** Goes through what held, from the side of one generation. */
class Walk {
  readonly charged: PolicyVersion[] = []
  readonly #found: string[] = []
  #before: Held | undefined
  #own: PolicyVersion | undefined
  #removed: number | undefined

  constructor(
    private readonly audit: Audit,
    private readonly generation: number,
  ) {}

  take(held: Held): void {
    const { seq, version } = held
    const isOwn = version?.generation === this.generation
    const wasOwn = this.#before?.version?.generation === this.generation
    if (wasOwn && !isOwn) this.#left(held)
    if (isOwn && !wasOwn && this.#before !== undefined) this.#entered(seq)
    if (version !== null && isOwn) this.#holds(version, seq)
    this.#before = held
  }

  end(): readonly string[] {
    if (this.#removed === undefined) return this.#found
    return [...this.#found, `record ${this.#removed} removed it: the statement covers what was released before`]
  }

  #left({ seq, version }: Held): void {
    if (version === null) this.#removed = seq
    else this.#found.push(restarted(seq))
  }

  #entered(seq: number): void {
    if (this.#own === undefined) this.#found.push(restarted(seq))
    else if (this.#removed === undefined)
      this.#found.push(`record ${seq} gave it this structure again: what was released in between is not counted`)
    else
      this.#found.push(
        `record ${this.#removed} removed it and record ${seq} set it again: what was released in between is not counted`,
      )
    this.#removed = undefined
  }

  #holds(version: PolicyVersion, seq: number): void {
    if (this.#own !== undefined) this.#found.push(...changed(this.#own, version, seq, this.charged.length > 0))
    this.#own = version
    if (this.audit.charged.has(preparePolicy(version))) this.charged.push(version)
  }
}

const restarted = (seq: number): string =>
  `record ${seq} gave it another structure: losses before and after are kept apart, and the statement holds for each`

const UNSEEN = 'if that was decided without looking at what was released before'

/** What a change within one structure adds: a choice of caps counts only once there was something to look at. */
const changed = (now: PolicyVersion, next: PolicyVersion, seq: number, charged: boolean): readonly string[] => {
  const adaptive = now.metric === 'zcdp' || now.metric === 'rdp'
  const wasQuota = now.role === 'quota'
  const found: string[] = []
  if (charged && wasQuota && next.role === 'guarantee')
    found.push(`record ${seq} made it a guarantee: what was charged before, as to a quota, was not held to it`)
  if (!wasQuota && next.role === 'quota')
    found.push(`record ${seq} made it a quota: the statement covers what was released before`)
  if (charged && (adaptive || wasQuota) && !capsWithin(next, now))
    found.push(`record ${seq} raised its cap${wasQuota ? ' while it was a quota' : ''}: the statement holds ${UNSEEN}`)
  if (charged && adaptive && !capsWithin(now, next))
    found.push(`record ${seq} lowered its cap: the statement holds for the lower one ${UNSEEN}`)
  if (!matchCovers(next, now))
    found.push(`record ${seq} changed what it matches: the statement covers what matched at the time`)
  if (!matchCovers(now, next))
    found.push(`record ${seq} widened what it matches: what was released before outside the old match is not counted`)
  return found
}

/** Whether no cap of `one` is above that of `other`. */
export const capsWithin = (one: PolicyVersion, other: PolicyVersion): boolean =>
  Object.entries(one.caps).every(([row, cap]) => unitsOf(cap) <= unitsOf(other.caps[row]))

const unitsOf = (cap: string | undefined): bigint => (cap === undefined || cap === 'DEAD' ? 0n : BigInt(cap))

/** Whether everything that `narrow` matches is matched by `wide`: with nothing else changed, it can only refuse more. */
const matchCovers = (wide: PolicyVersion, narrow: PolicyVersion): boolean =>
  tightens(narrow, { ...narrow, match: wide.match })

/** Budgets beyond the cap: the statement does not hold for them, whoever took them there. */
const aboveCap = (
  audit: Audit,
  guarantee: PolicyVersion,
  charged: readonly PolicyVersion[],
  { budgetsAboveCap, largestUse }: { readonly budgetsAboveCap: number; readonly largestUse: string },
): readonly string[] => {
  if (budgetsAboveCap === 0) return []
  const overdrawn = audit.overdrawn.get(overdrawnName(guarantee))
  const before = Math.min(overdrawn?.budgets ?? 0, budgetsAboveCap)
  const overcharged = Math.min(audit.overcharged.get(overdrawnName(guarantee)) ?? 0, budgetsAboveCap - before)
  const after = budgetsAboveCap - before - overcharged
  const found: string[] = []
  if (overdrawn !== undefined && before > 0) {
    found.push(
      `${counted(before)} had taken more than this cap before record ${overdrawn.seq} set it, up to ${largestUse} times the cap by now: the statement does not hold there; the largest cap under which something was charged is ${largestOf(charged)}`,
    )
  }
  if (overcharged > 0) {
    found.push(
      `${counted(overcharged)} went beyond the cap, up to ${largestUse} times the cap, by what a recovery charged because its decision is lost: the statement holds there if the lost decisions kept to the cap`,
    )
  }
  if (after > 0) {
    found.push(
      `${counted(after)} went beyond the cap, up to ${largestUse} times the cap: the statement does not hold there`,
    )
  }
  return found
}

const counted = (budgets: number): string => `${budgets} ${budgets === 1 ? 'budget' : 'budgets'}`

/** Rows that are named one by one; an `rdp` policy has a cap for each order. */
const MOST_ROWS = 2

const largestOf = (versions: readonly PolicyVersion[]): string => {
  const [first, ...rest] = versions
  if (first === undefined) return 'none'
  const largest = rest.reduce((one, other) => (isLarger(other, one) ? other : one), first)
  const { rows, capOf } = preparePolicy(largest)
  const caps = rows.slice(0, MOST_ROWS).map((row) => {
    const cap = capOf.get(row)
    return `${row} ${formatAmount(cap === undefined || cap === 'DEAD' ? 0n : cap, row)}`
  })
  return `that of version ${largest.version}, epsilon ${largest.epsilon} (${rows.length > MOST_ROWS ? `${rows.length} rows` : caps.join(', ')})`
}

const isLarger = (one: PolicyVersion, other: PolicyVersion): boolean =>
  compare(parseRational(one.epsilon), parseRational(other.epsilon)) > 0
