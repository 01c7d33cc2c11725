import { type Block, recordsOf } from '../../src/ledger/block.js'
import { decodeRecord } from '../../src/ledger/record.js'
import { Journal, type JournalEntry, type PartitionEnd, type TopicEnds, Topics } from '../../src/recovery/journal.js'

/** What becomes of an append: kept, lost, kept although it fails, or kept twice. */
export type JournalFate = 'fine' | 'lost' | 'kept' | 'twice'

/** Topics in memory, which forget and fail when told to. Any number of ledgers share the journal. */
export class MemoryTopics extends Topics {
  readonly journalName = { topic: 'epsilon.journal', partition: 0 }
  readonly messages: { readonly ledger: string; readonly epoch: number; readonly block: Block }[] = []
  /** What happens to the next appends, in order. */
  readonly plan: JournalFate[] = []
  /** Offsets that were read, of any ledger: how far a comparison looked. */
  read = 0
  low = 0n
  decided: number | undefined
  spends: PartitionEnd[] = []
  /** Called before each append of the ledger that is checked: somebody else may be faster. */
  onAppend: () => void | Promise<void> = () => {}
  /** Called before each look at an end: another instance may go on in between. */
  onLook: () => void | Promise<void> = () => {}

  put(ledger: string, ...blocks: readonly Block[]): void {
    for (const block of blocks) this.messages.push({ ledger, epoch: epochOf(block), block })
  }

  override journal(ledger: string): Journal {
    return new MemoryJournal(this, ledger)
  }

  override async decidedUpTo(): Promise<number | undefined> {
    await this.onLook()
    return this.decided
  }

  override async spendsEnds(): Promise<readonly PartitionEnd[]> {
    return this.spends
  }
}

class MemoryJournal extends Journal {
  constructor(
    private readonly topics: MemoryTopics,
    private readonly ledger: string,
  ) {
    super()
  }

  override async ends(): Promise<TopicEnds> {
    await this.topics.onLook()
    return { low: this.topics.low, high: BigInt(this.topics.messages.length) }
  }

  override async read(from: bigint, to: bigint, take: (entry: JournalEntry) => Promise<void> | void): Promise<void> {
    if (from < this.topics.low) throw new RangeError(`offset ${from} is gone`)
    for (let offset = from; offset < to; offset++) {
      this.topics.read++
      const message = this.topics.messages[Number(offset)]
      if (message === undefined) throw new RangeError(`offset ${offset} is not there`)
      if (message.ledger === this.ledger) await take({ ...message, offset })
    }
  }

  override async append(block: Block): Promise<void> {
    await this.topics.onAppend()
    const fate = this.topics.plan.shift() ?? 'fine'
    if (fate !== 'lost') this.topics.put(this.ledger, block)
    if (fate === 'twice') this.topics.put(this.ledger, block)
    if (fate === 'lost' || fate === 'kept') throw new Error('the connection broke')
  }
}

const epochOf = (block: Block): number => {
  for (const { bytes } of recordsOf(block)) return decodeRecord(bytes, 'trusted').epoch
  throw new RangeError('a block has a record')
}
