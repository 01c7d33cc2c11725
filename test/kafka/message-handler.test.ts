import fc from 'fast-check'
import type { KafkaMessage } from 'kafkajs'
import { expect, test } from 'vitest'
import type { Ingest, IngestOutcome } from '../../src/application/ingest.js'
import type { Answered } from '../../src/budget/decider.js'
import { MessageHandler, type Quarantine } from '../../src/kafka/message-handler.js'

/** What becomes of a message, by the letter of its value. */
type Fate = 'decide' | 'repeat' | 'pass' | 'unreadable' | 'bad-report' | 'wait'

/** A ledger that answers as the letter says, and writes down what happened in order. */
class Stage {
  readonly events: string[] = []
  readonly handler: MessageHandler

  constructor(private readonly fates: readonly Fate[]) {
    this.handler = new MessageHandler({
      read: (message) => this.#read(message),
      ingest: async (items) => this.#ingest(items),
      bury: async (message) => {
        this.events.push(`bury ${message.offset}`)
      },
      quarantineOf: (message) => quarantine(message.offset),
      repeat: async (answers) => {
        for (const { receipt } of answers) this.events.push(`repeat ${receipt.seq}`)
      },
    })
  }

  handle(from = 0) {
    const messages = this.fates.slice(from).map((_, index) => ({ offset: String(from + index) }) as KafkaMessage)
    return this.handler.handle(messages, 0)
  }

  #read({ offset }: KafkaMessage): Ingest {
    return this.fates[Number(offset)] === 'unreadable' ? quarantine(offset) : asking(offset)
  }

  #ingest(items: readonly Ingest[]): IngestOutcome[] {
    let stopped = false
    return items.map((item) => {
      if (stopped) return { kind: 'not-reached' }
      const outcome = this.#one(item)
      stopped = outcome.kind === 'waiting' || outcome.kind === 'report-rejected'
      return outcome
    })
  }

  #one(item: Ingest): IngestOutcome {
    const { offset } = item.cause as { readonly offset: string }
    const fate = this.fates[Number(offset)]
    if (item.request === 'quarantine') {
      this.events.push(`quarantine ${offset}`)
      return { kind: 'decided', answered: answered(offset) }
    }
    if (fate === 'wait') return { kind: 'waiting', code: 'HALTED', detail: 'spends are halted' }
    if (fate === 'bad-report') return rejected
    if (fate === 'pass') return { kind: 'passed' }
    if (fate === 'repeat') return { kind: 'repeated', answered: answered(offset) }
    this.events.push(`decide ${offset}`)
    return { kind: 'decided', answered: answered(offset) }
  }
}

const cause = (offset: string) =>
  ({ kind: 'kafka', topic: 'epsilon.spends', partition: 0, offset, digest: '0'.repeat(32) }) as const
const quarantine = (offset: string) =>
  ({ request: 'quarantine', source: 's', cause: cause(offset) }) as unknown as Quarantine
const asking = (offset: string) =>
  ({ request: 'spend', source: 's', wire: {}, cause: cause(offset) }) as unknown as Ingest
const answered = (offset: string) => ({ receipt: { seq: Number(offset) } }) as Answered
const rejected = {
  kind: 'report-rejected',
  rejection: { kind: 'rejected', code: 'NO_POLICY', detail: 'no policy' },
} as unknown as IngestOutcome

const fates = fc.array(
  fc.constantFrom<Fate>('decide', 'decide', 'repeat', 'pass', 'unreadable', 'bad-report', 'wait'),
  { maxLength: 12 },
)

test('every message before the first that waits meets one fate, in order; none after it meets any', async () => {
  await fc.assert(
    fc.asyncProperty(fates, async (list) => {
      const stage = new Stage(list)
      const { done, wait } = await stage.handle()
      const first = list.indexOf('wait')
      expect(done).toBe(first < 0 ? list.length : first)
      expect(wait?.code).toBe(first < 0 ? undefined : 'HALTED')
      const recorded = stage.events.filter((event) => /^(decide|quarantine) /.test(event))
      const expected = list.slice(0, done).flatMap((fate, offset) => {
        if (fate === 'decide') return [`decide ${offset}`]
        return fate === 'unreadable' || fate === 'bad-report' ? [`quarantine ${offset}`] : []
      })
      expect(recorded).toEqual(expected)
    }),
  )
})

test('a message is on the dead-letter topic before its record says so', async () => {
  await fc.assert(
    fc.asyncProperty(fates, async (list) => {
      const stage = new Stage(list)
      await stage.handle()
      for (const [place, event] of stage.events.entries()) {
        const offset = /^quarantine (\d+)$/.exec(event)?.[1]
        if (offset !== undefined) expect(stage.events.slice(0, place)).toContain(`bury ${offset}`)
      }
    }),
  )
})

test('what waits is tried again without burying anything twice', async () => {
  const stage = new Stage(['wait', 'unreadable'])
  expect(await stage.handle()).toMatchObject({ done: 0 })
  expect(await stage.handle()).toMatchObject({ done: 0 })
  expect(stage.events).toEqual(['bury 1'])
})

test('a repeated request gets its first answer again', async () => {
  const stage = new Stage(['decide', 'repeat', 'pass'])
  await stage.handle()
  expect(stage.events).toEqual(['decide 0', 'repeat 1'])
  expect(stage.handler.counts).toEqual({ decided: 1, repeated: 1, redelivered: 1, quarantined: 0 })
})
