import { describe, expect, test, vi } from 'vitest'
import { execute } from '../../../src/cli/execute.js'
import type { KafkaClients } from '../../../src/kafka/client.js'
import { checkTopics, inspectTopics, mendTopics } from '../../../src/kafka/topics.js'
import { KafkaBroker } from '../../support/kafka-broker.js'
import { withServer } from '../with-server.js'
import { clientsOf, makeTopic } from './topic.js'

/** Settings that a topic was given, not those that brokers have for all. */
const ownSettings = async (broker: KafkaBroker, topic: string): Promise<Readonly<Record<string, string>>> => {
  const admin = broker.client().admin()
  await admin.connect()
  const { resources } = await admin.describeConfigs({ resources: [{ type: 2, name: topic }], includeSynonyms: false })
  await admin.disconnect()
  const own = resources.flatMap(({ configEntries }) => configEntries).filter(({ configSource }) => configSource === 1)
  return Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue]))
}

const states = async (clients: KafkaClients): Promise<ReadonlySet<string>> => {
  const { topics } = await inspectTopics(clients)
  return new Set(topics.flatMap(({ findings }) => findings).map(({ state }) => state))
}

describe('topics on one broker', () => {
  const broker = withServer(() => KafkaBroker.start())

  test('that are missing are named, made, and then are as they have to be', async () => {
    const clients = clientsOf([broker()])
    await expect(checkTopics(clients)).rejects.toMatchObject({
      code: 'TOPIC_MISSING',
      message: `there is no ${['spends', 'decisions', 'journal', 'dead-letter'].map((name) => `${clients.settings.topicPrefix}${name}`).join(', no ')}`,
      hint: expect.stringContaining('epsilon-ledger topics --apply'),
    })
    expect(await mendTopics(clients, 4)).toEqual([
      `made ${clients.topic('spends')} (partitions 4, replicas 1)`,
      `made ${clients.topic('decisions')} (partitions 4, replicas 1)`,
      `made ${clients.topic('journal')} (partitions 1, replicas 1)`,
      `made ${clients.topic('dead-letter')} (partitions 1, replicas 1)`,
    ])
    const warnings = await checkTopics(clients)
    expect(warnings).toHaveLength(8)
    expect(warnings[0]).toContain('there is 1 broker: three keep what was acknowledged when one is lost')
    expect(await states(clients)).toEqual(new Set(['fits', 'warning']))
    expect(await mendTopics(clients, 4)).toEqual([])
  })

  test('with a wrong setting are named with what they need, mended, and keep every other setting', async () => {
    const clients = clientsOf([broker()])
    await mendTopics(clients, 2)
    const journal = `${clients.settings.topicPrefix}journal`
    const admin = broker().client().admin()
    await admin.connect()
    await admin.deleteTopics({ topics: [journal] })
    await admin.disconnect()
    await makeTopic(broker(), journal, 1, {
      'retention.ms': '3600000',
      'segment.ms': '7200000',
      'compression.type': 'uncompressed',
    })
    await expect(checkTopics(clients)).rejects.toMatchObject({
      code: 'TOPIC_WRONG',
      message: expect.stringContaining(`${journal} has retention.ms 3600000 and needs -1: it is the copy`),
    })
    expect(await mendTopics(clients, 2)).toEqual([
      `set ${journal} retention.ms = -1`,
      `set ${journal} max.message.bytes = 2097152`,
    ])
    const settings = {
      'retention.ms': '-1',
      'max.message.bytes': '2097152',
      'segment.ms': '7200000',
      'compression.type': 'uncompressed',
    }
    // The broker hears of them from its controller, which has answered before.
    await vi.waitFor(async () => expect(await ownSettings(broker(), journal)).toEqual(settings), { timeout: 60_000 })
    await expect(checkTopics(clients)).resolves.toBeDefined()
  })

  test('that people have to mend are told so', async () => {
    const clients = clientsOf([broker()])
    await makeTopic(broker(), clients.topic('journal'), 3)
    await mendTopics(clients, 2)
    await expect(checkTopics(clients)).rejects.toMatchObject({
      code: 'TOPIC_WRONG',
      message: expect.stringMatching(/journal has partitions 3 and needs 1: .* delete the topic and make it anew$/),
      hint: expect.stringContaining('by hand'),
    })
  })

  test('are made by the command, which ends with 3 before and with 0 after', async () => {
    const clients = clientsOf([broker()])
    const run = async (...args: readonly string[]): Promise<{ readonly code: number; readonly text: string }> => {
      const environment = process.env['EPSILON_KAFKA_TOPIC_PREFIX']
      process.env['EPSILON_KAFKA_TOPIC_PREFIX'] = clients.settings.topicPrefix
      let text = ''
      const stdout = { write: (chunk: string) => (text += chunk) } as unknown as NodeJS.WritableStream
      const io = { stdin: process.stdin, stdout, stderr: stdout }
      const code = await execute(['topics', '--kafka', broker().bootstrap, ...args], io)
      if (environment === undefined) delete process.env['EPSILON_KAFKA_TOPIC_PREFIX']
      return { code, text }
    }
    const before = await run()
    expect(before.code).toBe(3)
    expect(before.text).toMatch(/journal +is missing +wrong\n/)
    const applied = await run('--apply', '--partitions', '5', '--json')
    expect(applied.code).toBe(0)
    expect(JSON.parse(applied.text)).toMatchObject({
      ok: true,
      brokers: 1,
      done: expect.arrayContaining([`made ${clients.topic('spends')} (partitions 5, replicas 1)`]),
    })
    const after = await run()
    expect(after.code).toBe(0)
    expect(after.text).toMatch(/max\.message\.bytes +8388608 or more +8388608 +fits\n/)
  })
})

describe('topics on three brokers', () => {
  const cluster = withServer(async () => {
    const brokers = await KafkaBroker.startCluster(3)
    return { brokers, stop: async () => void (await Promise.all(brokers.map((broker) => broker.stop()))) }
  })

  test('are made with three replicas, of which two have to be in sync, and nothing is left to warn of', async () => {
    const { brokers } = cluster()
    const clients = clientsOf(brokers)
    expect(await mendTopics(clients, 3)).toContain(`made ${clients.topic('journal')} (partitions 1, replicas 3)`)
    expect(await states(clients)).toEqual(new Set(['fits']))
    expect(await checkTopics(clients)).toEqual([])
    await brokers[2]!.kill9()
    expect(await checkTopics(clients)).toEqual([])
  })
})
