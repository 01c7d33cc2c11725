import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/adapters/memory-store.js'
import type { Ingest } from '../../src/application/ingest.js'
import { answerOf } from '../../src/budget/answer.js'
import { eventOf } from '../../src/budget/event-of.js'
import type { SpendPart } from '../../src/budget/events.js'
import { type Block, recordsOf } from '../../src/ledger/block.js'
import { LedgerError } from '../../src/ledger/errors.js'
import { decodeRecord, type JsonObject, type KafkaCause, type LedgerRecord } from '../../src/ledger/record.js'
import { checkAtStart } from '../../src/recovery/start-check.js'
import { LedgerProcess } from '../support/ledger-process.js'
import { collect } from '../support/logs.js'
import { MemoryTopics } from '../support/memory-topics.js'
import { trainer } from '../support/scenario.js'
import { verifiedBlocks } from '../support/verified.js'

/** `RUNS=5000 npx vitest run test/recovery/restored-ledger.model.test.ts` is the long form. */
const RUNS = Number(process.env['RUNS'] ?? 300)
const LEDGER = 'test'
const TOPIC = 'epsilon.spends'
const PARTITIONS = 2
/** Every unit may spend ten tenths. */
const CAP = 10

interface Asked {
  readonly kind: 'spend' | 'reserve'
  readonly id: string
  readonly unit: string
  readonly tenths: number
}

const wireOf = ({ kind, id, unit, tenths }: Asked): JsonObject => ({
  id,
  unit,
  mechanism: 'declared_pure',
  epsilon: `${tenths}/10`,
  ...(kind === 'reserve' ? { expiresInSeconds: 3600 } : {}),
})

const causeAt = (partition: number, offset: number): KafkaCause => ({
  kind: 'kafka',
  topic: TOPIC,
  partition,
  offset: String(offset),
  digest: 'ab'.repeat(16),
})

/**
 * A ledger with two partitions and HTTP, whose answers wait for the journal, and somebody who keeps every permit that was
 * ever seen. What a decision by a message says can be read over HTTP before that.
 */
class World {
  readonly topics = new MemoryTopics()
  readonly messages: Asked[][] = Array.from({ length: PARTITIONS }, () => [])
  readonly copies: (readonly Block[])[] = []
  /** What may have been given out, by what was asked. */
  readonly permits = new Map<string, Asked>()
  /** Which record has a number that somebody has seen. */
  readonly #leaves = new Map<number, string>()
  #store = new MemoryStore()
  #process!: LedgerProcess
  #unsent = 0
  /** Blocks whose decisions were read before the journal had them. */
  #peeked: readonly Block[] = []
  over = false

  async begin(): Promise<void> {
    this.#process = await LedgerProcess.open(this.#store)
    await this.#process.policy({ id: 'person', epsilon: '1' })
    await this.publish(99)
    await this.copy()
  }

  emit(partition: number, asked: Asked): void {
    this.messages[partition]?.push(asked)
  }

  async consume(partition: number, count: number): Promise<void> {
    const { ledger, state } = this.#process
    const from = Number(state.offset(TOPIC, partition)?.next ?? 0n)
    const items = (this.messages[partition] ?? []).slice(from, from + count).map(
      (asked, place): Ingest => ({
        request: asked.kind,
        source: trainer.source,
        wire: wireOf(asked),
        cause: causeAt(partition, from + place),
      }),
    )
    let done = 0
    while (done < items.length) {
      const outcomes = await ledger.ingest(items.slice(done))
      const stop = outcomes.findIndex(({ kind }) => kind === 'report-rejected' || kind === 'waiting')
      done += stop === -1 ? outcomes.length : stop
      const item = items[done]
      if (item === undefined || outcomes[stop]?.kind === 'waiting') break
      const message = { reason: 'DECISION_LOST', detail: 'why', bytes: 1, key: null }
      await ledger.ingest([{ request: 'quarantine', message, cause: item.cause }])
      done++
    }
    const next = BigInt(from + done)
    if (done > 0) await ledger.recordOffsets([{ topic: TOPIC, partition, next, digest: null }])
  }

  async http(asked: Asked): Promise<void> {
    await this.#process.ledger.request(asked.kind, wireOf(asked), trainer, { kind: 'http' })
  }

  /** The publisher sends what it has not sent; decisions and answers leave then. */
  async publish(count: number): Promise<void> {
    const blocks = (await collect(this.#store.read(0))).slice(this.#unsent, this.#unsent + count)
    this.topics.put(LEDGER, ...blocks)
    this.#unsent += blocks.length
    for (const block of blocks) this.#see(block, () => true)
  }

  /** Somebody reads over HTTP what became of messages, before the journal has it. */
  async peek(): Promise<void> {
    this.#peeked = (await collect(this.#store.read(0))).slice(this.#unsent)
    for (const block of this.#peeked) this.#see(block, ({ cause }) => cause.kind === 'kafka')
  }

  async copy(): Promise<void> {
    this.copies.push(await collect(this.#store.read(0)))
  }

  async restart(): Promise<void> {
    this.#process = await LedgerProcess.open(this.#store)
  }

  async restore(which: number, interrupted: number): Promise<void> {
    const store = new MemoryStore()
    await store.append(this.copies[which % this.copies.length] as readonly Block[], undefined)
    this.topics.spends = this.messages.map((messages, partition) => ({
      topic: TOPIC,
      partition,
      high: BigInt(messages.length),
    }))
    const before = (await store.head())?.seq
    // A copy of what never reached the journal, and was overtaken since, is refused: the other one goes on.
    if (!(await this.#isAccepted(store, interrupted))) return
    const isCurrent = (await store.head())?.seq === before
    // A copy that has all of the journal shows nothing of what was read beyond it: that is what EPSILON_ACK cannot help.
    if (isCurrent && this.#peeked.some((block) => store.blockOf(block.first)?.leaf !== block.leaf)) {
      this.over = true
      return
    }
    // What is charged because it may have been permitted is what they saw.
    if (!isCurrent) this.#peeked = []
    this.#store = store
    this.#unsent = isCurrent ? 0 : (await collect(store.read(0))).length
    this.#process = await LedgerProcess.open(store)
    for (const block of await collect(store.read(0))) this.#see(block, () => false)
  }

  /** What must be true at every moment. */
  async check(): Promise<void> {
    const { state } = this.#process
    const permitted = new Map<string, number>()
    for (const { unit, tenths } of this.permits.values()) permitted.set(unit, (permitted.get(unit) ?? 0) + tenths)
    for (const [unit, tenths] of permitted) {
      expect(tenths, `permits of ${unit}`).toBeLessThanOrEqual(CAP)
      // What lost records may have permitted comes before anything else is.
      if (state.registry.undecided.length > 0) continue
      const balance = state.balance({ policy: 'person', generation: 1, key: unit })
      const used = (balance?.spent.finite[0] ?? 0n) + (balance?.reserved.finite[0] ?? 0n)
      expect(used, `what ${unit} has used`).toBeGreaterThanOrEqual(BigInt(tenths) * 10n ** 14n)
    }
  }

  async verify(): Promise<void> {
    const { fault, replay } = await verifiedBlocks(this.#store)
    expect(fault, fault?.message).toBeUndefined()
    expect(replay.violations.count).toBe(0)
  }

  async #isAccepted(store: MemoryStore, interrupted: number): Promise<boolean> {
    const append = store.append.bind(store)
    let left = interrupted
    store.append = async (blocks, after) => {
      if (left-- > 0) throw new Error('interrupted')
      return append(blocks, after)
    }
    const repair = {
      seen: { position: undefined, path: '' },
      stamp: (lastAt: string) => lastAt,
      progress: () => {},
    }
    for (;;) {
      try {
        await checkAtStart({ ledger: LEDGER, store, topics: this.topics }, repair)
        store.append = append
        return true
      } catch (error) {
        if (error instanceof LedgerError && error.code === 'FORKED') return false
        if ((error as Error).message !== 'interrupted') throw error
      }
    }
  }

  #see(block: Block, seen: (record: LedgerRecord) => boolean): void {
    const parts: SpendPart[] = []
    for (const { bytes } of recordsOf(block)) {
      const record = decodeRecord(bytes)
      const text = Buffer.from(bytes).toString('utf8')
      if (!seen(record)) {
        expect(this.#leaves.get(record.seq) ?? text).toBe(text)
        continue
      }
      expect(this.#leaves.get(record.seq) ?? text, `record ${record.seq} is given out once`).toBe(text)
      this.#leaves.set(record.seq, text)
      const receipt = { ledger: LEDGER, epoch: record.epoch, seq: record.seq, leaf: '' }
      const answer = answerOf(eventOf(record), parts, receipt, this.#process.state.registry)
      if (answer?.['decision'] !== 'accepted') continue
      const { id, spend } = record.data as unknown as { id: string; spend: { unit: string; epsilon: string } }
      const asked = { kind: 'spend', id, unit: spend.unit, tenths: Number(spend.epsilon.replace('/10', '')) } as const
      this.permits.set(`${id} ${JSON.stringify(spend)}`, asked)
    }
  }
}

type Step = (world: World) => Promise<void> | void

const asked: fc.Arbitrary<Asked> = fc.record({
  kind: fc.constantFrom('spend', 'spend', 'reserve'),
  id: fc.nat(30).map((number) => `id-${number}`),
  unit: fc.constantFrom('u', 'v'),
  tenths: fc.integer({ min: 1, max: 9 }),
})
const partition = fc.nat(PARTITIONS - 1)
const few = fc.nat(6)

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(partition, asked).map(
      ([place, one]): Step =>
        (world) =>
          world.emit(place, one),
    ),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(partition, few).map(
      ([place, count]): Step =>
        (world) =>
          world.consume(place, count),
    ),
  },
  {
    weight: 2,
    arbitrary: asked.map(
      (one): Step =>
        (world) =>
          world.http(one),
    ),
  },
  {
    weight: 3,
    arbitrary: few.map(
      (count): Step =>
        (world) =>
          world.publish(count),
    ),
  },
  { weight: 2, arbitrary: fc.constant<Step>((world) => world.peek()) },
  { weight: 1, arbitrary: fc.constant<Step>((world) => world.copy()) },
  { weight: 1, arbitrary: fc.constant<Step>((world) => world.restart()) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(), fc.nat(2)).map(
      ([which, interrupted]): Step =>
        (world) =>
          world.restore(which, interrupted),
    ),
  },
)

test('whatever is copied and restored, no permits that were ever seen exceed a cap, and no balance is below them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 10, maxLength: 40 }), async (history) => {
      const world = new World()
      await world.begin()
      for (const step of history) {
        await step(world)
        if (world.over) return
        await world.check()
      }
      await world.verify()
    }),
    { numRuns: RUNS },
  )
})
