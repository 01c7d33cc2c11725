import { type Block } from '../ledger/block.js'
import { Journal, type JournalEntry, type PartitionEnd, type TopicEnds, Topics } from '../recovery/journal.js'
import type { KafkaClients } from './client.js'
import { decisionsTail } from './decisions-tail.js'
import { journalBlockOf, journalMessage } from './journal-message.js'
import { JOURNAL_PARTITION } from './journal-publisher.js'
import { openSender } from './sender.js'
import { SteadyProducer } from './steady-producer.js'
import { ends, readRange } from './tail.js'

/** The real topics around a ledger, as a start looks at them. */
export class KafkaTopics extends Topics {
  readonly journalName: { readonly topic: string; readonly partition: number }

  constructor(
    private readonly clients: KafkaClients,
    private readonly log: (line: string) => void,
    private readonly signal?: AbortSignal,
  ) {
    super()
    this.journalName = { topic: clients.topic('journal'), partition: JOURNAL_PARTITION }
  }

  journal(ledger: string): Journal {
    return new KafkaJournal(this.clients, ledger, this.log, this.signal)
  }

  async decidedUpTo(ledger: string): Promise<number | undefined> {
    const { upTo, newest } = await decisionsTail(this.clients, ledger, this.signal)
    const highest = Math.max(upTo, newest)
    return highest < 0 ? undefined : highest
  }

  async spendsEnds(): Promise<readonly PartitionEnd[]> {
    const topic = this.clients.topic('spends')
    const { partitions: taken } = this.clients.settings
    return [...(await ends(this.clients, topic))].map(([partition, { high }]) => {
      const end = { topic, partition, high }
      return (taken?.has(partition) ?? true) ? end : { ...end, isElsewhere: true }
    })
  }
}

/** What transactions hold back is read too: else anybody could hide the newest blocks by opening one. */
const EVERYTHING = { readUncommitted: true }

class KafkaJournal extends Journal {
  readonly #topic: string

  constructor(
    private readonly clients: KafkaClients,
    private readonly ledger: string,
    private readonly log: (line: string) => void,
    private readonly signal: AbortSignal | undefined,
  ) {
    super()
    this.#topic = clients.topic('journal')
  }

  async ends(): Promise<TopicEnds> {
    const found = (await ends(this.clients, this.#topic, EVERYTHING)).get(JOURNAL_PARTITION)
    if (found === undefined) throw new RangeError(`${this.#topic} has no partition ${JOURNAL_PARTITION}`)
    return found
  }

  async read(from: bigint, to: bigint, take: (entry: JournalEntry) => Promise<void> | void): Promise<void> {
    const strays = { count: 0, first: '', last: '' }
    await readRange({
      clients: this.clients,
      topic: this.#topic,
      ranges: new Map([[JOURNAL_PARTITION, { from, to }]]),
      ...EVERYTHING,
      ...(this.signal === undefined ? {} : { signal: this.signal }),
      take: (message) => {
        const found = journalBlockOf(message, this.ledger)
        if (found === 'stray') {
          if (strays.count++ === 0) strays.first = message.offset
          strays.last = message.offset
        }
        return typeof found === 'string' ? undefined : take({ offset: BigInt(message.offset), ...found })
      },
    })
    if (strays.count > 0) this.log(straysText(this.#topic, strays))
  }

  async append(block: Block): Promise<void> {
    const producer = new SteadyProducer({ open: () => openSender(this.clients), now: () => performance.now() })
    try {
      const message = { ...journalMessage(this.ledger, block), partition: JOURNAL_PARTITION }
      await producer.send({ topic: this.#topic, messages: [message] })
    } finally {
      await producer.stop()
    }
  }
}

interface Strays {
  readonly count: number
  /** Offsets. */
  readonly first: string
  readonly last: string
}

/** Somebody else writes to the journal, and should not be able to. */
const straysText = (topic: string, { count, first, last }: Strays): string =>
  `${topic}: ${count} messages from offset ${first} to ${last} are no ledger's, and were passed; only ledgers should be able to write there`
