import type { Service } from '../application/service.js'
import { LedgerError } from '../ledger/errors.js'
import { JOURNAL_PARTITION, type JournalPublisher } from './journal-publisher.js'

/** What a log says of its own topics, so that every copy of it knows. Where the ledger does not write now, it is said later. */
export class LogNotes {
  constructor(private readonly service: Pick<Service, 'ledger' | 'state' | 'position'>) {}

  /**
   * Once the journal has all blocks, and is not spoken of yet: that it is there and ended with offset `high`. From here on every copy of the log
   * knows that there was a journal, also where that is deleted and made anew.
   */
  async journal(topic: string, high: bigint, journal: Pick<JournalPublisher, 'reached'>): Promise<void> {
    const { service } = this
    if ((service.state.offset(topic, JOURNAL_PARTITION)?.next ?? 0n) > 0n) return
    await quietly(async () => {
      await journal.reached(service.position().seq)
      await this.#record(topic, JOURNAL_PARTITION, high + 1n)
    })
  }

  /** `seq` of the last record up to which the log says that every decision has gone out; -1 where it says nothing. */
  decided(topic: string): number {
    return Number(this.service.state.offset(topic, DECISIONS)?.next ?? 0n) - 1
  }

  /** That every decision up to record `seq` has gone out: the topic forgets after a time, and the log does not. */
  async decisions(topic: string, seq: number): Promise<void> {
    await quietly(() => this.#record(topic, DECISIONS, BigInt(seq) + 1n))
  }

  async #record(topic: string, partition: number, next: bigint): Promise<void> {
    await this.service.ledger.recordOffsets([{ topic, partition, next, digest: null }])
  }
}

/** All partitions of decisions are one line of records, which has this number in the log; `next` is a record's. */
const DECISIONS = 0

/** The process ends, or nothing can be written now: a later note says the same. */
const quietly = async (note: () => Promise<void>): Promise<void> => {
  try {
    await note()
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error
  }
}
