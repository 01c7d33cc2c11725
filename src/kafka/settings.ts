import { LedgerError } from '../ledger/errors.js'

/** How brokers are reached, and which topics are meant. Secrets stay in their files until a client needs them. */
export interface KafkaSettings {
  /** `host:port` each. */
  readonly brokers: readonly string[]
  readonly clientId: string
  /** Prefix of the consumer group: every start joins one of its own. */
  readonly group: string
  /** `epsilon.` makes `epsilon.spends`. */
  readonly topicPrefix: string
  /** The partitions of spends that this ledger takes; undefined: all. */
  readonly partitions: ReadonlySet<number> | undefined
  /** The sources that may spend this way; undefined: any that the topic's own access control lets write. */
  readonly sources: ReadonlySet<string> | undefined
  readonly tls: Tls | undefined
  readonly sasl: Sasl | undefined
  /** Whether an answer waits until the journal has its record. */
  readonly acknowledge: 'ledger' | 'journal'
}

export interface Tls {
  /** PEM of the authorities to trust; undefined: those of Node. */
  readonly caFile: string | undefined
}

export interface Sasl {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly passwordFile: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** Every variable that says something of Kafka; `docs/configuration.md` lists them. */
export const KAFKA_VARIABLES = {
  brokers: 'EPSILON_KAFKA_BROKERS',
  group: 'EPSILON_KAFKA_GROUP',
  partitions: 'EPSILON_KAFKA_PARTITIONS',
  topicPrefix: 'EPSILON_KAFKA_TOPIC_PREFIX',
  sources: 'EPSILON_KAFKA_SOURCES',
  tls: 'EPSILON_KAFKA_TLS',
  tlsCa: 'EPSILON_KAFKA_TLS_CA',
  mechanism: 'EPSILON_KAFKA_SASL_MECHANISM',
  username: 'EPSILON_KAFKA_SASL_USERNAME',
  passwordFile: 'EPSILON_KAFKA_SASL_PASSWORD_FILE',
  acknowledge: 'EPSILON_ACK',
} as const

/**
 * @param given brokers from the command line; they go before the environment.
 * @returns undefined where nobody names a broker: the ledger then does without Kafka.
 * @throws LedgerError CONFIGURATION_INVALID.
 */
export const readKafkaSettings = (environment: Environment, given?: string): KafkaSettings | undefined => {
  const read = (name: keyof typeof KAFKA_VARIABLES): string | undefined =>
    environment[KAFKA_VARIABLES[name]] || undefined
  const acknowledge = oneOf('acknowledge', read('acknowledge') ?? 'ledger', ['ledger', 'journal'])
  const brokers = given ?? read('brokers')
  if (brokers === undefined) {
    if (acknowledge === 'journal') throw invalid('acknowledge', 'is journal, but there are no brokers', 'name them')
    return undefined
  }
  return {
    brokers: brokersFrom(brokers),
    clientId: 'epsilon-ledger',
    group: nameFrom('group', read('group') ?? 'epsilon-ledger'),
    topicPrefix: nameFrom('topicPrefix', read('topicPrefix') ?? 'epsilon.'),
    partitions: partitionsFrom(read('partitions')),
    sources: listFrom(read('sources')),
    tls: tlsFrom(read('tls'), read('tlsCa')),
    sasl: saslFrom(read('mechanism'), read('username'), read('passwordFile')),
    acknowledge,
  }
}

const brokersFrom = (text: string): readonly string[] => {
  const brokers = text.split(',').map((broker) => broker.trim())
  const wrong = brokers.find((broker) => !/^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):\d{1,5}$/.test(broker))
  if (wrong === undefined) return brokers
  throw invalid('brokers', `has ${JSON.stringify(wrong)}`, 'write host:port, with commas between')
}

/** What Kafka takes as a part of a group's or a topic's name. */
const nameFrom = (name: 'group' | 'topicPrefix', text: string): string => {
  if (/^[A-Za-z0-9._-]{1,100}$/.test(text)) return text
  throw invalid(name, `is ${JSON.stringify(text)}`, 'use 1 to 100 letters, digits, dots, hyphens and underscores')
}

/** `0,2,5-7`. */
const partitionsFrom = (text: string | undefined): ReadonlySet<number> | undefined => {
  if (text === undefined) return undefined
  const taken = new Set<number>()
  for (const part of text.split(',')) {
    const [, first, last = first] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part) ?? []
    if (first === undefined || Number(last) < Number(first)) {
      throw invalid('partitions', `has ${JSON.stringify(part)}`, 'write numbers and ranges, such as 0,2,5-7')
    }
    for (let number = Number(first); number <= Number(last); number++) taken.add(number)
  }
  return taken
}

const listFrom = (text: string | undefined): ReadonlySet<string> | undefined => {
  const names = text?.split(',').map((name) => name.trim())
  if (names?.includes('')) throw invalid('sources', 'has an empty name', 'write names with commas between')
  return names === undefined ? undefined : new Set(names)
}

const tlsFrom = (on: string | undefined, caFile: string | undefined): Tls | undefined => {
  const wanted = oneOf('tls', on ?? (caFile === undefined ? 'false' : 'true'), ['true', 'false'])
  if (wanted === 'true') return { caFile }
  if (caFile !== undefined) throw invalid('tls', 'is false, but an authority is given', 'unset one of the two')
  return undefined
}

const saslFrom = (
  mechanism: string | undefined,
  username: string | undefined,
  passwordFile: string | undefined,
): Sasl | undefined => {
  if (mechanism === undefined && username === undefined && passwordFile === undefined) return undefined
  if (username === undefined)
    throw invalid('username', 'is missing', 'SASL takes mechanism, username and password file')
  if (passwordFile === undefined) {
    throw invalid('passwordFile', 'is missing', 'SASL takes mechanism, username and password file')
  }
  return {
    mechanism: oneOf('mechanism', mechanism ?? '', ['plain', 'scram-sha-256', 'scram-sha-512']),
    username,
    passwordFile,
  }
}

const oneOf = <Value extends string>(
  name: keyof typeof KAFKA_VARIABLES,
  text: string,
  values: readonly Value[],
): Value => {
  const value = values.find((candidate) => candidate === text)
  if (value !== undefined) return value
  throw invalid(name, `is ${JSON.stringify(text)}`, `use one of ${values.join(', ')}`)
}

const invalid = (name: keyof typeof KAFKA_VARIABLES, what: string, hint: string): LedgerError =>
  new LedgerError('CONFIGURATION_INVALID', `${KAFKA_VARIABLES[name]} ${what}`, { retry: 'never', hint, exitCode: 2 })
