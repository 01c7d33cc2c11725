import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Kafka, type KafkaConfig, logLevel } from 'kafkajs'
import { freePort } from './free-port.js'
import { type KafkaDistribution, kafkaDistribution } from './kafka-distribution.js'
import { type SecuredListeners, securedListeners } from './kafka-secured.js'
import { javaOptions, type KafkaNode, settingsOf } from './kafka-settings.js'
import { TestServer } from './test-server.js'

export interface KafkaOptions {
  /** Further settings of the broker, or others than those of `kafka-settings.ts`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Two more listeners: TLS, and TLS with SASL. */
  readonly secured?: boolean
  /** Default 256 MiB. */
  readonly heapMiB?: number
}

/** A real Apache Kafka: broker and controller in one process, and no topic that was not asked for. */
export class KafkaBroker extends TestServer {
  /** `host:port` of the plain listener. */
  readonly bootstrap: string

  private constructor(
    folder: string,
    private readonly node: KafkaNode,
    private readonly distribution: KafkaDistribution,
    private readonly java: readonly string[],
    /** Where `secured` was asked for. */
    private readonly listeners: SecuredListeners | undefined,
  ) {
    const args = [...java, 'kafka.Kafka', propertiesIn(folder)]
    super(`Kafka node ${node.id}`, folder, { command: distribution.java, args, endsOn: 'SIGTERM' })
    this.bootstrap = `127.0.0.1:${node.port}`
  }

  /** One broker that serves. Throws `MissingPart` where it cannot be had on this machine. */
  static async start(options: KafkaOptions = {}): Promise<KafkaBroker> {
    const [broker] = await KafkaBroker.startCluster(1, options)
    return broker as KafkaBroker
  }

  /** All brokers of one cluster. Of three, two must have a message before it is acknowledged. */
  static async startCluster(size: 1 | 3, options: KafkaOptions = {}): Promise<readonly KafkaBroker[]> {
    const distribution = await kafkaDistribution()
    // A leading hyphen would be read as an option.
    const cluster = randomBytes(16).toString('base64url').replace(/^-/, 'A')
    const nodes: KafkaNode[] = []
    for (let id = 1; id <= size; id++) nodes.push({ id, port: await freePort(), controllerPort: await freePort() })
    const brokers: KafkaBroker[] = []
    try {
      for (const node of nodes) brokers.push(await KafkaBroker.configure(node, nodes, distribution, options))
      await Promise.all(brokers.map((broker) => broker.format(cluster)))
      await Promise.all(brokers.map((broker) => broker.launch()))
      return brokers
    } catch (error) {
      await Promise.all(brokers.map((broker) => broker.stop()))
      throw error
    }
  }

  get version(): string {
    return this.distribution.version
  }

  /** How to reach the listeners of `secured`. */
  get secured(): SecuredListeners['access'] {
    if (this.listeners === undefined) throw new Error(`${this.name} was started without secured listeners`)
    return this.listeners.access
  }

  /** A client of the plain listener that keeps its complaints to itself. */
  client(config: Partial<KafkaConfig> = {}): Kafka {
    const standard = { clientId: 'test', logLevel: logLevel.NOTHING, connectionTimeout: 20_000 }
    return new Kafka({ brokers: [this.bootstrap], ...standard, ...config })
  }

  /** The cluster has let this broker in, and every partition has a leader. */
  protected async answers(): Promise<boolean> {
    const admin = this.client({ connectionTimeout: 1_000, requestTimeout: 2_000, retry: { retries: 0 } }).admin()
    try {
      await admin.connect()
      const { brokers } = await admin.describeCluster()
      await admin.fetchTopicMetadata()
      return brokers.some(({ nodeId }) => nodeId === this.node.id)
    } catch {
      return false
    } finally {
      await admin.disconnect().catch(() => undefined)
    }
  }

  private static async configure(
    node: KafkaNode,
    nodes: readonly KafkaNode[],
    distribution: KafkaDistribution,
    { settings, secured, heapMiB = 256 }: KafkaOptions,
  ): Promise<KafkaBroker> {
    const folder = await mkdtemp(join(tmpdir(), 'kafka-'))
    const java = [...javaOptions(folder, heapMiB), '-cp', distribution.classpath]
    const listeners = secured ? await securedListeners(folder) : undefined
    const properties = Object.entries({ ...settingsOf(node, nodes, folder, listeners), ...settings })
    writeFileSync(propertiesIn(folder), properties.map(([name, value]) => `${name}=${value}\n`).join(''))
    return new KafkaBroker(folder, node, distribution, java, listeners)
  }

  /** Makes its storage, which names the cluster. */
  private async format(cluster: string): Promise<void> {
    const args = ['format', '--cluster-id', cluster, '--config', propertiesIn(this.folder)]
    const tool = [...this.java, 'kafka.tools.StorageTool', ...args, ...(this.listeners?.formatArgs ?? [])]
    await promisify(execFile)(this.distribution.java, tool)
  }
}

const propertiesIn = (folder: string): string => join(folder, 'server.properties')
