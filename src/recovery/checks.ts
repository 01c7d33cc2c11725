import type { Gap } from '../budget/registry.js'
import type { FaultCode } from './fault.js'
import type { Verification } from './verify.js'
import type { ViolationCode } from './violation.js'

/** Whether one property holds; `notExamined` where a bad record ended the verification before. */
export type CheckStatus = 'passed' | 'failed' | 'notApplicable' | 'notExamined'

export interface SubCheck {
  readonly name: string
  readonly status: CheckStatus
  /** What was seen, why it failed, or why it does not apply. */
  readonly detail: string
  readonly figures: { readonly [name: string]: number }
}

/** One of the four assertions that stand between a restored ledger and its users. */
export interface Check {
  readonly name: CheckName
  readonly status: 'passed' | 'failed'
  readonly parts: readonly SubCheck[]
}

export type CheckName =
  | 'verify_privacy_budget_consistency'
  | 'validate_privacy_parameters'
  | 'check_noise_generation_integrity'
  | 'no_privacy_budget_exceeded'

/** What a part looks for: these codes fail it. */
interface Part {
  readonly name: string
  readonly codes: readonly (FaultCode | ViolationCode)[]
  readonly detail: string
  readonly figures: { readonly [name: string]: number }
}

interface Absent {
  readonly name: string
  readonly because: string
}

/** The four checks, each with its parts, over one verification. */
export const checksOf = (verification: Verification): readonly Check[] => [
  checkOf(verification, 'verify_privacy_budget_consistency', consistency(verification)),
  checkOf(verification, 'validate_privacy_parameters', parameters(verification)),
  checkOf(verification, 'check_noise_generation_integrity', noise(verification)),
  checkOf(verification, 'no_privacy_budget_exceeded', budgets(verification)),
]

const consistency = ({
  replay: { tally, state, notices },
  size,
  epoch,
  headChecked,
  fault,
}: Verification): readonly (Part | Absent)[] => [
  {
    name: 'chain',
    codes: [
      'RECORD_UNREADABLE',
      'RECORD_NOT_CANONICAL',
      'RECORD_MISSING',
      'BLOCK_MISSING',
      'SEQ_GAP',
      'CHAIN_BROKEN',
      'EPOCH_BROKEN',
      'GAP_INVALID',
      'TIME_WENT_BACK',
    ],
    detail: 'every record is canonical, follows the hash of the one before, and never goes back in time',
    figures: { records: size, ...(epoch === 0 ? {} : gapFigures(state.registry.gaps)) },
  },
  headChecked || fault?.code === 'HEAD_MISMATCH'
    ? {
        name: 'head',
        codes: ['HEAD_MISMATCH'],
        detail: 'the last record has the leaf that was noted beside the log',
        figures: {},
      }
    : { name: 'head', because: 'no head was given: a log that lost its last records looks whole from inside' },
  {
    name: 'catalogue',
    codes: [
      'EVENT_UNKNOWN',
      'EVENT_MALFORMED',
      'LEDGER_NOT_OPENED',
      'LEDGER_OPENED_TWICE',
      'TOKEN_INVALID',
      'HALT_INVALID',
    ],
    detail: 'every record is an event of the catalogue, in its form',
    figures: Object.fromEntries([...state.counts].sort()),
  },
  {
    name: 'sums',
    codes: ['SUM_MISMATCH', 'REFUSAL_UNFOUNDED', 'REFUSAL_MISMATCH', 'DROP_UNFOUNDED'],
    detail: 'replay adds up to every sum that a record states, and refuses what was refused',
    figures: { sums: tally.sumsCompared, refusals: tally.refusals, refusalsOfUnnamedUnits: tally.refusalsOutOfReach },
  },
  {
    name: 'idempotency',
    codes: ['REQUEST_REPEATED', 'REQUEST_HASH_MISMATCH'],
    detail: 'no request was charged twice, and each has the hash of what it asked for',
    figures: { requests: tally.requests, hashes: tally.hashesRecomputed, hashesOutOfReach: tally.hashesOutOfReach },
  },
  {
    name: 'causes',
    codes: ['SOURCE_MISMATCH', 'CAUSE_INVALID', 'PARTS_MISMATCH', 'CHARGE_MISMATCH', 'WINDOW_MISMATCH'],
    detail: 'every charge has a request, and goes to the budgets that its policies name at its instant',
    figures: {
      budgetsTouched: tally.budgetsTouched,
      parts: tally.partsRead,
      voidedParts: notices.countOf('PARTS_VOIDED'),
    },
  },
  {
    name: 'authority',
    codes: ['NOT_AUTHORISED'],
    detail: 'whoever asked had a role for it, and over HTTP a token that was good at that instant',
    figures: { tokens: state.registry.tokens.size },
  },
  {
    name: 'reservations',
    codes: [
      'RESERVATION_INVALID',
      'RESERVATION_NOT_OPEN',
      'RESERVATION_OVERDUE',
      'RESERVATION_EXCEEDED',
      'EXPIRED_EARLY',
    ],
    detail: 'each was closed at most once, in time, and for at most what it held',
    figures: {
      opened: tally.reservationsOpened,
      settled: tally.reservationsSettled,
      released: tally.reservationsReleased,
      expired: tally.reservationsExpired,
      open: state.openReservations,
    },
  },
  state.partitions === 0 && !isFault(fault, CURSOR_CODES)
    ? { name: 'consumer cursors', because: 'no record was caused by a topic' }
    : {
        name: 'consumer cursors',
        codes: CURSOR_CODES,
        detail: 'every message was handled once, in the order of its partition, and none was passed over in silence',
        figures: {
          partitions: state.partitions,
          records: tally.kafkaRecords,
          resets: state.registry.resets.filter(({ approvedBy }) => approvedBy !== null).length,
        },
      },
  tally.quarantined === 0 && !isFault(fault, ['QUARANTINE_INVALID'])
    ? { name: 'quarantine', because: 'no message was quarantined' }
    : {
        name: 'quarantine',
        codes: ['QUARANTINE_INVALID'],
        detail: 'what nobody could account was resolved at most once, by a charge or by two people',
        figures: {
          messages: tally.quarantined,
          dismissed: tally.dismissed,
          unresolved: state.unresolvedMessages,
        },
      },
  { name: 'witnesses', because: 'no witness keeps checkpoints of this ledger yet' },
  { name: 'spend windows', because: 'no write-ahead windows are published yet' },
  { name: 'backups', because: 'this statement is about the records at hand, not about copies of them' },
  { name: 'allotments', because: 'the ledger is shard 0 of 1: no budget is shared with another' },
]

const CURSOR_CODES: readonly FaultCode[] = ['OFFSET_REPEATED', 'RESET_INVALID']

const isFault = (fault: Verification['fault'], codes: readonly FaultCode[]): boolean =>
  fault !== undefined && codes.includes(fault.code)

const gapFigures = (gaps: readonly Gap[]): { readonly [name: string]: number } => ({
  gaps: gaps.length,
  missing: gaps.reduce((sum, { from, to }) => sum + to - from + 1, 0),
})

const parameters = ({ epoch, replay: { tally, costs } }: Verification): readonly (Part | Absent)[] => [
  {
    name: 'requests',
    codes: ['REQUEST_INVALID', 'RELATION_MISMATCH'],
    detail: 'every recorded request still reads as one: exact numbers, 0 <= delta < 1, no unknown field',
    figures: { requests: tally.requests },
  },
  {
    name: 'costs',
    codes: ['COST_TOO_LOW', 'COST_MISMATCH'],
    detail: 'every cost is the exact one of its release (exact-v1), derived anew',
    figures: { costs: tally.costsCompared, releases: costs.derived },
  },
  {
    name: 'caps',
    codes: ['CAP_TOO_HIGH'],
    detail: 'no cap is above what epsilon, delta and orders give, derived anew',
    figures: { caps: tally.capsCompared, policyVersions: tally.policyVersions },
  },
  {
    name: 'policy changes',
    codes: ['POLICY_MISMATCH', 'POLICY_RAISED_ALONE', 'APPROVAL_INVALID', 'RELATION_CONFLICT'],
    detail: 'what admits more was approved by a second person',
    figures: { approved: tally.policyRaises, raisedGuarantees: tally.guaranteesRaised },
  },
  epoch === 0
    ? { name: 'configuration after a restore', because: 'the ledger is in its first epoch: it was never restored' }
    : { name: 'configuration after a restore', because: 'policies are records of this same chain, checked above' },
]

const noise = ({ replay: { tally, noise: index } }: Verification): readonly (Part | Absent)[] => [
  tally.noiseRanges === 0
    ? { name: 'streams', because: 'no spend names the noise that it used' }
    : {
        name: 'streams',
        codes: ['NOISE_REUSED'],
        detail: 'no counter of a noise stream was used twice, in any epoch',
        figures: { ranges: tally.noiseRanges, streams: index.streams },
      },
  {
    name: 'scale',
    codes: ['COST_TOO_LOW', 'COST_MISMATCH'],
    detail: 'what is charged is what the declared noise costs',
    figures: { costs: tally.costsCompared },
  },
  { name: 'noise epochs', because: 'emitters draw the noise and hold its keys; the ledger has none' },
  { name: 'sampler', because: 'emitters draw the noise; the ledger has no sampler to test' },
  { name: 'seeds', because: 'a record has no field that could hold a seed, and no backup is looked at here' },
]

const budgets = ({ replay: { tally, notices } }: Verification): readonly (Part | Absent)[] => [
  {
    name: 'permits',
    codes: ['PERMIT_BEYOND_CAP', 'PERMIT_BEYOND_QUOTA', 'PERMIT_WHILE_HALTED', 'UNDECIDED_NOT_CHARGED'],
    detail: 'after every permit, each budget was within the cap in force at that record',
    figures: {
      permits: tally.permits,
      budgetsTouched: tally.budgetsTouched,
      capsBelowSpent: notices.countOf('CAP_BELOW_SPENT'),
    },
  },
  {
    name: 'reports',
    codes: ['REPORT_BEYOND_CAP', 'VIOLATION_HIDDEN', 'VIOLATION_MISMATCH'],
    detail: 'no release that was reported afterwards took a guarantee beyond its cap',
    figures: { reports: tally.reports, beyondQuota: notices.countOf('REPORT_BEYOND_QUOTA') },
  },
  {
    name: 'over-charge',
    codes: [],
    detail: 'what nobody could prove unused is charged in full',
    figures: {
      expiredReservations: tally.reservationsExpired,
      undecided: tally.undecided,
      budgetsBeyondCap: notices.countOf('OVERCHARGED'),
    },
  },
]

const checkOf = (verification: Verification, name: CheckName, parts: readonly (Part | Absent)[]): Check => {
  const judged = parts.map((part) => ('because' in part ? absent(part) : judge(verification, part)))
  const passed = judged.every(({ status }) => status === 'passed' || status === 'notApplicable')
  return { name, status: passed ? 'passed' : 'failed', parts: judged }
}

const absent = ({ name, because }: Absent): SubCheck => ({
  name,
  status: 'notApplicable',
  detail: because,
  figures: {},
})

const judge = ({ fault, replay }: Verification, { name, codes, detail, figures }: Part): SubCheck => {
  if (fault !== undefined && (codes as readonly string[]).includes(fault.code)) {
    return { name, status: 'failed', detail: fault.message, figures }
  }
  const violations = codes.reduce((sum, code) => sum + replay.violations.countOf(code), 0)
  if (violations > 0) {
    const first = replay.violations.items.find(({ code }) => codes.includes(code))
    return {
      name,
      status: 'failed',
      detail: `record ${first?.seq}: ${first?.detail}`,
      figures: { ...figures, violations },
    }
  }
  if (fault !== undefined) {
    return {
      name,
      status: 'notExamined',
      detail: `record ${fault.seq} is bad; nothing from there on was looked at`,
      figures,
    }
  }
  return { name, status: 'passed', detail, figures }
}
