import { join } from 'node:path'
import type { SecuredListeners } from './kafka-secured.js'

/** One broker of a cluster, with the ports of its plain listener and of its controller. */
export interface KafkaNode {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
}

/** A small heap, the quick compiler only, and nothing left outside the folder when it is killed. */
export const javaOptions = (folder: string, heapMiB: number): readonly string[] => [
  `-Xmx${heapMiB}m`,
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:-UsePerfData',
  `-Djava.io.tmpdir=${folder}`,
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
]

export const settingsOf = (
  node: KafkaNode,
  nodes: readonly KafkaNode[],
  folder: string,
  secured: SecuredListeners | undefined,
): Readonly<Record<string, string>> => ({
  'process.roles': 'broker,controller',
  'node.id': String(node.id),
  'controller.quorum.voters': nodes.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(','),
  listeners: [
    `PLAINTEXT://127.0.0.1:${node.port}`,
    `CONTROLLER://127.0.0.1:${node.controllerPort}`,
    ...(secured?.listeners ?? []),
  ].join(','),
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,SASL:SASL_SSL',
  'controller.listener.names': 'CONTROLLER',
  'log.dirs': join(folder, 'data'),
  'auto.create.topics.enable': 'false',
  // A broker that was killed comes back after its old session, 9 s where nothing is said.
  'broker.session.timeout.ms': '2000',
  'broker.heartbeat.interval.ms': '500',
  'group.initial.rebalance.delay.ms': '0',
  // Fifty of each, where nothing is said, are made for the first group and looked through after a kill.
  'offsets.topic.num.partitions': '1',
  'transaction.state.log.num.partitions': '1',
  ...replication(nodes.length),
  ...secured?.settings,
})

/** With three brokers a message is acknowledged when two have it. */
const replication = (brokers: number): Readonly<Record<string, string>> => {
  const [replicas, inSync] = brokers < 3 ? ['1', '1'] : ['3', '2']
  return {
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
  }
}
