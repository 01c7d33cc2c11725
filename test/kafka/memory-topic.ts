import type { KafkaMessage, Message } from 'kafkajs'
import type { Acknowledged, Outgoing, Sender } from '../../src/kafka/sender.js'
import { type Range, RangeLost } from '../../src/kafka/tail.js'

/** What happens to one try to send. */
export type Fate = 'written' | 'part written' | 'answer lost' | 'not written' | 'written late'

/** A topic in memory, whose brokers meet tries with the fates they are given, and with success after those. */
export class MemoryTopic {
  readonly partitions: KafkaMessage[][]
  readonly fates: Fate[] = []
  /** Resolves before any try is looked at. */
  gate: Promise<void> = Promise.resolve()
  opened = 0
  /** Messages of each send that was acknowledged. */
  readonly sends: number[] = []
  #late: (() => void)[] = []

  constructor(
    readonly name: string,
    partitions = 1,
  ) {
    this.partitions = Array.from({ length: partitions }, () => [])
  }

  open(): Sender {
    this.opened++
    return { send: (outgoing) => this.#send(outgoing), close: async () => {} }
  }

  /** The texts of a partition's messages. */
  values(partition = 0): readonly string[] {
    return (this.partitions[partition] ?? []).map(({ value }) => String(value))
  }

  /** Writes past any sender. */
  write(messages: readonly Message[]): Acknowledged {
    const acknowledged = new Map<number, bigint>()
    for (const message of messages) {
      const partition = this.#partitionOf(message)
      const log = this.partitions[partition] as KafkaMessage[]
      if (!acknowledged.has(partition)) acknowledged.set(partition, BigInt(log.length))
      log.push(received(message, log.length))
    }
    return acknowledged
  }

  async readBack({ from, to }: Range, take: (message: KafkaMessage) => Promise<void> | void): Promise<void> {
    const [log = []] = this.partitions
    if (to > BigInt(log.length)) throw new RangeLost(this.name, 0, { from: BigInt(log.length), to }, 'its log ends')
    for (const message of log.slice(Number(from), Number(to))) await take(message)
  }

  #partitionOf({ key, partition }: Message): number {
    if (partition !== undefined) return partition
    return [...String(key)].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % this.partitions.length
  }

  async #send({ messages }: Outgoing): Promise<Acknowledged> {
    await this.gate
    switch (this.fates.shift() ?? 'written') {
      case 'written': {
        const acknowledged = this.write(messages)
        this.sends.push(messages.length)
        // What an older try left on its way arrives after what was acknowledged since.
        for (const late of this.#late.splice(0)) late()
        return acknowledged
      }
      case 'part written': {
        // Each partition is a request of its own.
        const last = this.#partitionOf(messages.at(-1) as Message)
        this.write(messages.filter((message) => this.#partitionOf(message) === last))
        throw new Error('Connection closed')
      }
      case 'answer lost':
        this.write(messages)
        throw new Error('Connection closed')
      case 'not written':
        throw new Error('Connection refused')
      case 'written late':
        this.#late.push(() => this.write(messages))
        return new Promise(() => {})
    }
  }
}

const received = ({ key = null, value, headers = {} }: Message, offset: number): KafkaMessage => ({
  key: key === null ? null : Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
  headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(String(text))])),
  offset: String(offset),
  timestamp: '1767225600000',
  attributes: 0,
})
