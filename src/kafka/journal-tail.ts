import type { KafkaClients } from './client.js'
import { type JournalBlock, JournalFault, journalBlock } from './journal-message.js'
import { JOURNAL_PARTITION, MOST_BLOCKS_A_SEND } from './journal-publisher.js'
import { searchBack } from './search-back.js'
import type { Ends } from './tail.js'

/** What a journal has of a ledger. */
export interface JournalTail {
  /** The block with the highest records; undefined where it has none of this ledger. */
  readonly newest: JournalBlock | undefined
  readonly ends: Ends
}

/** Sends that may stand again behind the newest block: one may be on its way from each of a few dead connections. */
const REPEATED_SENDS = 4n

/**
 * Looks from the end of a journal back for a ledger's newest block. The last one need not be it: an older send may have
 * arrived again behind it. What transactions hold back is read too, so that nobody can hide a block by opening one.
 *
 * @throws as `readRange` does.
 */
export const journalTail = async (
  clients: KafkaClients,
  ledger: string,
  signal?: AbortSignal,
): Promise<JournalTail> => {
  let newest: JournalBlock | undefined
  const { ends } = await searchBack({
    clients,
    topic: clients.topic('journal'),
    atLeast: REPEATED_SENDS * BigInt(MOST_BLOCKS_A_SEND),
    readUncommitted: true,
    ...(signal === undefined ? {} : { signal }),
    pick: (message, partition) => {
      const read = partition === JOURNAL_PARTITION ? blockOf(() => journalBlock(message)) : undefined
      if (read?.ledger !== ledger) return undefined
      if (newest === undefined || read.block.last > newest.block.last) newest = read
      return true
    },
  })
  return { newest, ends: ends.get(JOURNAL_PARTITION) ?? { low: 0n, high: 0n } }
}

/** Undefined for a message that is no block. */
const blockOf = (read: () => JournalBlock): JournalBlock | undefined => {
  try {
    return read()
  } catch (error) {
    if (error instanceof JournalFault) return undefined
    throw error
  }
}
