import { setTimeout as sleep } from 'node:timers/promises'
import { type Message, Partitioners, type Producer } from 'kafkajs'
import type { KafkaClients } from '../../../src/kafka/client.js'
import { ends, readRange } from '../../../src/kafka/tail.js'
import { mendTopics } from '../../../src/kafka/topics.js'
import type { KafkaBroker } from '../../support/kafka-broker.js'
import { run, Service, temporaryData } from '../../support/service.js'
import { clientsOf, deleteTopic } from './topic.js'

/** The price of one {@link spendOf}: ε = 0.01, as recorded. */
export const PRICE = 10n ** 13n

/** A start joins groups and reads ends; with a broker that was just killed, on a busy machine, that takes its time. */
const READY_MS = 180_000

/** A spend of ε = 0.01 as an emitter sends it. */
export const spendOf = (id: string, unit: string, more: Readonly<Record<string, unknown>> = {}): Message => ({
  key: unit,
  value: JSON.stringify({ unit, mechanism: 'laplace', noiseMultiplier: '100', ...more }),
  headers: {
    ce_specversion: '1.0',
    ce_id: id,
    ce_source: 'trainer',
    ce_type: 'epsilon.spend.v1',
    'content-type': 'application/json',
  },
})

/** A ledger on real topics of its own, with one policy: every unit has ε = `epsilon`. */
export class Stage {
  private constructor(
    readonly broker: KafkaBroker,
    readonly clients: KafkaClients,
    readonly partitions: number,
    readonly environment: Readonly<Record<string, string>>,
    public service: Service,
  ) {}

  static async open(
    broker: KafkaBroker,
    options: {
      readonly partitions?: number
      readonly epsilon?: string
      readonly environment?: Readonly<Record<string, string>>
    } = {},
  ): Promise<Stage> {
    const { partitions = 6, epsilon = '1' } = options
    const clients = clientsOf([broker])
    await mendTopics(clients, partitions)
    const environment = {
      EPSILON_KAFKA_BROKERS: broker.bootstrap,
      EPSILON_KAFKA_TOPIC_PREFIX: clients.settings.topicPrefix,
      ...options.environment,
    }
    const service = await Service.start({ data: await temporaryData(), environment, readyWithinMs: READY_MS })
    await setPolicy(service, epsilon)
    return new Stage(broker, clients, partitions, environment, service)
  }

  async restart(): Promise<void> {
    this.service = await this.service.restart()
  }

  /** Another ledger over the same topics. */
  async beside(environment: Readonly<Record<string, string>>): Promise<Stage> {
    const more = { ...this.environment, ...environment }
    const service = await Service.start({ data: await temporaryData(), environment: more, readyWithinMs: READY_MS })
    await setPolicy(service, '1')
    return new Stage(this.broker, this.clients, this.partitions, more, service)
  }

  /** Deletes the topic of spends, and makes another one of the same name. */
  async recreateSpends(): Promise<void> {
    await deleteTopic(this.broker, this.clients.topic('spends'))
    await this.makeTopics()
  }

  /** Makes the topics that are not there. */
  async makeTopics(): Promise<void> {
    await mendTopics(this.clients, this.partitions)
  }

  /** Waits until the ledger has recorded a decision for so many spends. */
  async decided(count: number, withinMs = 300_000): Promise<void> {
    const deadline = performance.now() + withinMs
    for (;;) {
      const seen = await this.decisions().catch(() => -1)
      if (seen >= count) return
      if (performance.now() > deadline) throw new Error(`${seen} of ${count} decisions:\n${this.service.output}`)
      await sleep(200)
    }
  }

  /** Spends that the ledger has decided. */
  async decisions(): Promise<number> {
    const operator = await this.service.as('operator')
    const { body } = await operator.get<{ counts: Record<string, number> }>('/v1/ledger', { timeoutMs: 5_000 })
    const { counts } = body
    return ['SpendAccepted', 'SpendRefused', 'RequestInvalid'].reduce((sum, type) => sum + (counts[type] ?? 0), 0)
  }

  /** All messages of a topic, by partition in order. */
  async messages(name: 'decisions' | 'journal' | 'dead-letter' | 'spends'): Promise<readonly Sent[]> {
    const topic = this.clients.topic(name)
    const ranges = new Map(
      [...(await ends(this.clients, topic))].map(([partition, { low, high }]) => [partition, { from: low, to: high }]),
    )
    const sent: Sent[] = []
    await readRange({
      clients: this.clients,
      topic,
      ranges,
      take: ({ key, value, headers }, partition) => {
        sent.push({ partition, key: String(key), value, headers: textHeaders(headers ?? {}) })
      },
    })
    return sent
  }

  /** Every record of the ledger, parsed. */
  async records(): Promise<readonly StoredRecord[]> {
    const operator = await this.service.as('operator')
    const { text } = await operator.get('/v1/records', { timeoutMs: 600_000 })
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as StoredRecord)
  }

  /** Stops the service in order, and verifies its data. */
  async verify(): Promise<{ readonly code: number | null; readonly stdout: string }> {
    await this.service.stop()
    return run('verify', '--data', this.service.data, '--json')
  }

  async close(): Promise<void> {
    await this.service.remove()
  }
}

const setPolicy = async (service: Service, epsilon: string): Promise<void> => {
  const operator = await service.as('operator')
  const reply = await operator.post('/v1/policies', {
    id: 'person',
    scope: ['unit'],
    metric: 'pure',
    epsilon,
    delta: '0',
    window: 'lifetime',
    role: 'guarantee',
    neighboring: 'add_or_remove_one',
  })
  if (reply.status !== 201) throw new Error(`no policy: ${reply.status} ${reply.text}`)
}

export interface Sent {
  readonly partition: number
  readonly key: string
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, string>>
}

export interface StoredRecord {
  readonly seq: number
  readonly epoch: number
  readonly type: string
  readonly cause: {
    readonly kind: string
    readonly topic?: string
    readonly partition?: number
    readonly offset?: string
    readonly transactional?: true
  }
  readonly data: Readonly<Record<string, unknown>> & { readonly id?: string; readonly source?: string }
}

/** Sends in order, a thousand at a time, and the same again until it is acknowledged. */
export const emit = async (stage: Stage, messages: readonly Message[], name: 'spends' = 'spends'): Promise<void> => {
  const producer: Producer = stage.broker
    .client({ retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 1_000 }, requestTimeout: 5_000 })
    .producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  for (let from = 0; from < messages.length; from += 1_000) {
    const topic = stage.clients.topic(name)
    await sendUntilAcknowledged(producer, topic, messages.slice(from, from + 1_000))
  }
  await producer.disconnect()
}

const sendUntilAcknowledged = async (producer: Producer, topic: string, messages: Message[]): Promise<void> => {
  for (;;) {
    try {
      await producer.send({ topic, acks: -1, messages })
      return
    } catch {
      await sleep(500)
    }
  }
}

const textHeaders = (headers: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
