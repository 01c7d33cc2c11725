import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin, ITopicConfig, Kafka } from 'kafkajs'

/** Makes a topic; one partition where nothing is said. */
export const createTopic = async (
  client: Kafka,
  topic: string,
  numPartitions = 1,
  more: Partial<ITopicConfig> = {},
): Promise<void> => {
  const admin = client.admin()
  await admin.connect()
  await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions, ...more }] })
  await served(admin, topic, numPartitions)
  await admin.disconnect()
}

/**
 * Waits until every partition answers for itself. The library would wait for leaders to be named; what is sent then is taken by
 * one partition and not yet by another, and the first has it twice when it is sent again.
 */
const served = async (admin: Admin, topic: string, partitions: number): Promise<void> => {
  for (let attempt = 1; ; attempt++) {
    try {
      if ((await admin.fetchTopicOffsets(topic)).length === partitions) return
    } catch (error) {
      if (attempt === MOST_ATTEMPTS) throw error
    }
    await sleep(50)
  }
}

const MOST_ATTEMPTS = 500

/** Sends the values to partition 0 in one batch, acknowledged by all replicas. */
export const produce = async (client: Kafka, topic: string, values: readonly string[]): Promise<void> => {
  const producer = client.producer({ allowAutoTopicCreation: false })
  try {
    await producer.connect()
    await producer.send({ topic, acks: -1, messages: values.map((value) => ({ value, partition: 0 })) })
  } finally {
    await producer.disconnect()
  }
}

/** The first `count` values of a topic of one partition. */
export const readMessages = async (client: Kafka, topic: string, count: number): Promise<readonly string[]> => {
  const consumer = client.consumer({ groupId: `read-${process.hrtime.bigint()}`, maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const values: string[] = []
  await new Promise<void>((resolve, reject) => {
    // A coordinator that is still loading, say, is a crash after which the consumer starts again by itself.
    consumer.on('consumer.crash', ({ payload }) => payload.restart || reject(payload.error))
    const eachMessage = async ({ message }: { message: { value: Buffer | null } }): Promise<void> => {
      values.push(String(message.value))
      if (values.length === count) resolve()
    }
    consumer.run({ autoCommit: false, eachMessage }).catch(reject)
  })
  await consumer.disconnect()
  return values
}
