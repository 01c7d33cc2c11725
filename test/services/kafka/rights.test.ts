import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { KafkaClients } from '../../../src/kafka/client.js'
import { openSender } from '../../../src/kafka/sender.js'
import type { Sasl } from '../../../src/kafka/settings.js'
import { SteadyProducer } from '../../../src/kafka/steady-producer.js'
import { ends, readRange } from '../../../src/kafka/tail.js'
import { checkTopics, inspectTopics, mendTopics } from '../../../src/kafka/topics.js'
import { readPage, sectionNamed, tableRows } from '../../docs/markdown.js'
import { KafkaBroker } from '../../support/kafka-broker.js'
import { withServer } from '../with-server.js'
import { clientsOf } from './topic.js'

const { AclResourceTypes, AclOperationTypes, AclPermissionTypes, ResourcePatternTypes } = kafkajs

/** Where access is controlled: who comes without a name may do everything, and the ledger's user nothing that it was not given. */
const AUTHORIZER = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': 'User:ANONYMOUS',
}

interface Right {
  readonly resource: 'TOPIC' | 'GROUP'
  readonly name: string
  readonly prefixed: boolean
  readonly operation: keyof typeof AclOperationTypes
}

/** The rights of the runbook's table, but for those that the command alone needs. */
const rightsOf = (prefix: string): readonly Right[] =>
  tableRows(sectionNamed(readPage('runbooks/kafka.md'), 2, 'Rights').text)
    .filter(([resource = '']) => !resource.startsWith('for '))
    .flatMap(([resource = '', rights = '']) => {
      const operations = (rights.split(';')[0] ?? '').split(', ') as (keyof typeof AclOperationTypes)[]
      return resourcesOf(resource, prefix).flatMap((one) => operations.map((operation) => ({ ...one, operation })))
    })

const resourcesOf = (resource: string, prefix: string): readonly Omit<Right, 'operation'>[] => {
  if (resource.startsWith('groups')) return [{ resource: 'GROUP', name: 'epsilon-ledger', prefixed: true }]
  const named = [...resource.matchAll(/`epsilon\.([a-z-]+)`/g)].map(([, name = '']) => name)
  const names = named.length > 0 ? named : ['spends', 'decisions', 'journal', 'dead-letter']
  return names.map((name) => ({ resource: 'TOPIC', name: `${prefix}${name}`, prefixed: false }))
}

describe('a broker that controls access', () => {
  const broker = withServer(() => KafkaBroker.start({ secured: true, settings: AUTHORIZER }))
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'epsilon-kafka-rights-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const clientsAs = (mechanism: Sasl['mechanism'], password = broker().secured.password): KafkaClients => {
    const { sasl, ca, username } = broker().secured
    const [caFile, passwordFile] = [join(folder, 'ca.pem'), join(folder, 'password')]
    writeFileSync(caFile, ca)
    writeFileSync(passwordFile, `${password}\n`)
    return clientsOf([broker()], { brokers: [sasl], tls: { caFile }, sasl: { mechanism, username, passwordFile } })
  }

  const grant = async (rights: readonly Right[]): Promise<void> => {
    const admin = broker().client().admin()
    await admin.connect()
    await admin.createAcls({
      acl: rights.map(({ resource, name, prefixed, operation }) => ({
        resourceType: AclResourceTypes[resource],
        resourceName: name,
        resourcePatternType: prefixed ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
        principal: 'User:ledger',
        host: '*',
        operation: AclOperationTypes[operation],
        permissionType: AclPermissionTypes.ALLOW,
      })),
    })
    // They hold once the broker has heard of them from its controller.
    const any = { operation: AclOperationTypes.ANY, permissionType: AclPermissionTypes.ANY }
    const filter = { ...any, resourceType: AclResourceTypes.ANY, resourcePatternType: ResourcePatternTypes.ANY }
    const wanted = rights.map(({ name, operation }) => `${name} ${AclOperationTypes[operation]}`)
    const held = async (): Promise<void> => {
      const { resources } = await admin.describeAcls(filter)
      const all = resources.flatMap(({ resourceName, acls }) => acls.map((acl) => `${resourceName} ${acl.operation}`))
      expect(all).toEqual(expect.arrayContaining(wanted))
    }
    await vi.waitFor(held, { timeout: 60_000 })
    await admin.disconnect()
  }

  /** As the operator makes them. */
  const makeTopicsOf = (clients: KafkaClients): Promise<readonly string[]> =>
    mendTopics(
      new KafkaClients({ ...clients.settings, brokers: [broker().bootstrap], tls: undefined, sasl: undefined }),
      2,
    )

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
    '%s: with the rights of the runbook everything works, and without them the error says which is missing',
    async (mechanism) => {
      const clients = clientsAs(mechanism)
      await makeTopicsOf(clients)
      await expect(checkTopics(clients)).rejects.toMatchObject({ code: 'TOPIC_MISSING' })
      await expect(ends(clients, clients.topic('journal'))).rejects.toMatchObject({ code: 'KAFKA_FORBIDDEN' })
      const producer = new SteadyProducer({ open: () => openSender(clients), now: () => performance.now() })
      const outgoing = { topic: clients.topic('journal'), messages: [{ value: 'one' }] }
      await expect(producer.send(outgoing)).rejects.toMatchObject({ code: 'KAFKA_FORBIDDEN', retry: 'never' })
      const insisting = producer.insist(outgoing)
      await grant(rightsOf(clients.settings.topicPrefix))
      expect(await insisting).toEqual(new Map([[0, 0n]]))
      const warned = await checkTopics(clients)
      expect(warned.every((line) => line.includes('broker') || line.includes('replica'))).toBe(true)
      const ranges = new Map([[0, { from: 0n, to: 1n }]])
      const read: string[] = []
      const take = ({ value }: { readonly value: Buffer | null }): void => void read.push(String(value))
      await readRange({ clients, topic: outgoing.topic, ranges, take })
      expect(read).toEqual(['one'])
      await producer.stop()
    },
  )

  test('settings that are not shown are warned of, and nobody is kept from serving', async () => {
    const clients = clientsAs('scram-sha-512')
    await makeTopicsOf(clients)
    await grant(rightsOf(clients.settings.topicPrefix).filter(({ operation }) => operation !== 'DESCRIBE_CONFIGS'))
    const { topics } = await inspectTopics(clients)
    const shown = topics.flatMap(({ findings }) => findings).filter(({ setting }) => setting === 'cleanup.policy')
    expect(shown).toHaveLength(4)
    for (const { state, has } of shown) expect([state, has]).toEqual(['warning', 'not shown to this user'])
    await expect(checkTopics(clients)).resolves.toBeDefined()
  })

  test('a wrong password is said to be one', async () => {
    for (const mechanism of ['plain', 'scram-sha-512'] as const) {
      const clients = clientsAs(mechanism, 'guessed')
      await expect(inspectTopics(clients)).rejects.toMatchObject({ code: 'KAFKA_LOGIN_FAILED', exitCode: 12 })
      const producer = new SteadyProducer({ open: () => openSender(clients), now: () => performance.now() })
      const outgoing = { topic: clients.topic('journal'), messages: [{ value: 'one' }] }
      await expect(producer.send(outgoing)).rejects.toMatchObject({ code: 'KAFKA_LOGIN_FAILED' })
    }
  })

  test('a password that changes is taken from its file by the next client', async () => {
    const { password } = broker().secured
    const clients = clientsAs('scram-sha-512', 'guessed')
    await expect(inspectTopics(clients)).rejects.toMatchObject({ code: 'KAFKA_LOGIN_FAILED' })
    writeFileSync(join(folder, 'password'), password)
    await expect(inspectTopics(clients)).resolves.toMatchObject({ brokers: 1 })
  })
})
