import { Counter, Gauge, type Registry } from 'prom-client'
import type { Service } from '../application/service.js'
import type { MessageCounts, Topics } from '../application/topics.js'

/** What became of messages, as labels. */
const FATES: readonly (keyof MessageCounts)[] = ['decided', 'repeated', 'redelivered', 'quarantined']

/** Adds what an operator watches of the topics. Partitions become labels, keys and sources never. */
export const observeTopics = (topics: Topics, service: Service, registers: Registry[]): void => {
  observePartitions(topics, registers)
  observePublished(topics, service, registers)
  new Counter({
    name: 'epsilon_topic_messages_total',
    help: 'Messages of the spends topic since the process began, by what became of them.',
    labelNames: ['fate'],
    registers,
    collect() {
      this.reset()
      const counts = topics.counts()
      for (const fate of FATES) this.inc({ fate }, counts[fate])
    },
  })
}

const observePartitions = (topics: Topics, registers: Registry[]): void => {
  new Gauge({
    name: 'epsilon_topic_lag',
    help: "Messages of a partition that are not handled yet, by the ledger's own offset.",
    labelNames: ['partition'],
    registers,
    collect() {
      this.reset()
      for (const { partition, lag } of topics.partitions()) this.set({ partition }, Number(lag))
    },
  })
  new Gauge({
    name: 'epsilon_topic_running',
    help: '1 where a partition is consumed, 0 where it waits, lacks messages, or is elsewhere.',
    labelNames: ['partition'],
    registers,
    collect() {
      this.reset()
      for (const { partition, standing } of topics.partitions()) {
        this.set({ partition }, standing === 'running' ? 1 : 0)
      }
    },
  })
}

const observePublished = (topics: Topics, service: Service, registers: Registry[]): void => {
  new Gauge({
    name: 'epsilon_publish_lag',
    help: 'Records that the journal, and that the decisions topic does not have yet.',
    labelNames: ['topic'],
    registers,
    collect() {
      if (!topics.inUse) return
      const head = service.position().seq
      const { journal, decisions } = topics.published()
      this.set({ topic: 'journal' }, head - journal)
      this.set({ topic: 'decisions' }, head - decisions)
    },
  })
}
