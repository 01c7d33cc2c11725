import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { KafkaBroker } from '../../support/kafka-broker.js'
import { withServer } from '../with-server.js'
import { createTopic, produce, readMessages } from './messages.js'

const HASTY = { retry: { retries: 0 } }

describe('one broker', () => {
  const broker = withServer(() => KafkaBroker.start())

  test('keeps what it acknowledged when it is killed and started', async () => {
    const client = broker().client()
    await createTopic(client, 'kept')
    await produce(client, 'kept', ['first', 'second'])
    const { pid } = broker()
    await broker().kill9()
    expect(() => broker().pid).toThrow('is down (SIGKILL)')
    await expect(produce(broker().client(HASTY), 'kept', ['while it is down'])).rejects.toThrow(/ECONNREFUSED/)
    await broker().restart()
    expect(broker().pid).not.toBe(pid)
    await produce(client, 'kept', ['third'])
    expect(await readMessages(client, 'kept', 3)).toEqual(['first', 'second', 'third'])
  })

  test('acknowledges nothing while it is frozen, and everything when it goes on', async () => {
    const client = broker().client()
    await createTopic(client, 'frozen')
    broker().freeze()
    let acknowledged = false
    const sent = produce(client, 'frozen', ['patient']).then(() => (acknowledged = true))
    await sleep(500)
    expect(acknowledged).toBe(false)
    broker().thaw()
    await sent
    expect(await readMessages(client, 'frozen', 1)).toEqual(['patient'])
  })

  test('makes no topic that was only mentioned', async () => {
    await expect(produce(broker().client(HASTY), 'mentioned', ['lost'])).rejects.toThrow(/does not host this/)
  })

  test('ends in order', async () => {
    await broker().term()
    // Java's exit code after its shutdown hooks have run.
    expect(() => broker().pid).toThrow('is down (exit code 143)')
    await broker().restart()
    expect(await readMessages(broker().client(), 'kept', 1)).toEqual(['first'])
  })
})

describe('a broker with secured listeners', () => {
  const broker = withServer(() => KafkaBroker.start({ secured: true }))

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
    '%s: lets in who has the password',
    async (mechanism) => {
      const { sasl, ca, username, password } = broker().secured
      const login = (secret: string) => ({
        brokers: [sasl],
        ssl: { ca: [ca] },
        sasl: { mechanism, username, password: secret } as { mechanism: 'plain'; username: string; password: string },
      })
      const topic = `secret-${mechanism}`
      const client = broker().client(login(password))
      await createTopic(client, topic)
      await produce(client, topic, ['whispered'])
      expect(await readMessages(broker().client(), topic, 1)).toEqual(['whispered'])
      await expect(createTopic(broker().client(login('guessed')), 'never')).rejects.toThrow(/[Aa]uthentication/)
    },
  )

  test('speaks TLS to whoever trusts its certificate, and to nobody else', async () => {
    const { tls, ca } = broker().secured
    await createTopic(broker().client({ brokers: [tls], ssl: { ca: [ca] } }), 'encrypted')
    await expect(createTopic(broker().client({ brokers: [tls], ssl: true, ...HASTY }), 'never')).rejects.toThrow(
      /self-signed certificate/,
    )
  })
})

describe('three brokers', () => {
  const cluster = withServer(async () => {
    const brokers = await KafkaBroker.startCluster(3)
    return { brokers, stop: async () => void (await Promise.all(brokers.map((broker) => broker.stop()))) }
  })

  test('keep what they acknowledged, and go on, when the one that leads is killed', async () => {
    const { brokers } = cluster()
    const client = brokers[0]!.client({ brokers: brokers.map(({ bootstrap }) => bootstrap) })
    await createTopic(client, 'replicated')
    await produce(client, 'replicated', ['before'])
    const admin = client.admin()
    await admin.connect()
    const { topics } = await admin.fetchTopicMetadata({ topics: ['replicated'] })
    await admin.disconnect()
    expect(topics[0]!.partitions[0]!.isr).toHaveLength(3)
    await brokers[topics[0]!.partitions[0]!.leader - 1]!.kill9()
    await produce(client, 'replicated', ['after'])
    expect(await readMessages(client, 'replicated', 2)).toEqual(['before', 'after'])
  })
})
