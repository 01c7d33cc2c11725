import type { Block } from '../ledger/block.js'

/** The offsets that a topic's partition has now. */
export interface TopicEnds {
  /** Of the oldest message that it still has. */
  readonly low: bigint
  /** That the next message will get. */
  readonly high: bigint
}

/** A block as the journal has it. */
export interface JournalEntry {
  readonly offset: bigint
  readonly epoch: number
  readonly block: Block
}

/**
 * What was journalled of one ledger: the bytes of its blocks, in the order in which they reached the topic.
 *
 * That order decides. A block counts where it follows the last one that counts; one whose place is taken is a repeat, or comes from a
 * process that somebody else has overtaken, and counts for nothing.
 *
 * Concurrency: other processes may append at any time. Trust: whoever may write to the topic may write a log; the chain says
 * whether a block follows, not who made it.
 */
export abstract class Journal {
  /** Of the whole topic, which several ledgers may share. */
  abstract ends(): Promise<TopicEnds>

  /**
   * Hands over this ledger's blocks with offsets from `from` up to `to`, `to` left out, one by one and in order. Rejects
   * where the topic does not have the whole range, and for a message that is not what its headers say.
   */
  abstract read(from: bigint, to: bigint, take: (entry: JournalEntry) => Promise<void> | void): Promise<void>

  /** Resolves when the block is durable in the topic, be it once or several times; where it rejects, it may be there. */
  abstract append(block: Block): Promise<void>
}

/** Where a partition ends. */
export interface PartitionEnd {
  readonly topic: string
  readonly partition: number
  readonly high: bigint
  /** This process is told not to take it: another instance does, or another ledger. */
  readonly isElsewhere?: true
}

/** The topics around a ledger, as far as a start has to know them. */
export abstract class Topics {
  abstract journal(ledger: string): Journal

  /** Topic and partition of the journal, as the log names them. */
  abstract readonly journalName: { readonly topic: string; readonly partition: number }

  /** The highest record that any published decision of this ledger stands on; undefined where there is no decision. */
  abstract decidedUpTo(ledger: string): Promise<number | undefined>

  /** Every partition of spends. */
  abstract spendsEnds(): Promise<readonly PartitionEnd[]>
}
