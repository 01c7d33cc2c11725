import type { Position } from '../ledger/block.js'
import type { EventStore } from '../ledger/event-store.js'
import { type Comparison, compareWithJournal } from './compare-journal.js'
import { importJournal } from './import-journal.js'
import type { Topics } from './journal.js'
import {
  decisionsBeyond,
  forked,
  foundStale,
  journalEmptied,
  journalReplaced,
  rangeLost,
  seenBeyond,
} from './journal-fault.js'

/** A log whose journal is to be looked at. It must not be empty. */
export interface Checked {
  readonly ledger: string
  readonly store: EventStore
  readonly topics: Topics
}

/** What a start may do about an older copy. */
export interface Repair {
  /** The last position that somebody has seen, and the file that says so. */
  readonly seen: { readonly position: Position | undefined; readonly path: string }
  readonly stamp: (lastAt: string) => string
  readonly progress: (line: string) => void
}

/** How far the journal has the log. Where it has nothing of it, whoever knows of an earlier one has to say so. */
export interface Standing {
  /** The last record that is in the journal. */
  readonly journalled: Position | undefined
  /** Where the journal ended: nobody else has written from there on, or it will show. */
  readonly high: bigint
}

/**
 * Compares a log with what left it, before anything is decided, and brings back what an older copy lacks.
 *
 * @throws LedgerError with the codes of {@link JournalFaultCode}, and what store and topics reject with.
 */
export const checkAtStart = async (checked: Checked, repair: Repair): Promise<Standing> => {
  const { ledger, store, topics } = checked
  const { comparison, head } = await compared(checked)
  if (comparison.kind !== 'stale') return standingOf(comparison, head)
  const { end, from } = comparison
  const { position: seen, path } = repair.seen
  if (seen !== undefined && seen.seq > end.seq) throw seenBeyond(path, seen, end)
  repair.progress(`the log ends with record ${head.seq} and its journal with record ${end.seq}: bringing back the rest`)
  const imported = await importJournal({
    journal: topics.journal(ledger),
    store,
    from,
    spendsEnds: () => topics.spendsEnds(),
    stamp: repair.stamp,
    progress: repair.progress,
  })
  return { journalled: imported.end, high: imported.high }
}

/** The same for a service that runs already, and cannot take in what is missing. @throws LedgerError `STALE` beside the others. */
export const checkWhileRunning = async (checked: Checked): Promise<Standing> => {
  const { comparison, head } = await compared(checked)
  if (comparison.kind === 'stale') throw foundStale(head, comparison.end)
  return standingOf(comparison, head)
}

/** A log that says that it had a journal, beside one that has nothing of it, was copied before what it lacks. */
export const requireKnownJournal = (
  { journalled }: Standing,
  { topic, had, head }: { readonly topic: string; readonly had: bigint; readonly head: number },
): void => {
  if (journalled === undefined && had > 0n) throw journalReplaced(topic, had, head)
}

const compared = async ({ ledger, store, topics }: Checked) => {
  const head = await store.head()
  if (head === undefined) throw new RangeError('a log without records has no journal')
  // Decisions leave after the journal has their records: asked for before it, they can only be ahead if something was lost.
  const decided = (await topics.decidedUpTo(ledger)) ?? 0
  const comparison = await compareWithJournal(topics.journal(ledger), store, head)
  if (comparison.kind === 'forked') throw forked(comparison.block.first, comparison.offset)
  if (comparison.kind === 'gap') throw rangeLost(comparison.fromSeq, comparison.toSeq)
  const end = comparison.kind === 'stale' ? comparison.end.seq : head.seq
  if (decided > end) throw decisionsBeyond(decided, end)
  return { comparison, head }
}

const standingOf = (comparison: Exclude<Sound, Stale>, head: Position): Standing => {
  if (comparison.kind === 'current') return { journalled: comparison.end, high: comparison.high }
  // What was deleted may have been this ledger's.
  if (comparison.ends.low > 0n) throw journalEmptied(comparison.ends, head)
  return { journalled: undefined, high: comparison.ends.high }
}

type Sound = Exclude<Comparison, { readonly kind: 'forked' | 'gap' }>
type Stale = Extract<Comparison, { readonly kind: 'stale' }>
