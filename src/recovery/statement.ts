import type { JsonObject } from '../ledger/record.js'
import { type Check, checksOf, type SubCheck } from './checks.js'
import { type Guarantee, guaranteesOf } from './guarantees.js'
import type { Verification } from './verify.js'

/** Which program made a statement. */
export interface Program {
  readonly name: string
  readonly version: string
}

export type Verdict =
  | { readonly code: 'verified'; readonly guarantees: number; readonly conditional: number }
  | { readonly code: 'violated'; readonly violations: number }
  | { readonly code: 'unknown'; readonly because: string }

export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1'
export const PREDICATE_TYPE = 'urn:epsilon-ledger:recovery-proof:v1'

const VERIFIED = 'Privacy guarantees verified'

/** What the four checks come to. Only "verified" lets a service go on as if nothing had happened. */
export const verdictOf = ({ fault, replay }: Verification, checks: readonly Check[]): Verdict => {
  if (fault !== undefined) return { code: 'unknown', because: `${fault.code} at record ${fault.seq}` }
  if (replay.violations.count > 0) return { code: 'violated', violations: replay.violations.count }
  const failed = checks.find(({ status }) => status === 'failed')
  if (failed !== undefined) return { code: 'unknown', because: `${failed.name} failed` }
  const guarantees = guaranteesOf(replay)
  const conditional = guarantees.filter(({ conditions }) => conditions.length > 0).length
  return { code: 'verified', guarantees: guarantees.length, conditional }
}

/** One sentence for people. */
export const sentenceOf = (verdict: Verdict): string => {
  switch (verdict.code) {
    case 'verified':
      return verdict.conditional === 0
        ? VERIFIED
        : `${VERIFIED}, ${verdict.conditional} of ${verdict.guarantees} under a condition`
    case 'violated':
      return `Privacy guarantees violated: ${verdict.violations} ${verdict.violations === 1 ? 'violation' : 'violations'} on record`
    case 'unknown':
      return `Privacy guarantees unknown: ${verdict.because}`
  }
}

/** Violations that a statement lists; it counts all of them. */
const MOST_LISTED = 100

/**
 * The in-toto statement about a ledger: the same log and program give the same statement, byte for byte, since it has no
 * clock of its own. It names no unit: how often somebody's data was used is that person's.
 *
 * @throws RangeError for a log with a fault, about which nothing can be stated.
 */
export const statementOf = (verification: Verification, program: Program): JsonObject => {
  const { fault, head, root, size, digest, epoch, headChecked, replay } = verification
  if (fault !== undefined || head === undefined)
    throw new RangeError('nothing can be stated about a log with a bad record')
  const checks = checksOf(verification)
  const verdict = verdictOf(verification, checks)
  const { ledger } = replay.state.registry
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: `ledger:${ledger}`, digest: { sha256: digest, rfc6962Root: root, headLeaf: head.leaf } }],
    predicateType: PREDICATE_TYPE,
    predicate: {
      ledger,
      epoch,
      asOf: head.at,
      head: { seq: head.seq, leaf: head.leaf },
      headChecked,
      root,
      size,
      counts: Object.fromEntries(replay.state.counts),
      costFn: 'exact-v1',
      guarantees: guaranteesOf(replay).map(guaranteeFacts),
      checks: checks.map(checkFacts),
      verdict: { ...verdict },
      statement: sentenceOf(verdict),
      violationCount: replay.violations.count,
      violations: replay.violations.items.slice(0, MOST_LISTED).map(({ key: _, ...facts }) => facts),
      notices: {
        reportsBeyondQuota: replay.notices.countOf('REPORT_BEYOND_QUOTA'),
        capsBelowSpent: replay.notices.countOf('CAP_BELOW_SPENT'),
        partsVoided: replay.notices.countOf('PARTS_VOIDED'),
        overcharged: replay.notices.countOf('OVERCHARGED'),
      },
      program: { ...program },
    },
  }
}

const guaranteeFacts = ({ policy, conditions, ...facts }: Guarantee): JsonObject => ({
  policy: policy.id,
  version: policy.version,
  generation: policy.generation,
  scope: policy.scope,
  match: matchFacts(policy.match),
  metric: policy.metric,
  neighboring: policy.neighboring,
  epsilon: policy.epsilon,
  deltaConv: policy.deltaConv,
  deltaExt: policy.deltaExt,
  orders: policy.orders.map((order) => ({ ...order })),
  alphaStar: policy.alphaStar,
  caps: policy.caps,
  ...facts,
  conditional: conditions.length > 0,
  conditions,
})

/** A match by unit is shown as a number: who was singled out is nobody else's concern. */
const matchFacts = ({ unit, ...match }: Guarantee['policy']['match']): JsonObject => ({
  ...Object.fromEntries(Object.entries(match).map(([name, values]) => [name, [...values]])),
  ...(unit === undefined ? {} : { units: unit.length }),
})

const checkFacts = ({ name, status, parts }: Check): JsonObject => ({ name, status, parts: parts.map(partFacts) })

const partFacts = ({ name, status, detail, figures }: SubCheck): JsonObject => ({
  name,
  status,
  detail,
  figures: { ...figures },
})
