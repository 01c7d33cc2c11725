import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test, vi } from 'vitest'
import { MemoryStore } from '../../src/adapters/memory-store.js'
import { SqliteStore } from '../../src/adapters/sqlite-store.js'
import { LedgerState } from '../../src/adapters/state/ledger-state.js'
import { Asking } from '../../src/application/asking.js'
import type { Ingest, IngestOutcome } from '../../src/application/ingest.js'
import type { BudgetState } from '../../src/budget/state.js'
import { replyOf } from '../../src/http/answer.js'
import { BlockBuilder, recordsOf } from '../../src/ledger/block.js'
import type { EventStore } from '../../src/ledger/event-store.js'
import { decodeRecord, type JsonObject, type LedgerRecord } from '../../src/ledger/record.js'
import { FaultyStore } from '../support/faulty-store.js'
import { LedgerProcess } from '../support/ledger-process.js'
import { NaiveState } from '../support/naive-state.js'
import { approver, operator, Scenario, trainer } from '../support/scenario.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { causeAt, messageOf, quarantineOf, type Said, SOURCE, said, TopicOracle, unitsOf } from './topic.js'

/** `RUNS=10000 npx vitest run test/application` is the long form. */
const RUNS = Number(process.env['RUNS'] ?? 1000)

const PERSON = { id: 'person', epsilon: '1' }
const http = { kind: 'http' } as const
const spend = (id: string, unit = 'u1'): JsonObject => ({ id, unit, mechanism: 'declared_pure', epsilon: '0.1' })
const spendAt = (offset: number, wire: JsonObject): Ingest => ({
  request: 'spend',
  source: SOURCE,
  wire,
  cause: causeAt(offset),
})

const opened = async (store: EventStore = new MemoryStore()): Promise<LedgerProcess> => {
  const process = await LedgerProcess.open(store)
  await process.policy(PERSON)
  return process
}

const recordsIn = async (store: EventStore): Promise<readonly LedgerRecord[]> => {
  const records: LedgerRecord[] = []
  for await (const block of store.read(0)) {
    for (const { bytes } of recordsOf(block)) records.push(decodeRecord(bytes))
  }
  return records
}

const kindOf = (outcome: IngestOutcome | undefined): string =>
  outcome?.kind === 'decided' ? outcome.answered.event.type : (outcome?.kind ?? 'none')

/** What may happen while messages are brought. */
type Step =
  /** Messages from a place at or before that where the ledger stands, so many. */
  | { readonly kind: 'deliver'; readonly back: number; readonly count: number }
  /** The append of the next delivery fails, kept or not, and the process is opened anew. */
  | { readonly kind: 'crash'; readonly fault: 'lost' | 'kept'; readonly count: number }
  | { readonly kind: 'restart' }
  | { readonly kind: 'halted'; readonly count: number }
  /** A policy comes into force meanwhile. */
  | { readonly kind: 'policy'; readonly count: number }
  /** Two consumers bring the same at the same time. */
  | { readonly kind: 'twice'; readonly back: number; readonly count: number }

const count = fc.integer({ min: 1, max: 12 })
const back = fc.oneof(fc.constant(0), fc.nat(8))
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('deliver' as const), back, count }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('twice' as const), back, count }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('crash' as const), fault: fc.constantFrom('lost', 'kept'), count }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('halted' as const), count }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('policy' as const), count }) },
)

/** How a test keeps its log and its state. */
interface Place {
  readonly store: EventStore
  readonly state: () => NaiveState | LedgerState
}

/** Brings messages as a consumer does: from the ledger's own offset or before it, never beyond. */
class Delivery {
  #policies = 0

  private constructor(
    private readonly place: Place,
    private readonly faulty: FaultyStore,
    private readonly messages: readonly Said[],
    private process: LedgerProcess,
  ) {}

  static async begin(place: Place, messages: readonly Said[]): Promise<Delivery> {
    const faulty = new FaultyStore(place.store)
    const process = await LedgerProcess.open(faulty, place.state(), { maxBatch: 5 })
    await process.policy(PERSON)
    return new Delivery(place, faulty, messages, process)
  }

  get state(): BudgetState {
    return this.process.state
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'deliver':
        await this.#bring(this.#next - step.back, step.count)
        break
      case 'twice':
        await Promise.all([this.#bring(this.#next - step.back, step.count), this.#bring(this.#next, step.count)])
        break
      case 'crash':
        this.faulty.plan.push(step.fault)
        await this.#bring(this.#next, step.count)
        this.faulty.plan.length = 0
        await this.#open()
        break
      case 'restart':
        await this.process.writer.stop()
        if (this.process.state instanceof LedgerState) {
          this.process.state.flush({ ...(await this.#head()), epoch: 0 })
          this.process.state.close()
        }
        await this.#open()
        break
      case 'halted':
        await this.process.halt()
        await this.#bring(this.#next, step.count)
        await this.process.resume()
        break
      case 'policy': {
        const policy = { id: `wide-${this.#policies++}`, metric: 'zcdp', epsilon: '1000', delta: '1e-6' } as const
        await Promise.all([this.#bring(this.#next, step.count), this.process.policy(policy)])
        break
      }
    }
  }

  /** Until all are handled; repeats at the end cause no record, so the place is counted here. */
  async finish(): Promise<void> {
    await this.#bring(this.#next, this.messages.length)
  }

  /** The ledger's own next offset. */
  get #next(): number {
    return Number(this.state.offset('epsilon.spends', 0)?.next ?? 0n)
  }

  async #head() {
    const head = await this.place.store.head()
    if (head === undefined) throw new Error('there is no record')
    return head
  }

  async #open(): Promise<void> {
    this.process = await LedgerProcess.open(this.faulty, this.place.state(), { maxBatch: 5 })
  }

  async #bring(from: number, count: number): Promise<void> {
    const start = Math.max(0, from)
    const items = this.messages.slice(start, start + count).map((each, index) => messageOf(each, start + index))
    for (let done = 0; done < items.length; ) {
      const outcomes = await this.process.ledger.ingest(items.slice(done))
      expect(outcomes).toHaveLength(items.length - done)
      const final = outcomes.findIndex(({ kind }) => kind === 'waiting' || kind === 'report-rejected')
      if (final !== -1) expect(new Set(outcomes.slice(final + 1).map(({ kind }) => kind)).size).toBeLessThanOrEqual(1)
      if (final === -1) return
      done += final
      if (outcomes[final]?.kind === 'waiting') return
      items[done] = quarantineOf(start + done)
    }
  }
}

const expectAsSaid = async ({ store }: Place, delivery: Delivery, messages: readonly Said[]): Promise<void> => {
  const oracle = new TopicOracle()
  for (const message of messages) oracle.take(message)
  const decided = (await recordsIn(store)).filter(({ cause, type }) => cause.kind === 'kafka' && type !== 'SpendPart')
  const offsets = decided.map(({ cause }) => (cause.kind === 'kafka' ? Number(cause.offset) : -1))
  const types = messages.map((_, offset) => decided.find((__, index) => offsets[index] === offset)?.type)
  expect(offsets).toEqual([...new Set(offsets)].sort((one, other) => one - other))
  expect(types).toEqual(oracle.records)
  const sums = (units: readonly string[]) =>
    units.map((key) => {
      const balance = delivery.state.balance({ policy: 'person', generation: 1, key })
      return [key, balance?.spent.finite[0] ?? 0n, balance?.reserved.finite[0] ?? 0n]
    })
  const units = [1, 2, 3, 4, 7].flatMap(unitsOf)
  const tenth = 10n ** 14n
  expect(sums(units)).toEqual(
    units.map((unit) => [
      unit,
      BigInt(oracle.spent.get(unit) ?? 0) * tenth,
      BigInt(oracle.reserved.get(unit) ?? 0) * tenth,
    ]),
  )
}

const messages = fc.array(said, { minLength: 1, maxLength: 25 })
const steps = fc.array(step, { maxLength: 10 })

test('whatever is delivered again, and whenever the process dies: one decision a message, in order, and the sums of one', async () => {
  await fc.assert(
    fc.asyncProperty(messages, steps, async (topic, plan) => {
      const place = { store: new MemoryStore(), state: () => new NaiveState() }
      const delivery = await Delivery.begin(place, topic)
      for (const each of plan) await delivery.take(each)
      await delivery.finish()
      await expectAsSaid(place, delivery, topic)
    }),
    { numRuns: RUNS },
  )
})

test('the same on files: the log in SQLite, the state as of its last flush', async () => {
  await fc.assert(
    fc.asyncProperty(messages, steps, async (topic, plan) => {
      const folder = temporaryFolder()
      const store = SqliteStore.create(join(folder, 'ledger.db'))
      const place = { store, state: () => LedgerState.open(join(folder, 'state.db'), { ledger: 'test' }) }
      const delivery = await Delivery.begin(place, topic)
      for (const each of plan) await delivery.take(each)
      await delivery.finish()
      await expectAsSaid(place, delivery, topic)
      await store.close()
    }),
    { numRuns: Math.ceil(RUNS / 50) },
  )
})

test('the whole topic once more charges nothing', async () => {
  const store = new MemoryStore()
  const { ledger } = await opened(store)
  const topic = Array.from({ length: 30 }, (_, offset) => spendAt(offset, spend(`s-${offset}`, `u${offset % 5}`)))
  const first = await ledger.ingest(topic)
  const records = (await recordsIn(store)).length
  expect(new Set(first.map(kindOf))).toEqual(new Set(['SpendAccepted']))
  expect(new Set((await ledger.ingest(topic)).map(kindOf))).toEqual(new Set(['passed']))
  expect((await recordsIn(store)).length).toBe(records)
})

/** How many commands were made of messages, and how many went to the writer. */
const counting = ({ ledger, writer }: LedgerProcess) => {
  const counts = { made: 0, written: 0 }
  const request = vi.spyOn(Asking.prototype, 'request')
  onTestFinished(() => request.mockRestore())
  const write = writer.writeInOrder.bind(writer)
  writer.writeInOrder = (commands) => {
    counts.written += commands.length
    return write(commands)
  }
  return { ledger, work: () => ({ ...counts, made: request.mock.calls.length }) }
}

test('a batch in which every message comes twice costs no more than one in which each comes once', async () => {
  const { ledger, work } = counting(await opened())
  const twice = Array.from({ length: 400 }, (_, offset) =>
    spendAt(offset, spend(`s-${offset >> 1}`, `u${offset >> 1}`)),
  )
  const kinds = (await ledger.ingest(twice)).map(({ kind }) => kind)
  expect(kinds).toEqual(twice.map((_, offset) => (offset % 2 === 0 ? 'decided' : 'repeated')))
  expect(work()).toEqual({ made: 400, written: 400 })
})

test('a batch of reports that no policy covers costs a few times what one of others does', async () => {
  const { ledger, work } = counting(await LedgerProcess.open(new MemoryStore()))
  const reports = Array.from({ length: 400 }, (_, offset): Ingest => {
    return { ...spendAt(offset, spend(`r-${offset}`)), request: 'report' } as Ingest
  })
  for (let done = 0; done < reports.length; ) {
    const outcomes = await ledger.ingest(reports.slice(done))
    const rejected = outcomes.findIndex(({ kind }) => kind === 'report-rejected')
    if (rejected === -1) break
    done += rejected
    reports[done] = quarantineOf(done)
  }
  expect(work().made).toBe(400)
  // The first call takes all, and those after it a few.
  expect(work().written).toBeLessThan(400 + 400 * 10)
})

test('the same source and id over HTTP and from the topic have one answer, whichever came first', async () => {
  const store = new MemoryStore()
  const { ledger } = await opened(store)
  const overHttp = await ledger.request('spend', spend('1'), trainer, http)
  const [repeated, decided] = await ledger.ingest([spendAt(0, spend('1')), spendAt(1, spend('2'))])
  expect(repeated).toMatchObject({ kind: 'repeated', answered: { receipt: (overHttp as { receipt: object }).receipt } })
  expect(kindOf(decided)).toBe('SpendAccepted')
  const again = await ledger.request('spend', spend('2'), trainer, http)
  expect(again).toMatchObject({ kind: 'answered', replayed: true })
  const conflict = { ...spend('2'), epsilon: '0.2' }
  expect(await ledger.request('spend', conflict, trainer, http)).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' })
  expect((await ledger.ingest([spendAt(2, conflict)])).map(kindOf)).toEqual(['RequestInvalid'])
})

test('what waits stops the call there, and nothing after it is decided', async () => {
  const store = new MemoryStore()
  const process = await opened(store)
  await process.halt()
  const items = [quarantineOf(0), spendAt(1, spend('1')), quarantineOf(2)]
  const outcomes = await process.ledger.ingest(items)
  expect(outcomes.map(kindOf)).toEqual(['MessageQuarantined', 'waiting', 'not-reached'])
  expect(outcomes[1]).toMatchObject({ code: 'HALTED' })
  expect(process.state.offset('epsilon.spends', 0)?.next).toBe(1n)
  await process.resume()
  expect((await process.ledger.ingest(items)).map(kindOf)).toEqual(['passed', 'SpendAccepted', 'MessageQuarantined'])
})

test('more messages than commands may wait are taken in parts', async () => {
  const store = new MemoryStore()
  await opened(store)
  const { ledger } = await LedgerProcess.open(store, new NaiveState(), { maxWaiting: 3 })
  const items = Array.from({ length: 10 }, (_, offset) => spendAt(offset, spend(`s-${offset}`, `u${offset}`)))
  expect(new Set((await ledger.ingest(items)).map(kindOf))).toEqual(new Set(['SpendAccepted']))
  const nothing = await LedgerProcess.open(store, new NaiveState(), { maxWaiting: 0 })
  const waits = await nothing.ledger.ingest([spendAt(10, spend('s-10')), quarantineOf(11)])
  expect(waits).toMatchObject([{ kind: 'waiting', code: 'BUSY' }, { kind: 'not-reached' }])
})

test('a report that cannot be accounted is given back without a record', async () => {
  const { ledger, state } = await opened()
  const report = (offset: number, wire: JsonObject): Ingest =>
    ({ ...spendAt(offset, wire), request: 'report' }) as Ingest
  const { unit: _, ...bare } = spend('1')
  const outcomes = await ledger.ingest([report(0, bare), report(1, spend('2'))])
  expect(outcomes).toMatchObject([
    { kind: 'report-rejected', rejection: { status: 422, code: 'ATTRIBUTE_REQUIRED' } },
    { kind: 'not-reached' },
  ])
  expect(await ledger.ingest([report(0, { ...spend('1'), epsilon: '-1' })])).toMatchObject([
    { kind: 'report-rejected', rejection: { status: 422, code: 'OUT_OF_RANGE', errors: [{ pointer: '/epsilon' }] } },
  ])
  expect(state.offset('epsilon.spends', 0)).toBeUndefined()
})

test.each<[string, Ingest, object]>([
  ['no object', spendAt(0, [] as unknown as JsonObject), { code: 'INVALID', id: '' }],
  [
    'a number that is none',
    spendAt(0, { ...spend('1'), epsilon: 'x' }),
    { code: 'INVALID_NUMBER', id: '1', unit: 'u1' },
  ],
  ['an id that is no name', spendAt(0, spend('x'.repeat(300))), { code: 'INVALID', id: 'x'.repeat(256) }],
  ['an id that is a number', spendAt(0, { ...spend('1'), id: 7 }), { code: 'INVALID', id: '' }],
  ['a source that is no name', { ...spendAt(0, spend('1')), source: 'a\nb' } as Ingest, { code: 'INVALID', id: '1' }],
  ['no source', { ...spendAt(0, spend('1')), source: '' } as Ingest, { code: 'INVALID', id: '1' }],
  [
    'a name that has no bytes',
    spendAt(0, { ...spend('1'), mechanism: '\ud800' }),
    { code: 'UNSUPPORTED_MECHANISM', id: '1' },
  ],
  [
    'text that no record can hold',
    spendAt(0, { ...spend('1'), sampling: { method: 'poisson', probability: '1', note: '\ud800' } }),
    { id: '1' },
  ],
])('a spend with %s is an invalid request, and the next message is decided', async (_, item, expected) => {
  const { ledger } = await opened()
  const outcomes = await ledger.ingest([item, spendAt(1, spend('next'))])
  expect(outcomes.map(kindOf)).toEqual(['RequestInvalid', 'SpendAccepted'])
  expect(outcomes[0]).toMatchObject({ answered: { event: { data: { request: 'spend', status: 422, ...expected } } } })
})

test('a spend whose record would be too large is invalid; such a report is given back', async () => {
  const process = await opened()
  for (let index = 0; index < 200; index++) {
    await process.policy({ id: `policy-${index}-${'n'.repeat(240)}`, scope: ['dataset'], epsilon: '1' })
  }
  const wire = { ...spend('1'), dataset: 'd' }
  const asReport = { ...spendAt(0, wire), request: 'report' } as Ingest
  const { ledger } = process
  expect(await ledger.ingest([asReport])).toMatchObject([{ kind: 'report-rejected', rejection: { code: 'INVALID' } }])
  const outcomes = await ledger.ingest([quarantineOf(0), spendAt(1, wire), quarantineOf(2)])
  expect(outcomes.map(kindOf)).toEqual(['MessageQuarantined', 'RequestInvalid', 'MessageQuarantined'])
})

/** A ledger after a recovery that lost the decisions of the messages before offset 3. */
const recovered = async (): Promise<LedgerProcess> => {
  const scenario = await Scenario.open()
  await scenario.policy(PERSON)
  await scenario.declareGap({ before: 3 })
  return LedgerProcess.open(scenario.store)
}

test('what a lost record may have permitted is charged like a report, with the hash of what was asked', async () => {
  const { ledger, state } = await recovered()
  const wire = { ...spend('s'), epsilon: '0.9' }
  const reserve = { ...spend('r'), epsilon: '0.9', expiresInSeconds: 60 }
  const outcomes = await ledger.ingest([
    spendAt(0, wire),
    { request: 'reserve', source: SOURCE, wire: reserve, cause: causeAt(1) },
    { ...spendAt(2, spend('p')), request: 'report' } as Ingest,
    spendAt(3, spend('later')),
    spendAt(4, wire),
  ])
  expect(outcomes.map(kindOf)).toEqual(['SpendReported', 'SpendReported', 'SpendReported', 'SpendRefused', 'repeated'])
  const data = outcomes.flatMap((one) => (one.kind === 'decided' ? [one.answered.event.data] : []))
  expect(data.slice(0, 3)).toMatchObject([
    { undecided: true, violations: [] },
    { undecided: true, violations: [{ policy: 'person' }] },
    { violations: [{ policy: 'person' }] },
  ])
  expect(data[2]).not.toHaveProperty('undecided')
  expect(state.balance({ policy: 'person', generation: 1, key: 'u1' })?.spent.finite).toEqual([19n * 10n ** 14n, 0n])
  expect(await ledger.request('reserve', reserve, trainer, http)).toMatchObject({ kind: 'answered', replayed: true })
})

test('the charge of a lost decision is no permit, whether there was room or not', async () => {
  const { ledger } = await recovered()
  const outcomes = await ledger.ingest([
    spendAt(0, { ...spend('s'), epsilon: '0.9' }),
    spendAt(1, { ...spend('t'), epsilon: '0.9' }),
  ])
  const replies = outcomes.flatMap((one) => (one.kind === 'decided' ? [replyOf(one.answered, 201, ledger)] : []))
  expect(replies).toMatchObject([
    { status: 409, body: { decision: 'refused', id: 's', code: 'UNDECIDED', failingCount: 0, largestCount: 0 } },
    { status: 409, body: { decision: 'refused', id: 't', code: 'UNDECIDED', failingCount: 1, largestCount: 0 } },
  ])
})

test('a reservation that was charged for its lost decision is closed by that', async () => {
  const { ledger, state } = await recovered()
  const wire = { ...spend('r'), epsilon: '0.9', expiresInSeconds: 60 }
  const closing = { source: SOURCE, id: 'r' } as const
  const outcomes = await ledger.ingest([
    { request: 'reserve', source: SOURCE, wire, cause: causeAt(1) },
    { request: 'settle', ...closing, wire: { count: '1' }, cause: causeAt(2) },
    { request: 'release', ...closing, wire: { reason: 'r' }, cause: causeAt(3) },
  ])
  const closed = { answered: { event: { type: 'RequestInvalid', data: { code: 'RESERVATION_CLOSED' } } } }
  expect(outcomes).toMatchObject([{ answered: { event: { type: 'SpendReported' } } }, closed, closed])
  expect(await ledger.settle('r', { count: '1' }, trainer, http)).toMatchObject({ code: 'RESERVATION_CLOSED' })
  expect(state.balance({ policy: 'person', generation: 1, key: 'u1' })?.spent.finite).toEqual([9n * 10n ** 14n, 0n])
})

test('a reservation that a lost record may have opened is not settled or released as one that never was', async () => {
  const unknown = { source: SOURCE, id: 'nobody knows it' } as const
  const items = (offset: number): readonly Ingest[] => [
    { request: 'settle', ...unknown, wire: { count: '1' }, cause: causeAt(offset) },
    { request: 'release', ...unknown, wire: { reason: 'r' }, cause: causeAt(offset) },
  ]
  for (const item of items(2)) {
    const { ledger } = await recovered()
    const outcomes = await ledger.ingest([item, quarantineOf(3)])
    expect(outcomes).toMatchObject([
      { kind: 'report-rejected', rejection: { code: 'NOT_FOUND' } },
      { kind: 'not-reached' },
    ])
  }
  for (const item of items(3)) {
    const { ledger } = await recovered()
    expect((await ledger.ingest([item, quarantineOf(4)])).map(kindOf)).toEqual(['RequestInvalid', 'MessageQuarantined'])
  }
})

test('where it cannot be charged, it is given back to be quarantined; what never could be asked is invalid', async () => {
  const { ledger } = await recovered()
  const { unit: _, ...bare } = spend('bare')
  expect(await ledger.ingest([spendAt(0, bare)])).toMatchObject([
    { kind: 'report-rejected', rejection: { code: 'ATTRIBUTE_REQUIRED' } },
  ])
  const outcomes = await ledger.ingest([
    spendAt(0, { ...spend('malformed'), epsilon: '-1' }),
    spendAt(1, spend('s')),
    spendAt(3, bare),
  ])
  expect(outcomes.map(kindOf)).toEqual(['RequestInvalid', 'SpendReported', 'RequestInvalid'])
})

test('a partition that begins again has messages whose decisions nobody lost', async () => {
  const scenario = await Scenario.open()
  await scenario.policy(PERSON)
  await scenario.recordOffsets(2n)
  await scenario.declareGap({ before: 5 })
  const { ledger, state } = await LedgerProcess.open(scenario.store)
  const reset = async (to: string): Promise<void> => {
    const place = { topic: 'epsilon.spends', partition: 0, to, cause: http }
    await ledger.submit({ kind: 'propose-reset', actor: operator, ...place, reason: 'a new topic' })
    await ledger.submit({ kind: 'approve-reset', actor: approver, ...place })
  }
  await reset('3')
  expect(state.registry.undecided).toHaveLength(1)
  await reset('0')
  expect(state.registry.undecided).toEqual([])
  expect((await ledger.ingest([spendAt(0, spend('s'))])).map(kindOf)).toEqual(['SpendAccepted'])
})

test('offsets of messages without a record are recorded, and never go back', async () => {
  const store = new MemoryStore()
  const { ledger, state } = await opened(store)
  const at = (partition: number, next: bigint) => ({ topic: 'epsilon.spends', partition, next, digest: null })
  await ledger.recordOffsets([at(0, 10n), at(1, 5n)])
  await ledger.recordOffsets([at(0, 10n), at(1, 4n)])
  expect([state.offset('epsilon.spends', 0)?.next, state.offset('epsilon.spends', 1)?.next]).toEqual([10n, 5n])
  expect((await recordsIn(store)).filter(({ type }) => type === 'OffsetsRecorded')).toHaveLength(2)
  expect((await ledger.ingest([spendAt(9, spend('1'))])).map(kindOf)).toEqual(['passed'])
})

test('a message of which only parts were kept is not handled: it is decided when it comes again', async () => {
  const store = new MemoryStore()
  const { writer } = await opened(store)
  const part = { source: SOURCE, id: 'many', part: 0, units: unitsOf(7), dropped: [] }
  const builder = new BlockBuilder(writer.position)
  const at = '2026-01-01T00:00:00.000Z'
  builder.add({ at, by: `emitter:${SOURCE}`, cause: causeAt(0), data: part, epoch: 0, type: 'SpendPart', v: 1 })
  await store.append(builder.blocks(), writer.position)
  const { ledger, state } = await LedgerProcess.open(store)
  expect(state.offset('epsilon.spends', 0)).toBeUndefined()
  const many = messageOf({ kind: 'spend', id: 'many', units: 7, tenths: 1 }, 0)
  expect((await ledger.ingest([many])).map(kindOf)).toEqual(['SpendAccepted'])
  expect(state.balance({ policy: 'person', generation: 1, key: 'm0' })?.spent.finite[0]).toBe(10n ** 14n)
})
