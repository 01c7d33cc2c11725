import { type Block, type Position, positionOf } from '../ledger/block.js'
import type { EventStore } from '../ledger/event-store.js'
import type { Journal, JournalEntry, TopicEnds } from './journal.js'
import { follows, JournalLine } from './journal-line.js'

/** How a log and its journal stand to each other. */
export type Comparison =
  /** The journal has nothing of this ledger. */
  | { readonly kind: 'none'; readonly ends: TopicEnds }
  /** Every block that counts is in the log; the log may have more. */
  | { readonly kind: 'current'; readonly end: Position; readonly high: bigint }
  /** The journal goes on where the log ends: the first missing block stands at offset `from`. */
  | { readonly kind: 'stale'; readonly end: Position; readonly from: bigint }
  /** Both have this block, each another one. */
  | { readonly kind: 'forked'; readonly block: Block; readonly offset: bigint }
  /** The journal goes on, but the records between are not there any more. */
  | { readonly kind: 'gap'; readonly fromSeq: number; readonly toSeq: number }

/** Where a journal and its log end. */
export interface Sides {
  readonly ends: TopicEnds
  /** Asked for after `ends`: what another process writes meanwhile is in the log before it is in the journal. */
  readonly head: Position
}

/**
 * Compares a log, which must not be empty, with its journal. Reads from the end back, as far as it takes to be certain; nothing is
 * changed.
 *
 * The last blocks may say nothing of the end. A process that was overtaken can have added some that do not count, and each
 * instance that lagged behind the others some that were there before: the one send that was under way, once or again and again.
 * So more different blocks are looked at than all of those have, even where the last one is ours.
 */
export const compareWithJournal = async (
  journal: Journal,
  store: EventStore,
  { ends, head }: Sides,
): Promise<Comparison> => {
  for (const from of tailsOf(ends)) {
    const walk = await walkFrom(journal, store, head, { from, to: ends.high })
    if (walk.isCertain) return walk.result(ends)
  }
  const first = await firstEntry(journal, ends)
  if (first === undefined) return { kind: 'none', ends }
  const bound = boundOf(first, head.block - ENOUGH)
  const near = bound > ends.low ? await walkFrom(journal, store, head, { from: bound, to: ends.high }) : undefined
  if (near?.isCertain) return near.result(ends)
  return (await walkFrom(journal, store, head, { from: ends.low, to: ends.high })).result(ends)
}

/** Blocks, each counted once, that are looked at before a short look is believed: nine sends of a publisher have no more. */
const ENOUGH = 577
/** Messages that are read from the end, before the place of the log's own end is worked out. */
const TAILS = [640n, 4_096n]
/** Messages that are read at a time, from the beginning, for the first block of a ledger. */
const STEP = 256n

const tailsOf = ({ low, high }: TopicEnds): readonly bigint[] =>
  TAILS.map((length) => high - length).filter((from) => from > low)

/** Every block takes a message, so block `number` is no nearer to `first` than this. */
const boundOf = ({ offset, block }: JournalEntry, number: number): bigint =>
  offset + BigInt(Math.max(0, number - block.number))

const firstEntry = async (journal: Journal, { low, high }: TopicEnds): Promise<JournalEntry | undefined> => {
  let first: JournalEntry | undefined
  for (let from = low; from < high && first === undefined; from += STEP) {
    const to = from + STEP < high ? from + STEP : high
    await journal.read(from, to, (entry) => {
      first ??= entry
    })
  }
  return first
}

const walkFrom = async (
  journal: Journal,
  store: EventStore,
  head: Position,
  { from, to }: { readonly from: bigint; readonly to: bigint },
): Promise<Walk> => {
  const walk = new Walk(store, head)
  await journal.read(from, to, (entry) => walk.take(entry))
  return walk
}

/** Follows the blocks that count, beside the log's own, from the first one that both have. */
class Walk {
  /** Blocks that took the line further; repeats do not. */
  #advanced = 0
  /** The same, before a block spoke of another process; undefined while none has. */
  #beforeDoubt: number | undefined
  #first: JournalEntry | undefined
  #line: JournalLine | undefined
  #epoch = 0
  #missingFrom: bigint | undefined
  #end: Extract<Comparison, { readonly kind: 'forked' | 'gap' }> | undefined

  constructor(
    private readonly store: EventStore,
    private readonly head: Position,
  ) {}

  /** Whether what was read says enough, however much lies before it: what was overtaken may stand at its beginning. */
  get isCertain(): boolean {
    return this.#line !== undefined && this.#end === undefined && (this.#beforeDoubt ?? this.#advanced) >= ENOUGH
  }

  async take(entry: JournalEntry): Promise<void> {
    if (this.#end !== undefined) return
    if (this.#line === undefined) await this.#begin(entry)
    else await this.#follow(entry, this.#line)
  }

  /** Of a walk that is certain, or that began where the journal does. */
  result(ends: TopicEnds): Comparison {
    if (this.#end !== undefined) return this.#end
    if (this.#line !== undefined) return this.#shared(this.#line.end, ends)
    return this.#first === undefined ? { kind: 'none', ends } : this.#apart(this.#first)
  }

  #shared(end: Position, { high }: TopicEnds): Comparison {
    if (this.#missingFrom === undefined) return { kind: 'current', end, high }
    return { kind: 'stale', end, from: this.#missingFrom }
  }

  /** Both have no block in common. */
  #apart({ block, offset }: JournalEntry): Comparison {
    return block.number > this.head.block + 1 ? gapBefore(block, this.head) : { kind: 'forked', block, offset }
  }

  async #begin(entry: JournalEntry): Promise<void> {
    if (this.#first !== undefined) return
    const { block } = entry
    if (await this.#isOwn(block)) {
      this.#line = new JournalLine(positionOf(block))
      this.#advanced++
    } else if (follows(block, this.head)) {
      this.#line = new JournalLine(this.head)
      this.#miss(entry, this.#line)
    } else this.#first = entry
  }

  async #follow(entry: JournalEntry, line: JournalLine): Promise<void> {
    const { head } = this
    const { block, offset, epoch } = entry
    if (block.number <= head.block && (await this.#isOwn(block))) {
      if (block.number > line.end.block) this.#advance(block, line)
      return
    }
    const place = line.placeOf(block)
    if (place === 'passed') {
      if (block.number <= head.block || epoch > this.#epoch) this.#beforeDoubt ??= this.#advanced
    } else if (block.number > head.block && place === 'next') this.#miss(entry, line)
    else if (place === 'beyond' && block.number > head.block + 1)
      this.#end = gapBefore(block, line.end.block > head.block ? line.end : head)
    else this.#end = { kind: 'forked', block, offset }
  }

  #miss({ block, offset, epoch }: JournalEntry, line: JournalLine): void {
    this.#missingFrom ??= offset
    this.#epoch = epoch
    this.#advance(block, line)
  }

  #advance(block: Block, line: JournalLine): void {
    line.advance(block)
    this.#advanced++
  }

  async #isOwn(block: Block): Promise<boolean> {
    if (block.number > this.head.block) return false
    const own = await this.store.blockOf(block.first)
    return own?.number === block.number && own.leaf === block.leaf
  }
}

const gapBefore = (block: Block, before: Position): Comparison & { readonly kind: 'gap' } => ({
  kind: 'gap',
  fromSeq: before.seq + 1,
  toSeq: block.first - 1,
})
