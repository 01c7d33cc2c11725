import type { KafkaMessage } from 'kafkajs'
import { describe, expect, test } from 'vitest'
import type { KafkaClients } from '../../../src/kafka/client.js'
import { searchBack } from '../../../src/kafka/search-back.js'
import { ends, type Range, type RangeRead, readRange } from '../../../src/kafka/tail.js'
import { KafkaBroker } from '../../support/kafka-broker.js'
import { withServer } from '../with-server.js'
import { clientsOf, deleteBelow, deleteTopic, fill, makeTopic, numbered, transact } from './topic.js'

describe('a range of a topic', () => {
  const broker = withServer(() => KafkaBroker.start())
  const filled = async (count: number, partitions = 1): Promise<{ clients: KafkaClients; topic: string }> => {
    const clients = clientsOf([broker()])
    const topic = clients.topic('journal')
    await makeTopic(broker(), topic, partitions)
    const messages = numbered(count).map((value, index) => ({ value, partition: index % partitions }))
    await fill(broker(), topic, messages)
    return { clients, topic }
  }
  /** Messages that do not all come with one fetch. */
  const fillLarge = async (topic: string, count: number): Promise<readonly string[]> => {
    const values = numbered(count).map((value) => value.padEnd(200_000))
    const messages = values.map((value) => ({ value }))
    await fill(broker(), topic, messages, 4)
    return values
  }

  test('is read once, whole and in order, and nothing beside it', async () => {
    const { clients, topic } = await filled(9_000, 3)
    const ranges = new Map([
      [0, { from: 10n, to: 3_000n }],
      [2, { from: 2_000n, to: 2_001n }],
    ])
    const read = await readAll({ clients, topic, ranges })
    expect(read.get(0)).toEqual(numbered(9_000).filter((_, index) => index % 3 === 0 && index >= 30))
    expect(read.get(1)).toBeUndefined()
    expect(read.get(2)).toEqual(['m6002'])
  })

  test('is read as no member of any group', async () => {
    const { clients, topic } = await filled(100)
    const admin = broker().client().admin()
    await admin.connect()
    const during: string[] = []
    await readAll({ clients, topic, ranges: whole(100n) }, async ({ offset }) => {
      if (offset === '50') during.push(...(await admin.listGroups()).groups.map(({ groupId }) => groupId))
    })
    await admin.disconnect()
    expect(during.filter((group) => group.startsWith(clients.settings.group))).toEqual([])
  })

  test('that is empty is read without asking anybody', async () => {
    const clients = clientsOf([broker()])
    expect(await readAll({ clients, topic: 'nowhere', ranges: new Map([[0, { from: 5n, to: 5n }]]) })).toEqual(
      new Map(),
    )
  })

  test('has ends, and a topic that is not there has none', async () => {
    const { clients, topic } = await filled(30, 3)
    await deleteBelow(broker(), topic, 1, 4n)
    expect(await ends(clients, topic)).toEqual(
      new Map([
        [0, { low: 0n, high: 10n }],
        [1, { low: 4n, high: 10n }],
        [2, { low: 0n, high: 10n }],
      ]),
    )
    await expect(ends(clients, 'nowhere')).rejects.toMatchObject({ code: 'TOPIC_MISSING' })
  })

  test('has the committed messages of transactions, and ends with their marks', async () => {
    const { clients, topic } = await filled(3)
    await transact(broker(), topic, [
      { messages: [{ value: 'c0' }, { value: 'c1' }], end: 'commit' },
      { messages: [{ value: 'a0' }], end: 'abort' },
    ])
    await fill(broker(), topic, [{ value: 'plain' }])
    await transact(broker(), topic, [
      { messages: [{ value: 'c2' }], end: 'commit' },
      { messages: [{ value: 'a1' }, { value: 'a2' }], end: 'abort' },
      { messages: [{ value: 'a3' }], end: 'abort' },
    ])
    const { high } = (await ends(clients, topic)).get(0)!
    expect(high).toBe(16n)
    expect((await readAll({ clients, topic, ranges: whole(high) })).get(0)).toEqual([
      'm0',
      'm1',
      'm2',
      'c0',
      'c1',
      'plain',
      'c2',
    ])
    // Nothing but aborted messages and marks.
    expect((await readAll({ clients, topic, ranges: new Map([[0, { from: 11n, to: high }]]) })).get(0)).toBeUndefined()
  })

  test('ends before an open transaction, unless what is not committed is asked for too', async () => {
    const { clients, topic } = await filled(2)
    await transact(broker(), topic, [{ messages: [{ value: 'open' }], end: 'open' }])
    await fill(broker(), topic, [{ value: 'behind' }])
    expect((await ends(clients, topic)).get(0)).toEqual({ low: 0n, high: 2n })
    await expect(readAll({ clients, topic, ranges: whole(4n) })).rejects.toMatchObject({ code: 'TOPIC_RANGE_LOST' })
    expect((await ends(clients, topic, { readUncommitted: true })).get(0)).toEqual({ low: 0n, high: 4n })
    const all = await readAll({ clients, topic, ranges: whole(4n), readUncommitted: true })
    expect(all.get(0)).toEqual(['m0', 'm1', 'open', 'behind'])
  })

  test('that the topic no longer has is named, and nothing of it is given', async () => {
    const { clients, topic } = await filled(10)
    await deleteBelow(broker(), topic, 0, 4n)
    await expect(readAll({ clients, topic, ranges: whole(10n) })).rejects.toMatchObject({
      code: 'TOPIC_RANGE_LOST',
      lost: { from: 0n, to: 4n },
    })
    await expect(readAll({ clients, topic, ranges: new Map([[0, { from: 8n, to: 12n }]]) })).rejects.toMatchObject({
      lost: { from: 10n, to: 12n },
    })
    await expect(readAll({ clients, topic, ranges: new Map([[7, { from: 0n, to: 1n }]]) })).rejects.toMatchObject({
      code: 'TOPIC_RANGE_LOST',
      partition: 7,
    })
  })

  test('that goes away while it is read is named', async () => {
    const { clients, topic } = await filled(0)
    await fillLarge(topic, 40)
    const read = readAll({ clients, topic, ranges: whole(40n) }, async ({ offset }) => {
      if (offset === '2') await deleteBelow(broker(), topic, 0, 38n)
    })
    await expect(read).rejects.toMatchObject({ code: 'TOPIC_RANGE_LOST', lost: { to: 38n } })
  })

  test('of a topic that is made anew while it is read is named', async () => {
    const { clients, topic } = await filled(0)
    await fillLarge(topic, 40)
    const read = readAll({ clients, topic, ranges: whole(40n), stallMs: 15_000 }, async ({ offset }) => {
      if (offset !== '2') return
      await deleteTopic(broker(), topic)
      await makeTopic(broker(), topic)
    })
    await expect(read).rejects.toMatchObject({ code: 'TOPIC_RANGE_LOST', lost: { from: 0n } })
  })

  test('is read to its end though the broker is killed and started meanwhile', async () => {
    const { clients, topic } = await filled(0)
    const values = await fillLarge(topic, 60)
    let outage: Promise<void> | undefined
    const read = await readAll({ clients, topic, ranges: whole(60n) }, async ({ offset }) => {
      if (offset === '5')
        outage = broker()
          .kill9()
          .then(() => broker().restart())
      if (offset === '6') await outage
    })
    expect(read.get(0)).toEqual(values)
  })

  test('is given up when it is cancelled, and when a message is not taken', async () => {
    const { clients, topic } = await filled(100)
    const cancel = new AbortController()
    const seen: string[] = []
    const take = ({ offset }: KafkaMessage): void => {
      seen.push(offset)
      if (offset === '10') cancel.abort(new Error('enough'))
    }
    await expect(readRange({ clients, topic, ranges: whole(100n), take, signal: cancel.signal })).rejects.toThrow(
      'enough',
    )
    expect(seen.at(-1)).toBe('10')
    const refuse = ({ offset }: KafkaMessage): void => {
      if (offset === '3') throw new TypeError('not this one')
    }
    await expect(readRange({ clients, topic, ranges: whole(100n), take: refuse })).rejects.toThrow(
      new TypeError('not this one'),
    )
  })

  test('the newest message of a kind is found from the end, however far back', async () => {
    const { clients, topic } = await filled(3_000, 3)
    const pick = (wanted: ReadonlySet<string>) => (message: KafkaMessage) =>
      wanted.has(String(message.value)) ? String(message.value) : undefined
    const { found, ends: present } = await searchBack({
      clients,
      topic,
      pick: pick(new Set(['m0', 'm3', 'm2998', 'm1'])),
    })
    expect(found).toEqual(
      new Map([
        [0, 'm3'],
        [1, 'm2998'],
      ]),
    )
    expect(present.get(2)).toEqual({ low: 0n, high: 1_000n })
  })
})

const whole = (to: bigint): ReadonlyMap<number, Range> => new Map([[0, { from: 0n, to }]])

const readAll = async (
  read: Omit<RangeRead, 'take'>,
  also: (message: KafkaMessage) => Promise<void> | void = () => {},
): Promise<ReadonlyMap<number, readonly string[]>> => {
  const values = new Map<number, string[]>()
  await readRange({
    ...read,
    take: async (message, partition) => {
      values.set(partition, [...(values.get(partition) ?? []), String(message.value)])
      await also(message)
    },
  })
  return values
}
