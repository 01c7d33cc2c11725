import { chainAt } from '../budget/catch-up.js'
import type { GapDeclared } from '../budget/events.js'
import { type Block, BlockBuilder, type Position, positionOf } from '../ledger/block.js'
import { ChainCheck, ChainFault, type ChainState, GAP_DECLARED } from '../ledger/chain.js'
import type { EventStore } from '../ledger/event-store.js'
import type { Journal, JournalEntry, PartitionEnd } from './journal.js'
import { fenced, forked, journalDamaged, rangeLost } from './journal-fault.js'
import { JournalLine } from './journal-line.js'
import { NamedPartitions } from './named-partitions.js'

export interface Import {
  readonly journal: Journal
  readonly store: EventStore
  /** Offset of the first block that the log lacks. */
  readonly from: bigint
  /** Where the spends end, asked also when everything else is done. */
  readonly spendsEnds: () => Promise<readonly PartitionEnd[]>
  /** The instant of the new epoch; never before that of the last record. */
  readonly stamp: (lastAt: string) => string
  readonly progress: (line: string) => void
}

export interface Imported {
  readonly end: Position
  readonly high: bigint
}

/** Records that may have been written and answered without reaching the journal are no more than that. */
export const EPOCH_MARGIN = 2 ** 20

/**
 * Appends what a log lacks from its journal, byte for byte, and begins a new epoch above every number that may have been given out.
 *
 * The declaration of the epoch goes to the journal first, and the last missing block reaches the log together with it:
 * wherever this is interrupted, the log still ends before the journal does, and the next start begins it again. Whoever wrote before is overtaken
 * from then on, since the next place in the journal is taken.
 *
 * @returns the record that begins the epoch, and where the journal ends then.
 * @throws LedgerError JOURNAL_RANGE_LOST, JOURNAL_DAMAGED, FENCED, and what store and journal reject with.
 */
export const importJournal = async (task: Import): Promise<Imported> => {
  const rest = await Remainder.of(task)
  const isShared = (await task.spendsEnds()).some(({ isElsewhere }) => isElsewhere)
  if (isShared) for await (const block of task.store.read(0)) rest.named.addBlock(block)
  const missing = new Missing(task)
  await rest.read(task.journal, (block) => missing.add(block))
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const last = await missing.appendAllButLast()
    const epoch = epochAfter(rest, await task.spendsEnds(), task)
    // From here on the journal is ahead of the log, until both are appended below.
    await task.journal.append(epoch)
    if (await taken(rest, task.journal, epoch, missing)) {
      task.progress(`records up to ${last.last} are back; epoch begins with record ${epoch.first}`)
      return { end: await task.store.append([last, epoch], missing.head), high: rest.high }
    }
  }
  throw fenced(`${MOST_ATTEMPTS} times another block took the place of the new epoch`)
}

/** Somebody who still writes may take the place before the declaration does, but not for ever. */
const MOST_ATTEMPTS = 8
const BATCH_BYTES = 8 * 1024 * 1024

/** Whether the place after the last missing block went to the epoch; else what came before it is missing too. */
const taken = async (rest: Remainder, journal: Journal, epoch: Block, missing: Missing): Promise<boolean> => {
  let ours: boolean | undefined
  await rest.read(journal, async (block) => {
    if (ours === true) throw fenced(`record ${block.first} follows the epoch of record ${epoch.first} already`)
    ours ??= block.leaf === epoch.leaf
    if (!ours) await missing.add(block)
  })
  return ours === true
}

const epochAfter = (rest: Remainder, ends: readonly PartitionEnd[], { stamp }: Import): Block => {
  const { position, epoch, at } = rest.state
  const seq = Math.max(position.seq, rest.highest) + 1 + EPOCH_MARGIN
  const builder = new BlockBuilder(position, seq)
  const undecided = ends
    .filter(({ high, isElsewhere, ...place }) => high > 0n && (!isElsewhere || rest.named.has(place)))
    .map(({ topic, partition, high }) => ({ topic, partition, before: String(high) }))
  const data: GapDeclared = { from: position.seq + 1, to: seq - 1, reason: REASON, undecided }
  builder.add({
    at: stamp(at),
    by: 'system:ledger',
    cause: { kind: 'system' },
    data,
    epoch: Math.max(epoch, rest.highestEpoch) + 1,
    type: GAP_DECLARED,
    v: 1,
  })
  const [block] = builder.blocks()
  return block as Block
}

const REASON = 'an older copy of the log was started; its journal gave back what it lacked'

/** The blocks that count, from where the log ends. */
class Remainder {
  /** The highest number and epoch that any block had, also one that does not count. */
  highest = 0
  highestEpoch = 0
  readonly named = new NamedPartitions()

  private constructor(
    private readonly line: JournalLine,
    private readonly chain: ChainCheck,
    private next: bigint,
  ) {}

  static async of({ store, from }: Import): Promise<Remainder> {
    const head = await store.head()
    const state = head === undefined ? undefined : await chainAt(store, head)
    if (state === undefined) throw new RangeError('only a log with records can be compared with its journal')
    return new Remainder(new JournalLine(state.position), new ChainCheck(state), from)
  }

  /** Of the last block that counts. */
  get state(): ChainState {
    return this.chain.state as ChainState
  }

  /** Where the journal ended when it was read last. */
  get high(): bigint {
    return this.next
  }

  /** Hands over every further block that counts, up to the journal's end as it is now. */
  async read(journal: Journal, take: (block: Block) => Promise<void> | void): Promise<void> {
    const { high } = await journal.ends()
    await journal.read(this.next, high, async (entry) => {
      if (this.#counts(entry)) await take(entry.block)
    })
    this.next = high
  }

  #counts({ block, epoch, offset }: JournalEntry): boolean {
    this.highest = Math.max(this.highest, block.last)
    this.highestEpoch = Math.max(this.highestEpoch, epoch)
    switch (this.line.placeOf(block)) {
      case 'passed':
        return false
      case 'beyond':
        throw rangeLost(this.line.end.seq + 1, block.first - 1)
      case 'stray':
        throw forked(block.first, offset)
      case 'next':
        this.#check(block, offset)
        this.line.advance(block)
        return true
    }
  }

  #check(block: Block, offset: bigint): void {
    try {
      for (const { record } of this.chain.add(block)) this.named.add(record)
    } catch (error) {
      throw error instanceof ChainFault ? journalDamaged(offset, error) : error
    }
  }
}

/** What the log lacks; all but the newest block is appended as it comes. */
class Missing {
  head: Position | undefined
  #batch: Block[] = []
  #bytes = 0
  #last: Block | undefined

  constructor(private readonly task: Import) {}

  async add(block: Block): Promise<void> {
    const before = this.#last
    this.#last = block
    if (before === undefined) return
    this.#batch.push(before)
    this.#bytes += before.bytes.length
    if (this.#bytes >= BATCH_BYTES) await this.#append()
  }

  async appendAllButLast(): Promise<Block> {
    await this.#append()
    if (this.#last === undefined) throw new RangeError('the journal was said to go on, and does not')
    return this.#last
  }

  async #append(): Promise<void> {
    const { store, progress } = this.task
    this.head ??= await store.head()
    const newest = this.#batch.at(-1)
    if (newest === undefined) return
    await store.append(this.#batch, this.head)
    this.head = positionOf(newest)
    this.#batch = []
    this.#bytes = 0
    progress(`records up to ${newest.last} are back`)
  }
}
