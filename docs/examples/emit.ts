// Asks for a budget over Kafka, waits for the decision, and adds noise only then.
// BROKERS=localhost:9092 SOURCE=trainer node emit.ts ID UNIT COUNT
import { randomInt, randomUUID } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Consumer, Kafka, logLevel, Partitioners, type Producer } from 'kafkajs'

/** What the ledger said; the rest of it is that of the HTTP answer. */
interface Decision {
  readonly decision: 'accepted' | 'refused' | 'invalid'
  readonly code?: string
  readonly detail?: string
  /** With `onExhausted: "drop"`: units that could not pay, and whose data must be left out. */
  readonly dropped?: readonly string[]
  readonly spend: { readonly source: string; readonly id: string }
}

class Emitter {
  readonly #source: string
  readonly #prefix: string
  readonly #producer: Producer
  readonly #consumer: Consumer
  readonly #waiting = new Map<string, (decision: Decision) => void>()

  private constructor(kafka: Kafka, source: string, prefix: string) {
    this.#source = source
    this.#prefix = prefix
    // The partitioner of Java: the decisions about one unit stay in order.
    this.#producer = kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
    })
    // A group of its own: every emitter has to see every decision.
    const groupId = `${source}-${randomUUID()}`
    this.#consumer = kafka.consumer({ groupId, allowAutoTopicCreation: false, maxWaitTimeInMs: 100 })
  }

  static async open(kafka: Kafka, source: string, prefix: string): Promise<Emitter> {
    const emitter = new Emitter(kafka, source, prefix)
    const topic = `${prefix}decisions`
    // The ends of the topic before anything is asked: no answer can come before them.
    const next = new Map<number, string>()
    const admin = kafka.admin()
    await admin.connect()
    for (const { partition, high } of await admin.fetchTopicOffsets(topic)) next.set(partition, high)
    await admin.disconnect()
    const consumer = emitter.#consumer
    // A seek is right only within the turn of the join, and after every join.
    consumer.on(consumer.events.GROUP_JOIN, () => {
      for (const [partition, offset] of next) consumer.seek({ topic, partition, offset })
    })
    await emitter.#producer.connect()
    await consumer.connect()
    await consumer.subscribe({ topic })
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        next.set(partition, String(BigInt(message.offset) + 1n))
        emitter.#read(message.value)
      },
    })
    return emitter
  }

  async close(): Promise<void> {
    await Promise.all([this.#producer.disconnect(), this.#consumer.disconnect()])
  }

  /**
   * Resolves with the decision. After a time without one the same message is sent again, with the same id: the ledger
   * charges it once, and gives the first answer again. Rejects at the deadline; then nothing may be released, and the
   * same id may be asked for later.
   */
  async ask(id: string, unit: string, data: object, { resendMs = 5_000, deadlineMs = 60_000 } = {}): Promise<Decision> {
    const message = {
      key: unit,
      value: JSON.stringify({ unit, ...data }),
      headers: {
        ce_specversion: '1.0',
        ce_id: id,
        ce_source: this.#source,
        ce_type: 'epsilon.spend.v1',
        'content-type': 'application/json',
      },
    }
    const decided = new Promise<Decision>((resolve) => this.#waiting.set(id, resolve))
    const deadline = performance.now() + deadlineMs
    try {
      while (performance.now() < deadline) {
        const sent = this.#producer.send({ topic: `${this.#prefix}spends`, acks: -1, messages: [message] })
        // A send that failed may have been written all the same: the answer decides, not the error.
        sent.catch((error) => console.error(`not sent: ${error.message}`))
        const waitMs = Math.min(resendMs, deadline - performance.now())
        const decision = await Promise.race([decided, sleep(waitMs, undefined, { ref: false })])
        if (decision !== undefined) return decision
      }
      throw new Error(`no decision about ${id} within ${deadlineMs} ms: nothing may be released`)
    } finally {
      this.#waiting.delete(id)
    }
  }

  /** Everybody's decisions come by; repeats of ours find nobody waiting. */
  #read(value: Buffer | null): void {
    const decision = JSON.parse(String(value)) as Decision
    if (decision.spend.source === this.#source) this.#waiting.get(decision.spend.id)?.(decision)
  }
}

/** True with probability exp(-1/n), exactly (Canonne, Kamath and Steinke 2020, algorithm 1). */
const bernoulli = (n: number): boolean => {
  let k = 1
  while (randomInt(n * k) === 0) k++
  return k % 2 === 1
}
const geometric = (n: number): number => {
  let count = 0
  while (bernoulli(n)) count++
  return count
}
/** Discrete Laplace noise of parameter 1/n. */
const noise = (n: number): number => geometric(n) - geometric(n)

/** One permit is for one result: whoever asks again for an id gets what was made the first time. */
const once = (id: string, make: () => number): number => {
  const file = `${process.env['RESULTS'] ?? '.'}/${encodeURIComponent(id)}.result`
  if (!existsSync(file)) {
    writeFileSync(`${file}.draft`, String(make()), { flush: true })
    renameSync(`${file}.draft`, file)
  }
  return Number(readFileSync(file, 'utf8'))
}

const [id = '', unit = '', count = ''] = process.argv.slice(2)
const kafka = new Kafka({ brokers: (process.env['BROKERS'] ?? '').split(','), logLevel: logLevel.ERROR })
const emitter = await Emitter.open(kafka, process.env['SOURCE'] ?? '', process.env['TOPIC_PREFIX'] ?? 'epsilon.')
try {
  const release = { mechanism: 'discrete_laplace', noiseParameter: '1/10', sensitivity: 1 }
  const deadlineMs = Number(process.env['DEADLINE_S'] ?? '60') * 1_000
  const { decision, code, detail } = await emitter.ask(id, unit, release, { deadlineMs })
  if (decision === 'accepted')
    console.log(JSON.stringify({ id, decision, result: once(id, () => Number(count) + noise(10)) }))
  else console.log(JSON.stringify({ id, decision, code, detail }))
} finally {
  await emitter.close()
}
