import type { TopicName } from './client.js'

/** What a topic has. */
export interface TopicFacts {
  readonly partitions: number
  /** Of the partition that has the fewest. */
  readonly replicas: number
  /** Settings as they hold, by name; undefined where this user may not see them. */
  readonly settings: ReadonlyMap<string, string> | undefined
}

/** What decides about needs beside the topic itself. */
export interface Surroundings {
  /** Brokers that the cluster has now. */
  readonly brokers: number
  /** The highest partition of spends that this ledger is told to take; undefined where it takes all. */
  readonly highestPartition: number | undefined
  /** `max.message.bytes` of spends, as far as anybody knows. */
  readonly spendBytes: number
}

export type State = 'fits' | 'warning' | 'wrong'

/** One need of one topic, beside what it has. */
export interface Finding {
  readonly setting: string
  readonly needs: string
  readonly has: string
  readonly state: State
  /** The value that mends it; undefined where it fits, or where people have to do it. */
  readonly mend: string | undefined
  /** What is at stake, and what people have to do where nothing else can. */
  readonly why: string
}

interface Need {
  readonly setting: string
  readonly needs: string
  /** What the topic is made with. */
  readonly made: string
  readonly judge: (has: string) => State
  readonly why: string
}

/** Compares a topic with what it needs. */
export const findingsOf = (name: TopicName, facts: TopicFacts, around: Surroundings): readonly Finding[] => [
  partitionsOf(name, facts, around),
  replicationOf(facts, around),
  ...settingNeeds(name, around, facts.replicas).map((need) => settingOf(need, facts)),
]

/** The settings that a topic is made with. */
export const settingsToMake = (name: TopicName, around: Surroundings): ReadonlyMap<string, string> =>
  new Map(settingNeeds(name, around, replicasFor(around)).map(({ setting, made }) => [setting, made]))

/** Replicas that a topic is made with: one broker more than may fail, where there are so many. */
export const replicasFor = ({ brokers }: Surroundings): number => (brokers >= 3 ? 3 : 1)

const partitionsOf = (name: TopicName, { partitions }: TopicFacts, { highestPartition }: Surroundings): Finding => {
  const has = String(partitions)
  if (name === 'journal') {
    const why = 'the order of blocks is that of one partition: delete the topic and make it anew'
    return { setting: 'partitions', needs: '1', has, state: partitions === 1 ? 'fits' : 'wrong', mend: undefined, why }
  }
  const least = name === 'spends' ? (highestPartition ?? 0) + 1 : 1
  const why = 'EPSILON_KAFKA_PARTITIONS names partitions that the topic does not have'
  const state = partitions >= least ? 'fits' : 'wrong'
  return { setting: 'partitions', needs: `${least} or more`, has, state, mend: undefined, why }
}

const replicationOf = ({ replicas }: TopicFacts, { brokers }: Surroundings): Finding => {
  const common = { setting: 'replication', has: String(replicas), mend: undefined }
  if (brokers >= 3 || replicas >= 3) {
    const why = 'what one broker holds is lost with it: add replicas with kafka-reassign-partitions'
    return { ...common, needs: '3', state: replicas >= 3 ? 'fits' : 'wrong', why }
  }
  const there = brokers === 1 ? 'is 1 broker' : `are ${brokers} brokers`
  const why = `there ${there}: three keep what was acknowledged when one is lost`
  return { ...common, needs: '3 (1 with fewer than three brokers)', state: 'warning', why }
}

const settingOf = ({ setting, needs, made, judge, why }: Need, { settings }: TopicFacts): Finding => {
  if (settings === undefined) {
    return { setting, needs, has: 'not shown to this user', state: 'warning', mend: undefined, why: NOT_SHOWN }
  }
  const has = settings.get(setting) ?? 'unknown to these brokers'
  const state = judge(has)
  return { setting, needs, has, state, mend: state === 'fits' || has === made ? undefined : made, why }
}

const NOT_SHOWN = 'grant DESCRIBE_CONFIGS on the topic, or let somebody who has it run epsilon-ledger topics'

const settingNeeds = (name: TopicName, around: Surroundings, replicas: number): readonly Need[] => [
  inSync(replicas),
  exactly(
    'unclean.leader.election.enable',
    'false',
    'a broker that lags could lead, and acknowledged messages be gone',
  ),
  exactly('cleanup.policy', 'delete', 'compaction leaves holes, and every message counts'),
  retention(name),
  exactly('retention.bytes', '-1', 'a burst would push out messages that are still needed'),
  ...largestMessage(name, around),
  compression(name),
  ...(name === 'spends' ? [TIMESTAMPS] : []),
]

const inSync = (replicas: number): Need => {
  const two = replicas >= 3
  return {
    setting: 'min.insync.replicas',
    needs: two ? '2' : '2 (1 with fewer than three replicas)',
    made: two ? '2' : '1',
    judge: (has) => {
      if (Number(has) > replicas) return 'wrong'
      if (two) return Number(has) >= 2 ? 'fits' : 'wrong'
      return 'warning'
    },
    why: two
      ? 'a message that one broker has is lost with it'
      : `with ${replicas === 1 ? '1 replica' : `${replicas} replicas`}, a higher number would acknowledge nothing`,
  }
}

const exactly = (setting: string, value: string, why: string): Need => ({
  setting,
  needs: value,
  made: value,
  judge: (has) => (has === value ? 'fits' : 'wrong'),
  why,
})

const DAY_MS = 86_400_000
const LEAST_DAYS = 7
const MADE_DAYS = 30

const retention = (name: TopicName): Need => {
  if (name === 'journal' || name === 'dead-letter') {
    const why =
      name === 'journal' ? 'it is the copy that a ledger is restored from' : 'quarantined messages are kept here alone'
    return exactly('retention.ms', '-1', why)
  }
  const least = LEAST_DAYS * DAY_MS
  return {
    setting: 'retention.ms',
    needs: `${least} (${LEAST_DAYS} days) or more, or -1`,
    made: String(MADE_DAYS * DAY_MS),
    judge: (has) => (Number(has) === -1 || Number(has) >= least ? 'fits' : 'wrong'),
    why: 'after a longer outage, or a restore of an older copy, messages would be missing',
  }
}

const MIB = 1024 * 1024
/** Room for the headers that a quarantined message gets, and for those of its batch. */
const BURIAL_BYTES = 64 * 1024

const largestMessage = (name: TopicName, { spendBytes }: Surroundings): readonly Need[] => {
  switch (name) {
    case 'spends':
      return []
    case 'decisions':
      return [atLeast(8 * MIB, 'an answer can name all of 20,000 units')]
    case 'journal':
      return [atLeast(2 * MIB, 'a send has several blocks of up to 512 KiB')]
    case 'dead-letter':
      return [atLeast(Math.max(2 * MIB, spendBytes + BURIAL_BYTES), 'what can be sent as a spend has to fit in here')]
  }
}

const atLeast = (bytes: number, why: string): Need => ({
  setting: 'max.message.bytes',
  needs: `${bytes} or more`,
  made: String(bytes),
  judge: (has) => (Number(has) >= bytes ? 'fits' : 'wrong'),
  why,
})

const compression = (name: TopicName): Need => ({
  setting: 'compression.type',
  needs: 'uncompressed',
  made: 'uncompressed',
  judge: (has) => {
    if (has === 'uncompressed') return 'fits'
    return name !== 'spends' && has === 'producer' ? 'warning' : 'wrong'
  },
  why: 'one message with a codec that the client cannot read would stop its partition',
})

const TIMESTAMPS: Need = {
  setting: 'message.timestamp.type',
  needs: 'LogAppendTime',
  made: 'LogAppendTime',
  judge: (has) => (has === 'LogAppendTime' ? 'fits' : 'warning'),
  why: "else an emitter's clock decides when a message is deleted: one of the past is, as soon as its segment is full",
}
