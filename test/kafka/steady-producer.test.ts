import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Acknowledged, Outgoing } from '../../src/kafka/sender.js'
import { SteadyProducer } from '../../src/kafka/steady-producer.js'
import { type Fate, MemoryTopic } from './memory-topic.js'

const topicWith = (fates: readonly Fate[]): MemoryTopic => {
  const topic = new MemoryTopic('epsilon.journal')
  topic.fates.push(...fates)
  return topic
}

const over = (topic: MemoryTopic): SteadyProducer =>
  new SteadyProducer({ open: () => topic.open(), now: () => performance.now(), attemptMs: 2, pauseMs: 0 })

const message = (value: string): Outgoing => ({ topic: 'epsilon.journal', messages: [{ value }] })

test('through any outage every message arrives, in order, and what arrives again has arrived before', async () => {
  const fate = fc.constantFrom<Fate>('written', 'answer lost', 'not written', 'written late')
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { maxLength: 12 }), fc.integer({ min: 1, max: 6 }), async (fates, count) => {
      const topic = topicWith(fates)
      const producer = over(topic)
      const sent = Array.from({ length: count }, (_, index) => `m${index}`)
      for (const value of sent) await producer.send(message(value))
      expect([...new Set(topic.values())]).toEqual(sent)
    }),
    { numRuns: 150 },
  )
})

test('a send that was acknowledged at the first try is there once', async () => {
  const topic = topicWith([])
  const producer = over(topic)
  await producer.send(message('one'))
  await producer.send(message('two'))
  expect(topic.values()).toEqual(['one', 'two'])
  expect(topic.opened).toBe(1)
})

test('while a send is tried again, it says since when and why', async () => {
  let refused = 0
  let now = 100
  const producer = new SteadyProducer({
    open: () => ({
      send: async () => {
        if (++refused < 4) throw kafkaJs('KafkaJSConnectionError', 'connect ECONNREFUSED')
        expect(producer.waitingSince).toBe(100)
        expect(producer.trouble?.code).toBe('KAFKA_UNREACHABLE')
        return new Map([[0, 7n]])
      },
      close: async () => {},
    }),
    now: () => now++,
    pauseMs: 0,
  })
  expect(producer.waitingSince).toBeUndefined()
  expect(await producer.send(message('one'))).toEqual(new Map([[0, 7n]]))
  expect(producer.waitingSince).toBeUndefined()
  expect(producer.trouble).toBeUndefined()
})

test.each([
  ['MESSAGE_TOO_LARGE', 'KafkaJSProtocolError', 'MESSAGE_TOO_LARGE'],
  ['KAFKA_FORBIDDEN', 'KafkaJSProtocolError', 'TOPIC_AUTHORIZATION_FAILED'],
  ['KAFKA_LOGIN_FAILED', 'KafkaJSSASLAuthenticationError', undefined],
  ['KAFKA_REFUSED', 'KafkaJSProtocolError', 'INVALID_RECORD'],
])('what would be refused again is not sent again: %s', async (code, name, type) => {
  let tries = 0
  const inner = kafkaJs(name, 'The request was refused', type)
  const send = async (): Promise<Acknowledged> => {
    tries++
    throw new Error('wrapped', { cause: new Error('wrapped again', { cause: inner }) })
  }
  const producer = new SteadyProducer({ open: () => ({ send, close: async () => {} }), now: () => 0, pauseMs: 0 })
  await expect(producer.send(message('one'))).rejects.toMatchObject({ code, retry: 'never' })
  expect(tries).toBe(1)
  expect(producer.trouble?.message).toContain('sending to epsilon.journal failed')
})

test('what was refused is sent again while somebody insists on it, and goes through once it may', async () => {
  let allowed = false
  let tries = 0
  const send = async (): Promise<Acknowledged> => {
    if (++tries === 3) allowed = true
    if (!allowed) throw kafkaJs('KafkaJSProtocolError', 'Not authorized', 'TOPIC_AUTHORIZATION_FAILED')
    return new Map([[0, 1n]])
  }
  const producer = new SteadyProducer({ open: () => ({ send, close: async () => {} }), now: () => 0, pauseMs: 0 })
  expect(await producer.insist(message('one'))).toEqual(new Map([[0, 1n]]))
  expect(tries).toBe(3)
})

test('a sender that fails five times is replaced', async () => {
  const topic = topicWith([])
  let failures = 0
  const producer = new SteadyProducer({
    open: () => {
      topic.opened++
      return {
        send: async (outgoing) => {
          if (++failures > 5) return topic.open().send(outgoing)
          throw kafkaJs('KafkaJSConnectionError', 'connect ECONNREFUSED')
        },
        close: async () => {},
      }
    },
    now: () => 0,
    pauseMs: 0,
  })
  await producer.send(message('one'))
  expect(topic.opened).toBe(3)
})

test('a producer that stops gives up what is under way, and closes its connection', async () => {
  let closed = 0
  const producer = new SteadyProducer({
    open: () => ({ send: () => new Promise(() => {}), close: async () => void closed++ }),
    now: () => 0,
  })
  const sending = producer.send(message('one'))
  await producer.stop()
  await expect(sending).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
  await expect(producer.send(message('two'))).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
  expect(closed).toBe(1)
})

test('two sends at a time, and too many messages in one, are mistakes', async () => {
  const producer = over(topicWith([]))
  const first = producer.send(message('one'))
  await expect(producer.send(message('two'))).rejects.toThrow('a send is under way')
  await first
  const messages = Array.from({ length: 1_001 }, () => ({ value: 'x' }))
  await expect(producer.send({ topic: 't', messages })).rejects.toThrow('1 to 1000 messages, not 1001')
  await expect(producer.send({ topic: 't', messages: [] })).rejects.toThrow('not 0')
})

const kafkaJs = (name: string, text: string, type?: string): Error =>
  Object.assign(new Error(text), { name, ...(type === undefined ? {} : { type }) })
