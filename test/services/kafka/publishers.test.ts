import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaMessage } from 'kafkajs'
import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../../../src/adapters/memory-store.js'
import type { KafkaClients } from '../../../src/kafka/client.js'
import { DecisionsPublisher } from '../../../src/kafka/decisions-publisher.js'
import { decisionsTail } from '../../../src/kafka/decisions-tail.js'
import { journalBlock } from '../../../src/kafka/journal-message.js'
import { JOURNAL_PARTITION, JournalPublisher } from '../../../src/kafka/journal-publisher.js'
import { KafkaTopics } from '../../../src/kafka/kafka-topics.js'
import { openSender } from '../../../src/kafka/sender.js'
import { SteadyProducer } from '../../../src/kafka/steady-producer.js'
import { ends, readRange } from '../../../src/kafka/tail.js'
import { mendTopics } from '../../../src/kafka/topics.js'
import { type Block, BlockBuilder, type Position } from '../../../src/ledger/block.js'
import { ChainCheck } from '../../../src/ledger/chain.js'
import type { LedgerError } from '../../../src/ledger/errors.js'
import type { Standing } from '../../../src/recovery/start-check.js'
import { KafkaBroker } from '../../support/kafka-broker.js'
import { instant } from '../../support/logs.js'
import { withServer } from '../with-server.js'
import { clientsOf, deleteTopic, makeTopic, transact } from './topic.js'

const UNITS = 7

/** A log in memory beside real topics, and publishers between them. */
class Bench {
  readonly store = new MemoryStore()
  readonly fatal: LedgerError[] = []
  head: Position | undefined

  constructor(
    readonly clients: KafkaClients,
    readonly ledger = 'a-ledger',
  ) {}

  /** Appends a block of so many records. */
  async append(records: number): Promise<Block> {
    const builder = new BlockBuilder(this.head)
    for (let count = 0; count < records; count++) {
      const by = { by: 'system:ledger', cause: { kind: 'system' }, epoch: 0, v: 1 } as const
      const data = { note: `${this.ledger} ${builder.nextSeq}` }
      builder.add({ at: instant(builder.nextSeq), ...by, data, type: 'ClockConfirmed' })
    }
    const [block] = builder.blocks()
    this.head = await this.store.append([block as Block], this.head)
    return block as Block
  }

  async journal(start: Standing = { journalled: undefined, high: 0n }): Promise<JournalPublisher> {
    const topic = this.clients.topic('journal')
    const publisher = new JournalPublisher({
      ledger: this.ledger,
      store: this.store,
      topic,
      producer: this.producer(),
      start,
      readBack: (range, take) =>
        readRange({
          clients: this.clients,
          topic,
          ranges: new Map([[JOURNAL_PARTITION, range]]),
          take,
          readUncommitted: true,
        }),
      onFatal: (error) => this.fatal.push(error),
      log: () => {},
    })
    publisher.start()
    return publisher
  }

  /** Every even record is a decision about one of a few units. */
  async decisions(journal: JournalPublisher): Promise<DecisionsPublisher> {
    const { upTo } = await decisionsTail(this.clients, this.ledger)
    const publisher = new DecisionsPublisher({
      store: this.store,
      topic: this.clients.topic('decisions'),
      producer: this.producer(),
      after: upTo,
      noted: -1,
      note: () => {},
      journalHas: (seq) => journal.reached(seq),
      messageOf: ({ record: { seq } }, { head }) =>
        seq % 2 === 1
          ? undefined
          : {
              key: `u${seq % UNITS}`,
              value: Buffer.from(String(seq)),
              headers: { ce_source: `/ledgers/${this.ledger}`, ce_id: `0-${seq}`, head: String(head) },
            },
      openedBy: async () => undefined,
      onFatal: (error) => this.fatal.push(error),
    })
    publisher.start()
    return publisher
  }

  producer(): SteadyProducer {
    return new SteadyProducer({ open: () => openSender(this.clients), now: () => performance.now() })
  }

  /** Every message of a topic, by partition. */
  async messages(name: 'journal' | 'decisions' | 'dead-letter'): Promise<ReadonlyMap<number, readonly KafkaMessage[]>> {
    const topic = this.clients.topic(name)
    const present = await ends(this.clients, topic, { readUncommitted: true })
    const ranges = new Map([...present].map(([partition, { low, high }]) => [partition, { from: low, to: high }]))
    const read = new Map<number, KafkaMessage[]>([...present.keys()].map((partition) => [partition, []]))
    const take = (message: KafkaMessage, partition: number): void => void read.get(partition)?.push(message)
    await readRange({ clients: this.clients, topic, ranges, take, readUncommitted: true })
    return read
  }

  /** What a reader of the journal makes of it: each block once, chained; and how many messages it passed over. */
  async journalled(): Promise<{ readonly end: Position | undefined; readonly repeats: number }> {
    const check = new ChainCheck()
    let repeats = 0
    for (const message of (await this.messages('journal')).get(JOURNAL_PARTITION) ?? []) {
      const { ledger, block } = journalBlock(message)
      if (ledger !== this.ledger) continue
      if (block.number <= (check.state?.position.block ?? -1)) repeats++
      else check.add(block)
    }
    return { end: check.state?.position, repeats }
  }

  /** Decisions on the topic as a reader meets them first; and how many messages it passed over. */
  async decided(): Promise<{ readonly firsts: ReadonlyMap<number, readonly number[]>; readonly repeats: number }> {
    const firsts = new Map<number, readonly number[]>()
    let repeats = 0
    for (const [partition, messages] of await this.messages('decisions')) {
      const seqs = messages.map(({ value }) => Number(value))
      const once = [...new Set(seqs)]
      repeats += seqs.length - once.length
      firsts.set(partition, once)
    }
    return { firsts, repeats }
  }
}

const inOrder = (seqs: readonly number[]): readonly number[] => [...seqs].sort((one, other) => one - other)

const requireAllDecided = async (bench: Bench): Promise<number> => {
  const { firsts, repeats } = await bench.decided()
  for (const seqs of firsts.values()) expect(seqs).toEqual(inOrder(seqs))
  const end = bench.head?.seq ?? -1
  const even = Array.from({ length: end + 1 }, (_, seq) => seq).filter((seq) => seq % 2 === 0)
  expect(inOrder([...firsts.values()].flat())).toEqual(even)
  return repeats
}

describe('publishers on one broker', () => {
  const broker = withServer(() => KafkaBroker.start({ settings: { 'broker.session.timeout.ms': '2000' } }))
  const opened = async (): Promise<Bench> => {
    const clients = clientsOf([broker()])
    await mendTopics(clients, 6)
    return new Bench(clients)
  }

  test('lose nothing and keep the order while the broker is killed twice and frozen twice under load', async () => {
    const bench = await opened()
    const journal = await bench.journal()
    const decisions = await bench.decisions(journal)
    let loading = true
    const load = (async () => {
      while (loading) {
        for (let count = 0; count < 5; count++) await bench.append(1 + (count % 3))
        await sleep(2)
      }
    })()
    await sleep(1_000)
    await broker().kill9()
    await sleep(500)
    await broker().restart()
    await sleep(1_500)
    broker().freeze()
    await sleep(1_500)
    broker().thaw()
    await sleep(500)
    // Longer than a request waits: it is sent again while the first is still on its way.
    broker().freeze()
    await sleep(12_000)
    expect(journal.waitingSince).toBeDefined()
    broker().thaw()
    await broker().kill9()
    await broker().restart()
    await sleep(1_000)
    loading = false
    await load
    const end = bench.head?.seq ?? -1
    await decisions.reached(end)
    expect(journal.position()).toBe(end)
    await Promise.all([decisions.stop(), journal.stop()])
    const { end: read, repeats } = await bench.journalled()
    expect(read).toEqual(bench.head)
    const again = await requireAllDecided(bench)
    console.info(`${end + 1} records; repeats: ${repeats} blocks, ${again} decisions`)
    expect(bench.fatal).toEqual([])
  })

  test('go on where the topics say after each of many restarts in the middle of a send', async () => {
    const bench = await opened()
    let start: Standing = { journalled: undefined, high: 0n }
    for (let round = 0; round < 6; round++) {
      const journal = await bench.journal(start)
      const decisions = await bench.decisions(journal)
      for (let count = 0; count < 300; count++) await bench.append(3)
      if (round === 5) await decisions.reached(bench.head?.seq ?? -1)
      else await sleep(20 + 30 * round)
      await Promise.all([decisions.stop(), journal.stop()])
      const { end } = await bench.journalled()
      const high = (await ends(bench.clients, bench.clients.topic('journal'))).get(0)?.high ?? 0n
      start = { journalled: end, high }
    }
    expect((await bench.journalled()).end).toEqual(bench.head)
    const again = await requireAllDecided(bench)
    // A start sends again what one send may have left, and a send has a thousand messages at most.
    expect(again).toBeLessThanOrEqual(5 * 2_000)
  })

  test('of a copy whose place is taken end, and tell nobody of a position, while those who took it go on', async () => {
    const bench = await opened()
    await bench.append(2)
    const journal = await bench.journal()
    await journal.reached(1)
    const copy = new Bench(bench.clients)
    for await (const block of bench.store.read(0)) copy.head = await copy.store.append([block], undefined)
    const standing = { journalled: bench.head, high: 1n }
    const other = await copy.journal(standing)
    await bench.append(1)
    await journal.reached(2)
    // The same record number, another record: it comes second.
    const builder = new BlockBuilder(copy.head)
    const by = { by: 'system:copy', cause: { kind: 'system' }, epoch: 0, v: 1 } as const
    builder.add({ at: instant(builder.nextSeq), ...by, data: {}, type: 'ClockConfirmed' })
    copy.head = await copy.store.append(builder.blocks(), copy.head)
    await expect(other.reached(2)).rejects.toMatchObject({ code: 'FENCED', exitCode: 11 })
    await bench.append(1)
    await journal.reached(3)
    expect(bench.fatal).toEqual([])
    await Promise.all([journal.stop(), other.stop()])
  })

  test('and a start see the blocks behind a transaction that somebody left open', async () => {
    const bench = await opened()
    await bench.append(1)
    const journal = await bench.journal()
    await journal.reached(0)
    const topic = bench.clients.topic('journal')
    await transact(broker(), topic, [{ messages: [{ value: 'held back' }], end: 'open' }])
    const block = await bench.append(1)
    await journal.reached(1)
    const seen = new KafkaTopics(bench.clients, () => {}).journal(bench.ledger)
    expect(await seen.ends()).toEqual({ low: 0n, high: 3n })
    const entries: unknown[] = []
    await seen.read(2n, 3n, ({ offset, block: { leaf } }) => void entries.push([offset, leaf]))
    expect(entries).toEqual([[2n, block.leaf]])
    await journal.stop()
  })

  test('of two ledgers share the topics, and each finds its own', async () => {
    const clients = clientsOf([broker()])
    await mendTopics(clients, 6)
    const both = ['one', 'two'].map((name) => new Bench(clients, name))
    const journals = await Promise.all(both.map((bench) => bench.journal()))
    const began = performance.now()
    for (let count = 0; count < 500; count++) for (const bench of both) await bench.append(1)
    await Promise.all(journals.map((journal, index) => journal.reached(both[index]?.head?.seq ?? -1)))
    console.info(`two ledgers, 500 blocks each, one journal: ${Math.round(performance.now() - began)} ms`)
    for (const bench of both) expect((await bench.journalled()).end).toEqual(bench.head)
    expect(both.flatMap(({ fatal }) => fatal)).toEqual([])
    await Promise.all(journals.map((journal) => journal.stop()))
  })

  test('say why they wait, and go on by themselves when the topic is there, and takes their messages', async () => {
    const clients = clientsOf([broker()])
    const bench = new Bench(clients)
    await bench.append(500)
    const journal = await bench.journal()
    await until(() => journal.trouble?.code === 'TOPIC_MISSING')
    await makeTopic(broker(), clients.topic('journal'), 1, { 'max.message.bytes': '1000' })
    await until(() => journal.trouble?.code === 'MESSAGE_TOO_LARGE')
    await mendTopics(clients, 1)
    await journal.reached(499)
    expect(journal.trouble).toBeUndefined()
    await journal.stop()
  })

  test('of a journal that is made anew under them send nothing more, and say so', async () => {
    const bench = await opened()
    const journal = await bench.journal()
    for (let count = 0; count < 5; count++) await bench.append(1)
    await journal.reached(4)
    await deleteTopic(broker(), bench.clients.topic('journal'))
    await mendTopics(bench.clients, 6)
    await bench.append(1)
    await until(() => journal.trouble?.code === 'JOURNAL_WENT_BACK')
    expect(journal.position()).toBe(4)
    await journal.stop()
  })
})

describe('publishers on three brokers', () => {
  const cluster = withServer(async () => {
    const settings = { 'broker.session.timeout.ms': '2000', 'broker.heartbeat.interval.ms': '500' }
    const brokers = await KafkaBroker.startCluster(3, { settings })
    return { brokers, stop: async () => void (await Promise.all(brokers.map((broker) => broker.stop()))) }
  })

  test('lose nothing and keep the order while each broker in turn is killed and started under load', async () => {
    const { brokers } = cluster()
    const clients = clientsOf(brokers)
    await mendTopics(clients, 6)
    const bench = new Bench(clients)
    const journal = await bench.journal()
    const decisions = await bench.decisions(journal)
    let loading = true
    const load = (async () => {
      while (loading) {
        for (let count = 0; count < 5; count++) await bench.append(2)
        await sleep(5)
      }
    })()
    for (const broker of brokers) {
      await sleep(1_500)
      await broker.kill9()
      await sleep(3_500)
      await broker.restart()
    }
    await sleep(2_000)
    loading = false
    await load
    const end = bench.head?.seq ?? -1
    await decisions.reached(end)
    await Promise.all([decisions.stop(), journal.stop()])
    const { end: read, repeats } = await bench.journalled()
    expect(read).toEqual(bench.head)
    const again = await requireAllDecided(bench)
    console.info(`${end + 1} records; repeats: ${repeats} blocks, ${again} decisions`)
    expect(bench.fatal).toEqual([])
  })
})

const until = async (holds: () => boolean): Promise<void> => {
  const deadline = performance.now() + 180_000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error('it did not come to that within three minutes')
    await sleep(20)
  }
}
