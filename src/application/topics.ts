import type { Cause } from '../ledger/record.js'

/** Where consuming of one partition stands, as operators see it. */
export interface PartitionView {
  readonly topic: string
  readonly partition: number
  /** Offset of the next message to handle, as the ledger has recorded it. */
  readonly next: bigint
  /** That the topic's next message gets, when last seen. */
  readonly high: bigint
  /** Messages that are not handled yet; those that cause no record are handled before `next` says so. */
  readonly lag: bigint
  readonly standing: 'checking' | 'running' | 'waiting' | 'lost' | 'elsewhere'
  /** Why it does not run; of a lost range also its first and last offset. */
  readonly why?: { readonly code: string; readonly detail: string; readonly from?: bigint; readonly to?: bigint }
}

/** What became of messages since the process began. */
export interface MessageCounts {
  readonly decided: number
  readonly repeated: number
  readonly redelivered: number
  readonly quarantined: number
}

/** What comes in and goes out by topics beside HTTP; a ledger without brokers has none. */
export abstract class Topics {
  /** Whether this ledger is told to use brokers at all. */
  abstract readonly inUse: boolean
  /** The consumer group of this start; undefined while there is none. */
  abstract readonly group: string | undefined
  abstract partitions(): readonly PartitionView[]
  abstract counts(): MessageCounts
  /** Number of the last record that the journal, and that the decisions topic has; -1 for none. */
  abstract published(): { readonly journal: number; readonly decisions: number }
  /**
   * Resolves once a record may be told of: the journal has it, where that is asked for or its request came by a topic; undefined where it
   * may be at once.
   */
  abstract tellable(seq: number, cause: Cause): Promise<void> | undefined
  /** Begins as soon as brokers can be reached. */
  abstract start(): void
  /** Takes no more messages; what was taken is still decided and published. */
  abstract stopTaking(): Promise<void>
  /** Publishes for a moment what is decided, and gives up the rest: the next start goes on with it. */
  abstract stop(): Promise<void>
}

/** Of a ledger without brokers. */
export class NoTopics extends Topics {
  readonly inUse = false
  readonly group = undefined

  partitions(): readonly PartitionView[] {
    return []
  }

  counts(): MessageCounts {
    return { decided: 0, repeated: 0, redelivered: 0, quarantined: 0 }
  }

  published() {
    return { journal: -1, decisions: -1 }
  }

  tellable(): undefined {
    return undefined
  }

  start(): void {}

  async stopTaking(): Promise<void> {}

  async stop(): Promise<void> {}
}
