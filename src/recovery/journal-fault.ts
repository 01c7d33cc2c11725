import type { Position } from '../ledger/block.js'
import { LedgerError } from '../ledger/errors.js'

/** Why a log cannot be brought up to its journal: something that is needed is not there, or is another one. */
export type JournalFaultCode =
  | 'JOURNAL_RANGE_LOST'
  | 'JOURNAL_EMPTIED'
  | 'JOURNAL_REPLACED'
  | 'DECISIONS_BEYOND_JOURNAL'
  | 'JOURNAL_DAMAGED'
  | 'FORKED'
  | 'STALE'
  | 'FENCED'

const RUNBOOK = 'docs/runbooks/restored-copy.md'

const fault = (code: JournalFaultCode, message: string, exitCode: number, hint: string, cause?: unknown): LedgerError =>
  new LedgerError(code, message, { retry: 'never', hint: `${hint} ${RUNBOOK}`, exitCode, cause })

const NEWEST = 'Put the newest ledger.db back, or bring the journal back from where it is kept.'
const NEWEST_OR_AGREED = `${NEWEST} Of a log that is certainly the newest, an operator and an approver may say that its journal begins anew.`

/** Records that the log lacks and that the journal does not have any more. */
export const rangeLost = (from: number, to: number): LedgerError =>
  fault(
    'JOURNAL_RANGE_LOST',
    `the log ends before record ${from} and its journal goes on after record ${to}: records ${from} to ${to} are lost`,
    21,
    NEWEST,
  )

/** Records that somebody has seen, beyond the end of log and journal. */
export const seenBeyond = (path: string, seen: Position, end: Position): LedgerError =>
  fault(
    'JOURNAL_RANGE_LOST',
    `${path} has seen record ${seen.seq}, but log and journal end with record ${end.seq}: records ${end.seq + 1} to ${seen.seq} are lost`,
    21,
    NEWEST,
  )

export const journalEmptied = (topic: string, high: bigint, head: number): LedgerError =>
  fault(
    'JOURNAL_EMPTIED',
    `${topic} had ${high} messages, lacks the oldest of them, and has none of this ledger now: records after ${head}, if there were any, are lost`,
    21,
    NEWEST_OR_AGREED,
  )

export const journalReplaced = (topic: string, had: bigint, head: number): LedgerError =>
  fault(
    'JOURNAL_REPLACED',
    `the log says that ${topic} had ${had} messages or more, and it has none of this ledger now: it was made anew, and records after ${head}, if there were any, are lost`,
    21,
    NEWEST_OR_AGREED,
  )

export const decisionsBeyond = (decided: number, end: number): LedgerError =>
  fault(
    'DECISIONS_BEYOND_JOURNAL',
    `decisions up to record ${decided} were published, but log and journal end with record ${end}: records ${end + 1} to ${decided} are lost`,
    21,
    NEWEST,
  )

export const journalDamaged = (offset: bigint, cause: LedgerError): LedgerError =>
  fault(
    'JOURNAL_DAMAGED',
    `the journal's message ${offset} does not follow the block before it: ${cause.message}`,
    20,
    'Keep topic and log as they are.',
    cause,
  )

export const forked = (seq: number, offset: bigint): LedgerError =>
  fault(
    'FORKED',
    `the journal's message ${offset} has another record ${seq} than the log: two processes have gone on from one copy`,
    22,
    'Keep both, and serve neither.',
  )

/** Found while the service runs: only a start can bring back what is missing. */
export const foundStale = (head: Position, end: Position): LedgerError =>
  new LedgerError('STALE', `the log ends with record ${head.seq}, but its journal goes on to record ${end.seq}`, {
    retry: 'after-restart',
    hint: `Start again: the start brings back what is missing. ${RUNBOOK}`,
    exitCode: 21,
  })

export const fenced = (why: string): LedgerError =>
  fault('FENCED', `another process writes this ledger: ${why}`, 11, 'Stop the other one, and start again.')
