import { readFileSync } from 'node:fs'
import kafkajs, {
  type Admin,
  type Cluster,
  type Consumer,
  type KafkaConfig,
  type Producer,
  type SASLOptions,
} from 'kafkajs'
import { LedgerError } from '../ledger/errors.js'
import { clientLog } from './client-log.js'
import { collectHeadersInOnePass } from './linear-headers.js'
import type { KafkaSettings, Sasl, Tls } from './settings.js'

/** The last part of a topic's name. */
export type TopicName = 'spends' | 'decisions' | 'journal' | 'dead-letter'

export interface ConsumerOptions {
  /** The whole name of the group. */
  readonly group: string
  /** Milliseconds that a broker may hold back an answer with nothing new in it; stopping waits for it. */
  readonly maxWaitMs?: number
}

/** Brokers and topics, as one who reads them sees them. It is not connected yet. */
export interface View {
  readonly cluster: Cluster
  close(): Promise<void>
}

/**
 * The one place that makes objects of the client library. Each gets a client of its own, with files read and options built
 * anew: the library keeps its state inside the options that it is given, so shared ones would go on with an old password.
 *
 * No object makes topics: one that is made by chance has the wrong settings.
 */
export class KafkaClients {
  readonly #log: ReturnType<typeof clientLog>

  constructor(
    readonly settings: KafkaSettings,
    log: (line: string) => void = (line) => void process.stderr.write(line),
  ) {
    collectHeadersInOnePass()
    this.#log = clientLog(log)
  }

  /** Whole name of a topic. */
  topic(name: TopicName): string {
    return `${this.settings.topicPrefix}${name}`
  }

  admin(): Admin {
    return this.#client(BRIEF).admin({ retry: BRIEF })
  }

  /**
   * Of a producer that tries each send once: whoever sends has to repeat it, and can stop. The library's own tries lose
   * messages: a broker that has answered once is not asked again, even where another partition has moved to it since.
   *
   * It is not idempotent. Then a lost answer leaves a message twice, which readers drop by its id. An idempotent one would
   * acknowledge another message in its place where a try takes other messages to a partition, as after a change of their number.
   *
   * @param assigned is told the partition of each message as it is sent.
   */
  producer(assigned: (partition: number) => void): Producer {
    return this.#client(BRIEF).producer({
      allowAutoTopicCreation: false,
      idempotent: false,
      retry: { ...BRIEF, retries: 0 },
      createPartitioner: () => {
        const partitionOf = Partitioners.DefaultPartitioner()
        return (message) => {
          const partition = partitionOf(message)
          assigned(partition)
          return partition
        }
      },
    })
  }

  /**
   * What a consumer of its own would see of the brokers, without joining a group. An admin cannot do this: it shows the end of
   * a partition before the first message of an open transaction, always.
   */
  view(readUncommitted: boolean): View {
    let cluster: Cluster | undefined
    const consumer = this.#client(BRIEF).consumer({
      groupId: `${this.settings.group}-view`,
      allowAutoTopicCreation: false,
      readUncommitted,
      partitionAssigners: [
        (given) => {
          cluster = given.cluster
          return PartitionAssigners.roundRobin(given)
        },
      ],
    })
    if (cluster === undefined) throw new TypeError('the client library made a consumer without asking for an assigner')
    return { cluster, close: () => consumer.disconnect() }
  }

  /** Of a consumer that goes on by itself for ever. */
  consumer({ group, maxWaitMs = 250 }: ConsumerOptions): Consumer {
    return this.#client(LASTING).consumer({
      groupId: group,
      allowAutoTopicCreation: false,
      sessionTimeout: 10_000,
      heartbeatInterval: 1_000,
      maxWaitTimeInMs: maxWaitMs,
      metadataMaxAge: METADATA_AGE_MS,
      retry: LASTING,
    })
  }

  #client(retry: KafkaConfig['retry'] & object): InstanceType<typeof Kafka> {
    const { brokers, clientId, tls, sasl } = this.settings
    return new Kafka({
      brokers: [...brokers],
      clientId,
      connectionTimeout: 3_000,
      requestTimeout: 10_000,
      retry: { ...retry },
      logLevel: logLevel.WARN,
      logCreator: () => this.#log,
      ...(tls === undefined ? {} : { ssl: sslOf(tls) }),
      ...(sasl === undefined ? {} : { sasl: saslOf(sasl) }),
    })
  }
}

/** The library is CommonJS, and names of some of its exports are not seen from outside. */
const { Kafka, PartitionAssigners, Partitioners, logLevel } = kafkajs

/** So soon is a partition seen that was added; the library's own five minutes would keep its messages waiting. */
const METADATA_AGE_MS = 5_000
/** About three seconds: whoever asks learns of an outage, and decides what to do meanwhile. */
const BRIEF = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 }
/** For what has nothing else to do than to wait. */
const LASTING = { ...BRIEF, retries: 1e9 }

/** Whether an error is one of the client library's own: what it throws into callbacks must go back to it. */
export const isClientError = (error: unknown): boolean => error instanceof kafkajs.KafkaJSError

const sslOf = ({ caFile }: Tls): KafkaConfig['ssl'] & {} => (caFile === undefined ? true : { ca: [read(caFile)] })

const saslOf = ({ mechanism, username, passwordFile }: Sasl): SASLOptions => ({
  mechanism,
  username,
  password: read(passwordFile).replace(/\r?\n$/, ''),
})

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new LedgerError('KAFKA_FILE_UNREADABLE', `${path} cannot be read: ${(error as Error).message}`, {
      retry: 'never',
      hint: 'It is named by EPSILON_KAFKA_TLS_CA or EPSILON_KAFKA_SASL_PASSWORD_FILE.',
      exitCode: 3,
      cause: error,
    })
  }
}
