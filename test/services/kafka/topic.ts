import { randomUUID } from 'node:crypto'
import { type Message, Partitioners } from 'kafkajs'
import { KafkaClients } from '../../../src/kafka/client.js'
import { type KafkaSettings, readKafkaSettings } from '../../../src/kafka/settings.js'
import type { KafkaBroker } from '../../support/kafka-broker.js'
import { createTopic } from './messages.js'

/** Clients of a broker, as the program makes them, under a prefix of topics that no other test has. */
export const clientsOf = (
  brokers: readonly KafkaBroker[],
  more: Partial<KafkaSettings> = {},
  log: (line: string) => void = () => {},
): KafkaClients => {
  const bootstrap = brokers.map((broker) => broker.bootstrap).join(',')
  const settings = readKafkaSettings({}, bootstrap) as KafkaSettings
  return new KafkaClients({ ...settings, topicPrefix: `t${randomUUID().slice(0, 8)}.`, ...more }, log)
}

/** Makes a topic with settings of its own. */
export const makeTopic = async (
  broker: KafkaBroker,
  topic: string,
  numPartitions = 1,
  settings: Readonly<Record<string, string>> = {},
): Promise<void> => {
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
  await createTopic(broker.client(), topic, numPartitions, { configEntries })
}

/** Sends to a topic, so many messages at a time. */
export const fill = async (
  broker: KafkaBroker,
  topic: string,
  messages: readonly Message[],
  atOnce = 1_000,
): Promise<void> => {
  const producer = broker.client().producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  for (let from = 0; from < messages.length; from += atOnce) {
    await producer.send({ topic, messages: messages.slice(from, from + atOnce) })
  }
  await producer.disconnect()
}

/** Sends to a topic in transactions: each is committed or aborted as it says. */
export const transact = async (
  broker: KafkaBroker,
  topic: string,
  transactions: readonly { readonly messages: readonly Message[]; readonly end: 'commit' | 'abort' | 'open' }[],
): Promise<void> => {
  const producer = broker.client().producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    transactionalId: randomUUID(),
    transactionTimeout: 30_000,
    idempotent: true,
    maxInFlightRequests: 1,
  })
  await producer.connect()
  for (const { messages, end } of transactions) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [...messages] })
    if (end === 'commit') await transaction.commit()
    if (end === 'abort') await transaction.abort()
    if (end === 'open') break
  }
  await producer.disconnect()
}

/** Deletes all messages below an offset. */
export const deleteBelow = async (
  broker: KafkaBroker,
  topic: string,
  partition: number,
  offset: bigint,
): Promise<void> => {
  const admin = broker.client().admin()
  await admin.connect()
  // The library deletes only where it has asked for the leaders before.
  await admin.fetchTopicOffsets(topic)
  await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] })
  await admin.disconnect()
}

/** Deletes a topic, and waits until it is gone. */
export const deleteTopic = async (broker: KafkaBroker, topic: string): Promise<void> => {
  const admin = broker.client().admin()
  await admin.connect()
  await admin.deleteTopics({ topics: [topic] })
  while ((await admin.listTopics()).includes(topic)) await new Promise((resolve) => setTimeout(resolve, 50))
  await admin.disconnect()
}

/** `count` values that say their place. */
export const numbered = (count: number, prefix = 'm'): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`)
