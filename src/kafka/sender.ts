import type { Message, Producer } from 'kafkajs'
import type { KafkaClients } from './client.js'

export interface Outgoing {
  readonly topic: string
  readonly messages: readonly Message[]
}

/** Offset of the first message of each partition that got some. */
export type Acknowledged = ReadonlyMap<number, bigint>

/** Sends messages once. */
export interface Sender {
  /** Resolves when all of them are on every in-sync replica; where it rejects, any of them may be. */
  send(outgoing: Outgoing): Promise<Acknowledged>
  close(): Promise<void>
}

/** A sender over a connection of its own, which its first send opens. */
export const openSender = (clients: KafkaClients): Sender => {
  const assigned = new Set<number>()
  const producer = clients.producer((partition) => assigned.add(partition))
  let connected: Promise<void> | undefined
  return {
    send: async (outgoing) => {
      connected ??= producer.connect()
      await connected
      assigned.clear()
      return sendOnce(producer, outgoing, assigned)
    },
    close: () => producer.disconnect(),
  }
}

const sendOnce = async (
  producer: Producer,
  { topic, messages }: Outgoing,
  assigned: ReadonlySet<number>,
): Promise<Acknowledged> => {
  const answers = await producer.send({ topic, messages: [...messages], acks: ALL_IN_SYNC, timeout: 10_000 })
  const acknowledged = new Map<number, bigint>()
  for (const { partition, errorCode, baseOffset } of answers) {
    if (errorCode === 0 && baseOffset !== undefined) acknowledged.set(partition, BigInt(baseOffset))
  }
  // The library leaves out, without an error, what was meant for a partition that the topic does not have.
  const missing = [...assigned].filter((partition) => !acknowledged.has(partition))
  if (missing.length === 0) return acknowledged
  throw new Error(`${topic}: partition ${missing.join(', ')} acknowledged nothing`)
}

const ALL_IN_SYNC = -1
