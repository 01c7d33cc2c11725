import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Outcome } from '../../src/application/ledger.js'
import type { EventStore } from '../../src/ledger/event-store.js'
import { LedgerProcess } from '../support/ledger-process.js'
import { PiecewiseStore } from '../support/piecewise-store.js'
import { trainer } from '../support/scenario.js'
import { verifiedBlocks } from '../support/verified.js'

const cause = { kind: 'http' } as const
const units = (count: number, from = 0): readonly string[] =>
  Array.from({ length: count }, (_, index) => `unit-${from + index}-${'x'.repeat(40)}`)
const wide = (id: string, count: number, epsilon = '0.5') => ({
  id,
  units: units(count),
  mechanism: 'declared_pure',
  epsilon,
})
const narrow = (id: string, unit: string, epsilon = '0.5') => ({ id, unit, mechanism: 'declared_pure', epsilon })

const ended = (writer: LedgerProcess['writer']): Promise<void> => writer.stop()

/** Several processes over one store, with a budget of 1 for every unit. */
const processesOn = async (store: EventStore, count: number): Promise<readonly LedgerProcess[]> => {
  const first = await LedgerProcess.open(store)
  await first.policy({ id: 'person', epsilon: '1' })
  const others = await Promise.all(Array.from({ length: count - 1 }, () => LedgerProcess.open(store)))
  return [first, ...others]
}

const nth = (processes: readonly LedgerProcess[], index: number): LedgerProcess => processes[index] as LedgerProcess

test('a spend over many blocks that others cut into is voided and decided anew, and they are in time', async () => {
  const store = new PiecewiseStore()
  const processes = await processesOn(store, 2)
  let cuts = 2
  store.between = async () => {
    if (cuts-- > 0) await nth(processes, 1).ledger.request('spend', narrow(`cut-${cuts}`, `v-${cuts}`), trainer, cause)
  }
  const outcome = await nth(processes, 0).ledger.request('spend', wide('wide', 18_000), trainer, cause)
  expect(outcome).toMatchObject({ kind: 'answered', event: { type: 'SpendAccepted' }, replayed: false })
  expect(cuts).toBeLessThanOrEqual(0)
  expect((await verifiedBlocks(store)).fault).toBeUndefined()
  const again = await nth(processes, 1).ledger.request('spend', wide('wide', 18_000), trainer, cause)
  expect(again).toMatchObject({ kind: 'answered', replayed: true, receipt: (outcome as { receipt: object }).receipt })
  const third = await nth(processes, 1).ledger.request(
    'spend',
    narrow('third', units(1)[0] ?? '', '0.6'),
    trainer,
    cause,
  )
  expect(third).toMatchObject({ event: { type: 'SpendRefused' } })
})

test('what one process has recorded, another one knows when it is asked', async () => {
  const [one, two] = (await processesOn(new PiecewiseStore(), 2)) as [LedgerProcess, LedgerProcess]
  const reservation = { ...narrow('r', 'u'), expiresInSeconds: 60 }
  await one.ledger.request('reserve', reservation, trainer, cause)
  expect((await two.ledger.answered(trainer.source, 'r'))?.event.type).toBe('ReservationOpened')
  await one.ledger.request('reserve', { ...reservation, id: 'r2' }, trainer, cause)
  const settled = await two.ledger.settle('r2', { mechanism: 'declared_pure', epsilon: '0.1' }, trainer, cause)
  expect(settled).toMatchObject({ kind: 'answered', event: { type: 'ReservationSettled' } })
  expect(await two.ledger.settle('none', { count: 1 }, trainer, cause)).toMatchObject({ code: 'NOT_FOUND' })
})

test('nobody is turned down for the lack of what another process has recorded', async () => {
  const [one, two] = (await processesOn(new PiecewiseStore(), 2)) as [LedgerProcess, LedgerProcess]
  await one.ledger.request('reserve', { ...narrow('r', 'u'), expiresInSeconds: 60 }, trainer, cause)
  const released = await two.ledger.release('r', { reason: 'nothing was computed' }, trainer, cause)
  expect(released).toMatchObject({ kind: 'answered', event: { type: 'ReservationReleased' } })
  await two.halt()
  expect(await one.ledger.request('spend', narrow('1', 'u'), trainer, cause)).toMatchObject({ code: 'HALTED' })
  await two.resume()
  const spent = await one.ledger.request('spend', narrow('1', 'u'), trainer, cause)
  expect(spent).toMatchObject({ kind: 'answered', event: { type: 'SpendAccepted' } })
  expect(await two.ledger.release('none', { reason: 'nothing was computed' }, trainer, cause)).toMatchObject({
    code: 'NOT_FOUND',
  })
})

test('a message settles what another process has reserved a moment before', async () => {
  const [one, two] = (await processesOn(new PiecewiseStore(), 2)) as [LedgerProcess, LedgerProcess]
  await one.ledger.request('reserve', { ...narrow('r', 'u'), expiresInSeconds: 60 }, trainer, cause)
  const wire = { mechanism: 'declared_pure', epsilon: '0.1' }
  const place = (offset: string) =>
    ({ kind: 'kafka', topic: 't', partition: 0, offset, digest: '0'.repeat(32) }) as const
  const asked = { request: 'settle', source: trainer.source, wire } as const
  expect(await two.ledger.ingest([{ ...asked, id: 'r', cause: place('0') }])).toMatchObject([
    { kind: 'decided', answered: { event: { type: 'ReservationSettled' } } },
  ])
  expect(await two.ledger.ingest([{ ...asked, id: 'none', cause: place('1') }])).toMatchObject([
    { kind: 'decided', answered: { event: { type: 'RequestInvalid' } } },
  ])
})

/** One request of a random history: by which process, over how many units from which one, and whether under an older id. */
const request = fc.record({
  by: fc.nat(2),
  count: fc.oneof(
    { weight: 8, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.integer({ min: 2, max: 300 }) },
    // More than a block holds.
    { weight: 1, arbitrary: fc.constant(15_000) },
  ),
  tenths: fc.integer({ min: 1, max: 6 }),
  again: fc.nat(9),
})

test('three processes on one store keep every cap, give one answer to one id, and leave a log that verifies', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 25 }), async (requests) => {
      const store = new PiecewiseStore()
      const processes = await processesOn(store, 3)
      const bodies: object[] = []
      const asked = requests.map(({ by, count, tenths, again }, index) => {
        const body = (again < 2 ? bodies[index - 1 - again] : undefined) ?? wide(`s-${index}`, count, `0.${tenths}`)
        bodies.push(body)
        return nth(processes, by).ledger.request('spend', body, trainer, cause)
      })
      const outcomes = await Promise.all(asked)
      await Promise.all(processes.map(({ writer }) => ended(writer)))
      const verified = await verifiedBlocks(store)
      expect(verified.fault).toBeUndefined()
      const byBody = new Map<object, Outcome>()
      for (const [index, outcome] of outcomes.entries()) {
        const body = bodies[index] as object
        const first = byBody.get(body) ?? outcome
        byBody.set(body, first)
        expect(receiptOf(outcome)).toEqual(receiptOf(first))
      }
    }),
    { numRuns: 12 },
  )
}, 60_000)

const receiptOf = (outcome: Outcome) => (outcome.kind === 'answered' ? outcome.receipt : outcome)

test('a process that starts while others write stands at a head, and goes on from there', async () => {
  const store = new PiecewiseStore()
  const [one] = (await processesOn(store, 1)) as [LedgerProcess]
  /** Every look at the head comes just before somebody else appends. */
  class Busy extends PiecewiseStore {
    override async head() {
      const head = await store.head()
      await one.ledger.request('spend', narrow(`busy-${head?.seq}`, 'u', '0.01'), trainer, cause)
      return head
    }
    override read(fromSeq: number) {
      return store.read(fromSeq)
    }
  }
  const late = await LedgerProcess.open(new Busy())
  expect(late.writer.position?.seq).toBeLessThan((await store.head())?.seq ?? 0)
  await late.writer.refresh()
  expect(late.writer.position).toEqual(await store.head())
})

test('a head that its own blocks are ahead of is a damaged one', async () => {
  const store = new PiecewiseStore()
  const [one] = (await processesOn(store, 1)) as [LedgerProcess]
  const before = await store.head()
  await one.ledger.request('spend', narrow('1', 'u'), trainer, cause)
  store.head = async () => before
  await expect(LedgerProcess.open(store)).rejects.toMatchObject({ code: 'HEAD_MISMATCH' })
})
