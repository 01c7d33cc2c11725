import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs, { type Consumer, type Message, type Producer } from 'kafkajs'
import { KafkaClients } from '../../src/kafka/client.js'
import { type KafkaSettings, readKafkaSettings } from '../../src/kafka/settings.js'
import { quantile } from './statistics.js'

/** Where the topics are. */
export interface Place {
  readonly bootstrap: string
  readonly topicPrefix: string
}

/** Messages in the topic before anybody reads it. */
interface Fill {
  readonly kind: 'fill'
  readonly spends: number
  readonly units: number
}

/** Reads so many messages, and does nothing with them. */
interface Consume {
  readonly kind: 'consume'
  readonly messages: number
}

/** Spends that arrive each at its own time, whatever became of those before. */
interface Arrivals {
  readonly kind: 'arrivals'
  readonly perSecond: number
  readonly seconds: number
  readonly units: number
  /** Begins every id of this run. */
  readonly prefix: string
}

export type Task = Fill | Consume | Arrivals

/** What a process beside the broker does; it is started with this as its only argument. */
export interface TopicJob {
  readonly place: Place
  readonly task: Task
}

export interface ConsumeResult {
  readonly messages: number
  readonly bytes: number
  /** From the first assignment of partitions to the last message. */
  readonly seconds: number
  /** Milliseconds of processor that the consumer took in that time. */
  readonly cpuMs: number
}

export interface ArrivalsResult {
  readonly sent: number
  /** Spends whose decision was not read in the time after the last arrival. */
  readonly unread: number
  /** Milliseconds from the arrival of a spend to its decision; infinite where it was not read. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** Milliseconds from the last arrival to the last decision. */
  readonly behind: number
}

/** What every emitter in `docs/emitting.md` sends: binary mode, keyed by unit. */
const messageOf = (id: string, unit: number): Message => ({
  key: `u${unit}`,
  value: `{"unit":"u${unit}","dataset":"visits","mechanism":"gaussian","noiseMultiplier":"1000"}`,
  headers: {
    ce_specversion: '1.0',
    ce_id: id,
    ce_source: 'bench',
    ce_type: 'epsilon.spend.v1',
    'content-type': 'application/json',
  },
})

const AT_ONCE = 1_000

/** Uncompressed, a thousand messages at a time. */
const fill = async (place: Place, { spends, units }: Fill): Promise<number> => {
  const topic = clientsOf(place).topic('spends')
  const producer = await producerOf(place)
  for (let from = 0; from < spends; from += AT_ONCE) {
    const length = Math.min(AT_ONCE, spends - from)
    const messages = Array.from({ length }, (_, index) => messageOf(`s-${from + index}`, (from + index) % units))
    await producer.send({ topic, acks: -1, messages })
  }
  await producer.disconnect()
  return spends
}

/** The same client with the same options as the ledger's, which does nothing with what it gets. */
const consume = async (place: Place, { messages: wanted }: Consume): Promise<ConsumeResult> => {
  const clients = clientsOf(place)
  const consumer = clients.consumer({ group: `raw-${process.pid}` })
  let [from, cpu, messages, bytes] = [0, process.cpuUsage(), 0, 0]
  consumer.on(consumer.events.GROUP_JOIN, () => {
    from = performance.now()
    cpu = process.cpuUsage()
  })
  await consumer.connect()
  await consumer.subscribe({ topic: clients.topic('spends'), fromBeginning: true })
  const ended = new Promise<ConsumeResult>((resolve) => {
    void consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 8,
      eachBatch: async ({ batch, resolveOffset }) => {
        for (const { value } of batch.messages) bytes += value?.length ?? 0
        messages += batch.messages.length
        resolveOffset(batch.lastOffset())
        if (messages < wanted) return
        const { user, system } = process.cpuUsage(cpu)
        resolve({ messages, bytes, seconds: (performance.now() - from) / 1_000, cpuMs: (user + system) / 1_000 })
      },
    })
  })
  const result = await ended
  await consumer.disconnect()
  return result
}

/** An emitter of Kafka's own collects for so long before it sends. */
const LINGER_MS = 5
/** How long decisions are waited for after the last arrival. */
const AFTER_MS = 20_000

/** Arrival times are fixed before, so that a ledger that falls behind is not spared: its delay counts for all that wait. */
const arrivals = async (place: Place, task: Arrivals): Promise<ArrivalsResult> => {
  const { perSecond, seconds, prefix } = task
  const count = perSecond * seconds
  const readAt = new Float64Array(count).fill(Number.POSITIVE_INFINITY)
  let unread = count
  const consumer = await readDecisions(place, (id) => {
    if (!id.startsWith(prefix)) return
    const index = Number(id.slice(prefix.length))
    if (Number.isFinite(readAt[index])) return
    readAt[index] = performance.now()
    unread--
  })
  const producer = await producerOf(place)
  const from = performance.now() + 100
  const dueAt = (index: number): number => from + (index * 1_000) / perSecond
  const send = (messages: Message[]) => producer.send({ topic: clientsOf(place).topic('spends'), acks: -1, messages })
  await sendWhenDue(task, count, dueAt, send)
  const last = dueAt(count - 1)
  while (unread > 0 && performance.now() < last + AFTER_MS) await sleep(10)
  await Promise.all([producer.disconnect(), consumer.disconnect()])
  const times = [...readAt].map((read, index) => read - dueAt(index)).toSorted((one, other) => one - other)
  const [p50, p99, max] = [quantile(times, 0.5), quantile(times, 0.99), quantile(times, 1)]
  return { sent: count, unread, p50, p99, max, behind: (readAt.toSorted().at(-1) ?? from) - last }
}

const sendWhenDue = async (
  { prefix, units }: Arrivals,
  count: number,
  dueAt: (index: number) => number,
  send: (messages: Message[]) => Promise<unknown>,
): Promise<void> => {
  const sends: Promise<unknown>[] = []
  for (let next = 0; next < count; ) {
    const messages: Message[] = []
    for (const now = performance.now(); next < count && dueAt(next) <= now; next++) {
      messages.push(messageOf(`${prefix}${next}`, next % units))
    }
    if (messages.length > 0) sends.push(send(messages))
    if (next < count) await sleep(Math.max(LINGER_MS, dueAt(next) - performance.now()))
  }
  await Promise.all(sends)
}

/** Reads decisions that come from now on, as `docs/emitting.md` does. */
const readDecisions = async (place: Place, take: (id: string) => void): Promise<Consumer> => {
  const clients = clientsOf(place)
  const topic = clients.topic('decisions')
  const admin = clients.admin()
  await admin.connect()
  const ends = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  const consumer = clients.consumer({ group: `decisions-${process.pid}`, maxWaitMs: 100 })
  const joined = new Promise<void>((resolve) => {
    consumer.on(consumer.events.GROUP_JOIN, () => {
      for (const { partition, high } of ends) consumer.seek({ topic, partition, offset: high })
      resolve()
    })
  })
  await consumer.connect()
  await consumer.subscribe({ topic })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      for (const { headers } of batch.messages) take(String(headers?.['ce_subject']))
    },
  })
  await joined
  return consumer
}

const clientsOf = ({ bootstrap, topicPrefix }: Place): KafkaClients =>
  new KafkaClients({ ...(readKafkaSettings({}, bootstrap) as KafkaSettings), topicPrefix }, () => {})

const producerOf = async ({ bootstrap }: Place): Promise<Producer> => {
  const client = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING })
  const producer = client.producer({
    allowAutoTopicCreation: false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  return producer
}

const perform = ({ place, task }: TopicJob): Promise<unknown> => {
  switch (task.kind) {
    case 'fill':
      return fill(place, task)
    case 'consume':
      return consume(place, task)
    case 'arrivals':
      return arrivals(place, task)
  }
}

process.send?.(await perform(JSON.parse(process.argv[2] as string) as TopicJob))
process.disconnect?.()
