import type { KafkaMessage } from 'kafkajs'
import { type Ingest, namesIn } from '../application/ingest.js'
import type { Service } from '../application/service.js'
import { approvedResets } from '../budget/registry.js'
import type { LedgerError } from '../ledger/errors.js'
import type { Standing } from '../recovery/start-check.js'
import type { KafkaClients } from './client.js'
import { groupOf, SpendConsumer } from './consumer.js'
import { DeadLetter } from './dead-letter.js'
import { deadLetterMessage } from './dead-letter-message.js'
import { decisionMessage } from './decision-message.js'
import { DecisionsPublisher } from './decisions-publisher.js'
import { JOURNAL_PARTITION, JournalPublisher } from './journal-publisher.js'
import { LogNotes } from './log-notes.js'
import { ingestOf, REQUESTS } from './message.js'
import { messageCause } from './message-cause.js'
import { messageDigest } from './message-digest.js'
import { MessageHandler, type Quarantine, type Rejected } from './message-handler.js'
import { unaccountable } from './quarantined-message.js'
import { openSender } from './sender.js'
import { SteadyProducer } from './steady-producer.js'
import { ends, type Range, readRange } from './tail.js'

/** What a ledger has at each of its topics, once the brokers have been reached. */
export interface TopicEnds {
  readonly journal: JournalPublisher
  readonly decisions: DecisionsPublisher
  readonly deadLetters: DeadLetter
  readonly handler: MessageHandler
  readonly consumer: SpendConsumer
  readonly group: string
}

/** Whose they are, and what they talk through. */
export interface TopicParts {
  readonly service: Service
  readonly clients: KafkaClients
  /** The process has to end. */
  readonly onFatal: (error: LedgerError) => void
  readonly log: (line: string) => void
}

/** Begins to send blocks, from where the comparison with the log left off. `signal` ends reading back. */
export const openJournal = (
  { service, clients, onFatal, log }: TopicParts,
  standing: Standing,
  signal: AbortSignal,
): JournalPublisher => {
  const topic = clients.topic('journal')
  const journal = new JournalPublisher({
    ledger: service.ledgerId,
    store: service.store,
    topic,
    producer: producerOf(clients),
    start: standing,
    // What an open transaction holds back stands between our sends all the same.
    readBack: (range: Range, take: (message: KafkaMessage) => Promise<void>) =>
      readRange({ clients, topic, ranges: new Map([[JOURNAL_PARTITION, range]]), take, signal, readUncommitted: true }),
    onFatal,
    log,
  })
  journal.start()
  void new LogNotes(service).journal(topic, standing.high, journal)
  return journal
}

/** Begins to send decisions above `decidedUpTo`, and makes what takes spends; nothing is consumed yet. `signal` ends looking at them. */
export const openTopicEnds = (
  parts: TopicParts,
  journal: JournalPublisher,
  decidedUpTo: number,
  signal: AbortSignal,
): TopicEnds => {
  const { service, clients } = parts
  const decisions = openDecisions(parts, journal, decidedUpTo)
  const deadLetters = new DeadLetter(clients.topic('dead-letter'), producerOf(clients))
  const handler = openHandler(parts, decisions, deadLetters)
  const group = groupOf(clients.settings.group, service.ledgerId)
  return { journal, decisions, deadLetters, handler, group, consumer: openConsumer(parts, handler, group, signal) }
}

const openDecisions = (
  { service, clients, onFatal }: TopicParts,
  journal: JournalPublisher,
  decidedUpTo: number,
): DecisionsPublisher => {
  const topic = clients.topic('decisions')
  const notes = new LogNotes(service)
  const noted = notes.decided(topic)
  const decisions = new DecisionsPublisher({
    store: service.store,
    topic,
    producer: producerOf(clients),
    after: Math.max(decidedUpTo, noted),
    noted,
    note: (seq) => void notes.decisions(topic, seq),
    journalHas: (seq) => journal.reached(seq),
    messageOf: (decision, sending) => decisionMessage(decision, service.state.registry, sending),
    openedBy: (source, id) => service.ledger.answered(source, id),
    onFatal,
  })
  decisions.start()
  return decisions
}

const openHandler = (
  { service, clients }: TopicParts,
  decisions: DecisionsPublisher,
  deadLetters: DeadLetter,
): MessageHandler => {
  const topic = clients.topic('spends')
  return new MessageHandler({
    read: (message, partition) => ingestOf(message, messageCause(message, topic, partition), clients.settings.sources),
    ingest: (items) => service.ledger.ingest(items),
    bury: (message, { message: { reason, detail }, cause: { partition } }) =>
      deadLetters.bury(deadLetterMessage(message, { reason, detail, topic, partition })),
    quarantineOf,
    repeat: (answers) => decisions.repeat(answers.map(({ receipt }) => receipt.seq)),
  })
}

const openConsumer = (
  { service, clients, onFatal, log }: TopicParts,
  handler: MessageHandler,
  group: string,
  signal: AbortSignal,
): SpendConsumer => {
  const topic = clients.topic('spends')
  return new SpendConsumer({
    topic,
    consumer: clients.consumer({ group }),
    takes: (partition) => clients.settings.partitions?.has(partition) ?? true,
    applied: (partition) => service.state.offset(topic, partition),
    resets: (partition) => approvedResets(service.state.registry, topic, partition),
    ends: () => ends(clients, topic),
    digestAt: (partition, offset) => digestAt(clients, { topic, partition, offset, signal }),
    digestOf: messageDigest,
    handler,
    recordOffsets: (partition, next, digest) => service.ledger.recordOffsets([{ topic, partition, next, digest }]),
    now: () => performance.now(),
    onFatal,
    log,
  })
}

const producerOf = (clients: KafkaClients): SteadyProducer =>
  new SteadyProducer({ open: () => openSender(clients), now: () => performance.now() })

const quarantineOf = (message: KafkaMessage, item: Ingest, { rejection }: Rejected): Quarantine => {
  const names = 'wire' in item ? namesIn(item) : { source: '', id: '' }
  return unaccountable(message, item.cause, { ...names, type: typeOf(item) }, rejection)
}

/** The type of the event that asks for it. */
const typeOf = ({ request }: Ingest): string =>
  Object.entries(REQUESTS).find(([, asked]) => asked === request)?.[0] ?? ''

/** Messages of aborted transactions count too: one of them may have been applied. */
const digestAt = async (
  clients: KafkaClients,
  at: { readonly topic: string; readonly partition: number; readonly offset: bigint; readonly signal: AbortSignal },
): Promise<string | undefined> => {
  const { topic, partition, offset, signal } = at
  let found: string | undefined
  await readRange({
    clients,
    topic,
    ranges: new Map([[partition, { from: offset, to: offset + 1n }]]),
    take: (message) => {
      found = messageDigest(message)
    },
    signal,
    readUncommitted: true,
  })
  return found
}
