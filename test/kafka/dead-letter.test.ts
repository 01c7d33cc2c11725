import { expect, test } from 'vitest'
import { DeadLetter } from '../../src/kafka/dead-letter.js'
import { SteadyProducer } from '../../src/kafka/steady-producer.js'
import { MemoryTopic } from './memory-topic.js'

const message = (value: string) => ({ key: null, value: Buffer.from(value), headers: {} })

const over = (topic: MemoryTopic): DeadLetter =>
  new DeadLetter(topic.name, new SteadyProducer({ open: () => topic.open(), now: () => 7, pauseMs: 0 }))

test('messages are buried in turn, and whoever waits learns when the topic has its own', async () => {
  const topic = new MemoryTopic('epsilon.dead-letter')
  topic.fates.push('not written', 'answer lost')
  const deadLetter = over(topic)
  const first = deadLetter.bury(message('a')).then(() => topic.values().includes('a'))
  const second = deadLetter.bury(message('b')).then(() => topic.values().includes('b'))
  expect(await Promise.all([first, second])).toEqual([true, true])
  expect([...new Set(topic.values())]).toEqual(['a', 'b'])
  await deadLetter.stop()
})

test('a stop ends whoever waits, and nobody is told that a message is there which may not be', async () => {
  const topic = new MemoryTopic('epsilon.dead-letter')
  topic.gate = new Promise(() => {})
  const deadLetter = over(topic)
  const first = deadLetter.bury(message('a'))
  const second = deadLetter.bury(message('b'))
  await new Promise((resolve) => setTimeout(resolve, 1))
  expect(deadLetter.waitingSince).toBe(7)
  await Promise.all([
    expect(first).rejects.toMatchObject({ code: 'SHUTTING_DOWN' }),
    expect(second).rejects.toMatchObject({ code: 'SHUTTING_DOWN' }),
    deadLetter.stop(),
  ])
  expect(topic.values()).toEqual([])
})
