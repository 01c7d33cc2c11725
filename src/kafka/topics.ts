import kafkajs, { type Admin, type DescribeConfigResponse } from 'kafkajs'
import { endWithin, pause } from '../application/pause.js'
import { LedgerError } from '../ledger/errors.js'
import type { KafkaClients, TopicName } from './client.js'
import { kafkaError } from './kafka-error.js'
import {
  type Finding,
  findingsOf,
  replicasFor,
  type Surroundings,
  settingsToMake,
  type TopicFacts,
} from './topic-needs.js'

export const TOPIC_NAMES: readonly TopicName[] = ['spends', 'decisions', 'journal', 'dead-letter']

/** What a topic needs beside what it has; none of the latter where it is missing. */
export interface TopicReport {
  readonly name: TopicName
  /** Whole name. */
  readonly topic: string
  readonly exists: boolean
  readonly findings: readonly Finding[]
}

export interface TopicsReport {
  readonly brokers: number
  readonly topics: readonly TopicReport[]
}

/** Looks at every topic of a ledger. @throws what brokers say, as a LedgerError. */
export const inspectTopics = (clients: KafkaClients, signal?: AbortSignal): Promise<TopicsReport> =>
  asAdmin(clients, async (admin) => (await look(admin, clients)).report, signal)

/**
 * Makes the topics that are missing, and sets what is wrong and can be set.
 *
 * @param partitions of spends and decisions where they are made.
 * @returns what was done, a line each.
 */
export const mendTopics = async (clients: KafkaClients, partitions: number): Promise<readonly string[]> => {
  const done: string[] = []
  await asAdmin(clients, async (admin) => {
    const { report, around, overrides } = await look(admin, clients)
    for (const { name, topic, exists, findings } of report.topics) {
      if (!exists) done.push(await make(admin, { name, topic, around, partitions }))
      else done.push(...(await set(admin, topic, findings, overrides.get(topic) ?? new Map())))
    }
    await untilSeen(admin, report)
  })
  return done
}

/** @throws LedgerError TOPIC_MISSING or TOPIC_WRONG: which topics, and how to mend them. @returns what is only a warning. */
export const checkTopics = async (clients: KafkaClients, signal?: AbortSignal): Promise<readonly string[]> => {
  const { topics } = await inspectTopics(clients, signal)
  const missing = topics.filter(({ exists }) => !exists)
  if (missing.length > 0) throw topicsMissing(missing)
  const wrong = topics.flatMap((report) => linesOf(report, 'wrong'))
  if (wrong.length > 0)
    throw topicsWrong(
      wrong,
      topics.flatMap(({ findings }) => findings),
    )
  return topics.flatMap((report) => linesOf(report, 'warning'))
}

const linesOf = ({ topic, findings }: TopicReport, state: Finding['state']): readonly string[] =>
  findings
    .filter((finding) => finding.state === state)
    .map(({ setting, needs, has, why }) => `${topic} has ${setting} ${has} and needs ${needs}: ${why}`)

interface Seen {
  readonly report: TopicsReport
  readonly around: Surroundings
  /** Settings of each topic that are its own, not those of the brokers: a change that leaves them out would drop them. */
  readonly overrides: ReadonlyMap<string, ReadonlyMap<string, string>>
}

const look = async (admin: Admin, clients: KafkaClients): Promise<Seen> => {
  const { brokers } = await admin.describeCluster()
  const all = new Set(await admin.listTopics())
  const names = TOPIC_NAMES.map((name) => ({ name, topic: clients.topic(name) }))
  const present = names.map(({ topic }) => topic).filter((topic) => all.has(topic))
  const settings = await settingsOf(admin, present)
  const facts = await factsOf(admin, present, settings)
  const around = surroundings(clients, brokers.length, settings)
  const topics = names.map(({ name, topic }) => {
    const has = facts.get(topic)
    return { name, topic, exists: has !== undefined, findings: has === undefined ? [] : findingsOf(name, has, around) }
  })
  const overrides = new Map([...settings].map(([topic, { own }]) => [topic, own]))
  return { report: { brokers: brokers.length, topics }, around, overrides }
}

interface TopicSettings {
  readonly all: ReadonlyMap<string, string>
  readonly own: ReadonlyMap<string, string>
}

/** A topic is left out whose settings this user may not see. */
const settingsOf = async (admin: Admin, topics: readonly string[]): Promise<ReadonlyMap<string, TopicSettings>> => {
  const settings = new Map<string, TopicSettings>()
  for (const topic of topics) {
    const response = await describe(admin, topic)
    const entries = response?.resources.flatMap(({ configEntries }) => configEntries)
    if (entries === undefined) continue
    const own = entries.filter(({ configSource }) => configSource === OWN)
    settings.set(topic, { all: new Map(entries.map(pairOf)), own: new Map(own.map(pairOf)) })
  }
  return settings
}

const pairOf = ({ configName, configValue }: { readonly configName: string; readonly configValue: string }) =>
  [configName, configValue] as const

const describe = async (admin: Admin, topic: string): Promise<DescribeConfigResponse | undefined> => {
  try {
    return await admin.describeConfigs({ resources: [{ type: TOPIC, name: topic }], includeSynonyms: false })
  } catch (error) {
    if (kafkaError(error, topic).code === 'KAFKA_FORBIDDEN') return undefined
    throw error
  }
}

const factsOf = async (
  admin: Admin,
  topics: readonly string[],
  settings: ReadonlyMap<string, TopicSettings>,
): Promise<ReadonlyMap<string, TopicFacts>> => {
  if (topics.length === 0) return new Map()
  const described = await admin.fetchTopicMetadata({ topics: [...topics] })
  return new Map(
    described.topics.map(({ name, partitions }) => [
      name,
      {
        partitions: partitions.length,
        replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
        settings: settings.get(name)?.all,
      },
    ]),
  )
}

const surroundings = (
  clients: KafkaClients,
  brokers: number,
  seen: ReadonlyMap<string, TopicSettings>,
): Surroundings => {
  const { partitions } = clients.settings
  const bytes = Number(seen.get(clients.topic('spends'))?.all.get('max.message.bytes'))
  return {
    brokers,
    highestPartition: partitions === undefined ? undefined : Math.max(...partitions),
    spendBytes: Number.isSafeInteger(bytes) ? bytes : DEFAULT_MESSAGE_BYTES,
  }
}

interface ToMake {
  readonly name: TopicName
  readonly topic: string
  readonly around: Surroundings
  readonly partitions: number
}

const make = async (admin: Admin, { name, topic, around, partitions }: ToMake): Promise<string> => {
  const spread = name === 'spends' || name === 'decisions'
  const numPartitions = spread ? Math.max(partitions, (around.highestPartition ?? 0) + 1) : 1
  const replicationFactor = replicasFor(around)
  const configEntries = [...settingsToMake(name, around)].map(([setting, value]) => ({ name: setting, value }))
  await admin.createTopics({
    topics: [{ topic, numPartitions, replicationFactor, configEntries }],
    timeout: TIMEOUT_MS,
    // The library would ask once, and take a broker that has not heard of the topic yet for a refusal: see untilSeen.
    waitForLeaders: false,
  })
  return `made ${topic} (partitions ${numPartitions}, replicas ${replicationFactor})`
}

const set = async (
  admin: Admin,
  topic: string,
  findings: readonly Finding[],
  own: ReadonlyMap<string, string>,
): Promise<readonly string[]> => {
  const changes = findings.flatMap(({ setting, mend }) => (mend === undefined ? [] : [[setting, mend] as const]))
  if (changes.length === 0) return []
  // This request replaces all settings of the topic: those that nobody wants changed go with it.
  const configEntries = [...new Map([...own, ...changes])].map(([name, value]) => ({ name, value }))
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: TOPIC, name: topic, configEntries }] })
  return changes.map(([setting, value]) => `set ${topic} ${setting} = ${value}`)
}

/** Brokers learn of a topic one after the other. */
const untilSeen = async (admin: Admin, { topics }: TopicsReport): Promise<void> => {
  for (let waited = 0; waited < TIMEOUT_MS; waited += SEEN_PAUSE_MS) {
    const all = new Set(await admin.listTopics())
    if (topics.every(({ topic }) => all.has(topic))) return
    await pause(SEEN_PAUSE_MS)
  }
}

/** Does it again for a while where a broker answers and another does not: the cluster still names one that is gone. */
const asAdmin = async <Result>(
  clients: KafkaClients,
  work: (admin: Admin) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> => {
  const until = performance.now() + OUTDATED_MS
  for (;;) {
    const admin = clients.admin()
    let connected = false
    try {
      await admin.connect()
      connected = true
      return await work(admin)
    } catch (error) {
      const known = kafkaError(error, `looking after the topics at ${clients.settings.brokers.join(',')}`)
      if (!connected || known.retry === 'never' || performance.now() > until || signal?.aborted) throw known
    } finally {
      await endWithin(LEAVE_MS, admin.disconnect())
    }
    await pause(OUTDATED_PAUSE_MS, signal)
  }
}

const TOPIC = kafkajs.ConfigResourceTypes.TOPIC
const OWN = kafkajs.ConfigSource.TOPIC_CONFIG
const DEFAULT_MESSAGE_BYTES = 1_048_588
const TIMEOUT_MS = 10_000
const SEEN_PAUSE_MS = 100
const LEAVE_MS = 2_000
const OUTDATED_MS = 30_000
const OUTDATED_PAUSE_MS = 500

const topicsMissing = (missing: readonly TopicReport[]): LedgerError =>
  new LedgerError('TOPIC_MISSING', `there is no ${missing.map(({ topic }) => topic).join(', no ')}`, {
    retry: 'never',
    hint: 'epsilon-ledger topics --apply makes it. Where it exists, this user may not see it.',
    exitCode: 3,
  })

const topicsWrong = (lines: readonly string[], findings: readonly Finding[]): LedgerError => {
  const byHand = findings.some(({ state, mend }) => state === 'wrong' && mend === undefined)
  return new LedgerError('TOPIC_WRONG', lines.join('; '), {
    retry: 'never',
    hint: `epsilon-ledger topics --apply sets what can be set${byHand ? '; the rest is to be done by hand' : ''}.`,
    exitCode: 3,
  })
}
