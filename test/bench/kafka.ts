import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaClients } from '../../src/kafka/client.js'
import { ends } from '../../src/kafka/tail.js'
import { mendTopics, TOPIC_NAMES } from '../../src/kafka/topics.js'
import { clientsOf } from '../services/kafka/topic.js'
import { KafkaBroker } from '../support/kafka-broker.js'
import { Service } from '../support/service.js'
import { NAMES } from './aims.js'
import { inProcess } from './in-process.js'
import { headSeq } from './ledger.js'
import { processorMs } from './machine.js'
import { type Report, short } from './report.js'
import { prepared } from './run-load.js'
import type { ArrivalsResult, ConsumeResult, Task } from './topic-load.js'
import { unlessMissing } from './unless-missing.js'

/** How much is measured over topics. */
export interface TopicScale {
  /** Spends that wait in the topic before the ledger begins. */
  readonly topicSpends: number
  /** Time over which spends arrive at a fixed rate. */
  readonly arrivalSeconds: number
}

type Acknowledge = 'ledger' | 'journal'

const PARTITIONS = 4
const UNITS = 1_000
const RATES = [100, 5_000] as const
const POLL_MS = 20
const LONGEST_MS = 300_000

/** Undefined where it cannot be had. */
export const startBroker = (report: Report): Promise<KafkaBroker | undefined> =>
  unlessMissing('spends over a topic', report, () => KafkaBroker.start({ heapMiB: 512 }))

/** Spends that wait in a topic, for either kind of acknowledgement; to one of the ledgers then come more, at fixed rates. */
export const measureTopics = async (
  broker: KafkaBroker,
  scale: TopicScale,
  round: number,
  report: Report,
  say: (line: string) => void,
): Promise<void> => {
  const inTurn: readonly Acknowledge[] = round % 2 === 1 ? ['ledger', 'journal'] : ['journal', 'ledger']
  for (const acknowledge of inTurn) {
    say(`Kafka: ${short(scale.topicSpends)} spends wait in a topic, EPSILON_ACK=${acknowledge}`)
    const stage = await TopicStage.open(broker, acknowledge)
    try {
      await stage.measureWaiting(scale, report)
      if (acknowledge === 'ledger') await stage.measureArrivals(scale, report, say)
    } finally {
      await stage.close()
    }
  }
}

/** Topics, and a ledger with its policy that has not seen them yet. */
class TopicStage {
  private constructor(
    private readonly clients: KafkaClients,
    private readonly bootstrap: string,
    private readonly acknowledge: Acknowledge,
    private service: Service,
  ) {}

  static async open(broker: KafkaBroker, acknowledge: Acknowledge): Promise<TopicStage> {
    const clients = clientsOf([broker])
    await mendTopics(clients, PARTITIONS)
    const { service } = await prepared(await Service.start())
    await service.stop()
    return new TopicStage(clients, broker.bootstrap, acknowledge, service)
  }

  /** The ledger and the bare client each begin in a new process, and are measured from when they have their partitions. */
  async measureWaiting({ topicSpends }: TopicScale, report: Report): Promise<void> {
    await this.perform({ kind: 'fill', spends: topicSpends, units: UNITS })
    const raw = await this.perform<ConsumeResult>({ kind: 'consume', messages: topicSpends })
    this.service = await this.service.restart({ environment: this.environment(), untilReady: false })
    const { durable, published, processorMs: taken } = await this.consumed(topicSpends)
    await this.check(topicSpends)
    const [name, rawName] = [NAMES.topic(this.acknowledge), NAMES.rawTopic(this.acknowledge)]
    report.add(name, 'spends/s', durable)
    report.add(`${name}, to the last decision published`, 'spends/s', published)
    report.add(rawName, 'messages/s', raw.messages / raw.seconds)
    report.add(`${name} / kafkajs alone`, 'ratio', durable / (raw.messages / raw.seconds))
    report.add(`${name}: processor time of a spend`, 'µs', taken * 1_000)
    report.add(`${rawName}: processor time of a message`, 'µs', (raw.cpuMs / raw.messages) * 1_000)
  }

  /** From the arrival of a spend, by its acknowledged send and its durable record, to its decision as an emitter reads it. */
  async measureArrivals({ arrivalSeconds }: TopicScale, report: Report, say: (line: string) => void): Promise<void> {
    for (const perSecond of RATES) {
      say(`Kafka: ${short(perSecond)} spends arrive a second, for ${arrivalSeconds} s`)
      const task = {
        kind: 'arrivals',
        perSecond,
        seconds: arrivalSeconds,
        units: UNITS,
        prefix: `a${perSecond}-`,
      } as const
      const { p50, p99, max, behind, unread } = await this.perform<ArrivalsResult>(task)
      const name = NAMES.arrivals(perSecond)
      report.add(`${name}: latency p50`, 'ms', p50)
      report.add(`${name}: latency p99`, 'ms', p99)
      report.add(`${name}: latency max`, 'ms', max)
      report.add(NAMES.behind(perSecond), 'ms', behind)
      if (unread > 0) say(`Kafka: ${short(unread)} decisions did not come`)
    }
  }

  async close(): Promise<void> {
    await this.service.remove()
    const admin = this.clients.admin()
    await admin.connect()
    await admin.deleteTopics({ topics: TOPIC_NAMES.map((name) => this.clients.topic(name)) })
    await admin.disconnect()
  }

  private perform<Result>(task: Task): Promise<Result> {
    const place = { bootstrap: this.bootstrap, topicPrefix: this.clients.settings.topicPrefix }
    return inProcess<Result>('./topic-load.js', { place, task })
  }

  private environment(): Readonly<Record<string, string>> {
    return {
      EPSILON_KAFKA_BROKERS: this.bootstrap,
      EPSILON_KAFKA_TOPIC_PREFIX: this.clients.settings.topicPrefix,
      EPSILON_ACK: this.acknowledge,
    }
  }

  /** What was done before the first look is not counted, and neither is the time that it took. */
  private async consumed(spends: number): Promise<Consumed> {
    const { pid } = this.service
    const operator = await this.service.as('operator')
    const look = async (): Promise<Seen> => (await operator.get<Seen>('/v1/topics')).body
    const first = await until(look, ({ partitions }) => partitions.some(({ standing }) => standing === 'running'))
    const [from, cpu, counted] = [performance.now(), processorMs(pid), spends - doneOf(first)]
    const rate = (): number => counted / ((performance.now() - from) / 1_000)
    await until(look, (seen) => doneOf(seen) === spends)
    const durable = rate()
    const head = await headSeq({ service: this.service })
    await until(look, ({ published }) => published.decisions >= head)
    return { durable, published: rate(), processorMs: (processorMs(pid) - cpu) / counted }
  }

  /** A rate of messages that were refused or passed over would be none of decisions. */
  private async check(spends: number): Promise<void> {
    const operator = await this.service.as('operator')
    const { counts } = (await operator.get<{ counts: Record<string, number> }>('/v1/ledger')).body
    if (counts['SpendAccepted'] !== spends) throw new Error(`not ${spends} spends accepted: ${JSON.stringify(counts)}`)
    const ranges = [...(await ends(this.clients, this.clients.topic('decisions'))).values()]
    const decisions = ranges.reduce((sum, { high }) => sum + Number(high), 0)
    if (decisions < spends) throw new Error(`${decisions} of ${spends} decisions are on their topic`)
  }
}

interface Seen {
  readonly partitions: readonly { readonly next: string; readonly standing: string }[]
  readonly published: { readonly decisions: number }
}

interface Consumed {
  /** Spends a second until the last record was durable. */
  readonly durable: number
  /** Spends a second until the last decision was on its topic. */
  readonly published: number
  /** Of one spend, until then. */
  readonly processorMs: number
}

/** Messages that have their record. */
const doneOf = ({ partitions }: Seen): number => partitions.reduce((sum, { next }) => sum + Number(next), 0)

const until = async (look: () => Promise<Seen>, isSo: (seen: Seen) => boolean): Promise<Seen> => {
  const deadline = performance.now() + LONGEST_MS
  for (;;) {
    const seen = await look()
    if (isSo(seen)) return seen
    if (performance.now() > deadline) throw new Error(`nothing more comes of the topics: ${JSON.stringify(seen)}`)
    await sleep(POLL_MS)
  }
}
