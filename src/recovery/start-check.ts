import { approvedResets } from '../budget/registry.js'
import type { BudgetState } from '../budget/state.js'
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
  /** It has nothing of the ledger, but its oldest messages were deleted: they may have been this ledger's. */
  readonly isShortened?: true
}

/** What a log says of its journal. */
export interface KnownJournal {
  readonly topic: string
  /** So many messages or more; 0 where it knows of none, or two people have said that it begins anew. */
  readonly had: bigint
  /** Whether two people have ever said that. */
  readonly isAgreed: boolean
  /** The log's last record. */
  readonly head: number
}

export const knownJournal = (
  state: BudgetState,
  { topic, partition }: Topics['journalName'],
  head: number,
): KnownJournal => ({
  topic,
  had: state.offset(topic, partition)?.next ?? 0n,
  isAgreed: approvedResets(state.registry, topic, partition) > 0,
  head,
})

/**
 * Compares a log with what left it, before anything is decided, and brings back what an older copy lacks.
 *
 * @throws LedgerError with the codes of {@link JournalFaultCode}, and what store and topics reject with.
 */
export const checkAtStart = async (checked: Checked, repair: Repair): Promise<Standing> => {
  const { ledger, store, topics } = checked
  const { comparison, head } = await compared(checked)
  if (comparison.kind !== 'stale') return standingOf(comparison)
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
  return standingOf(comparison)
}

/**
 * A log that says that it had a journal, beside one that has nothing of it, was copied before what it lacks; one that says nothing may
 * have been, where the journal was shortened. A ledger that begins needs not be asked.
 */
export const requireKnownJournal = ({ journalled, high, isShortened }: Standing, known: KnownJournal): void => {
  if (journalled !== undefined) return
  const { topic, had, isAgreed, head } = known
  if (isShortened && (had > 0n || !isAgreed)) throw journalEmptied(topic, high, head)
  if (had > 0n) throw journalReplaced(topic, had, head)
}

const compared = async ({ ledger, store, topics }: Checked) => {
  // A record is in the log first, then in the journal, then among the decisions. Asked for the other way round, none can be ahead
  // because another instance of this ledger goes on meanwhile, but only because something was lost.
  const decided = (await topics.decidedUpTo(ledger)) ?? 0
  const journal = topics.journal(ledger)
  const ends = await journal.ends()
  const head = await store.head()
  if (head === undefined) throw new RangeError('a log without records has no journal')
  const comparison = await compareWithJournal(journal, store, { ends, head })
  if (comparison.kind === 'forked') throw forked(comparison.block.first, comparison.offset)
  if (comparison.kind === 'gap') throw rangeLost(comparison.fromSeq, comparison.toSeq)
  const end = comparison.kind === 'stale' ? comparison.end.seq : head.seq
  if (decided > end) throw decisionsBeyond(decided, end)
  return { comparison, head }
}

const standingOf = (comparison: Exclude<Sound, Stale>): Standing => {
  if (comparison.kind === 'current') return { journalled: comparison.end, high: comparison.high }
  const { low, high } = comparison.ends
  return { journalled: undefined, high, ...(low > 0n ? { isShortened: true } : {}) }
}

type Sound = Exclude<Comparison, { readonly kind: 'forked' | 'gap' }>
type Stale = Extract<Comparison, { readonly kind: 'stale' }>
