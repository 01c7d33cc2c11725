import { expect, test } from 'vitest'
import { Ledger, type LedgerParts } from '../../src/application/ledger.js'
import type { Command } from '../../src/budget/commands.js'
import { exactCosts } from '../../src/budget/costs.js'
import type { Answer, Answered } from '../../src/budget/decider.js'
import { LedgerError } from '../../src/ledger/errors.js'
import type { JsonObject } from '../../src/ledger/record.js'
import { emitter, TestLedger } from '../budget/test-ledger.js'

const CAUSE = { kind: 'http' } as const

/** A writer that accepts everything, and remembers what came together. */
class EasyWriter {
  readonly groups: string[][] = []
  failing: number | undefined

  writeInOrder(commands: readonly Command[]): Promise<readonly Answer[]> {
    return this.writeAll(commands)
  }

  async writeAll(commands: readonly Command[]): Promise<readonly Answer[]> {
    const ids = commands.map((command) => ('request' in command ? command.request.id : command.kind))
    if (this.groups.length === this.failing) throw new LedgerError('BUSY', 'too many wait', { retry: 'now' })
    this.groups.push(ids)
    return ids.map((id) => ({ kind: 'answered', event: { type: 'ClockConfirmed', data: { reason: id } } }) as Answered)
  }
}

const ledgerWith = (costs: Partial<LedgerParts['costs']> = {}) => {
  const { state } = new TestLedger()
  const given = new TestLedger()
  given.policy({ id: 'g' })
  state.registry = given.state.registry
  const writer = new EasyWriter()
  const parts = {
    writer,
    state,
    costs: {
      costs: async (...asked: Parameters<typeof exactCosts>) => exactCosts(...asked),
      cached: exactCosts,
      ...costs,
    },
    priorAt: async () => undefined,
    at: () => '2026-01-05T00:00:00.000Z',
  }
  return { ledger: new Ledger(parts as unknown as LedgerParts), writer }
}

const spend = (id: string, units: number): object => ({
  id,
  units: Array.from({ length: units }, (_, index) => `u${index}`),
  mechanism: 'declared_pure',
  epsilon: '0.1',
})

const reasons = (outcomes: readonly unknown[]): readonly unknown[] =>
  outcomes.map((outcome) => {
    if (outcome instanceof Error) return (outcome as LedgerError).code
    const { event } = outcome as Answered
    return event.type === 'ClockConfirmed' && event.data.reason
  })

test('a request asks for a few costs at a time, and keeps its order', async () => {
  let asked = 0
  let most = 0
  const costs = async (...[release, rows]: Parameters<typeof exactCosts>) => {
    most = Math.max(most, ++asked)
    await new Promise(setImmediate)
    asked--
    return exactCosts(release, rows)
  }
  const { ledger, writer } = ledgerWith({ costs, cached: () => undefined })
  const ids = Array.from({ length: 100 }, (_, index) => `s${index}`)
  const outcomes = await ledger.requestAll(
    ids.map((id) => spend(id, 1)),
    emitter,
    CAUSE,
  )
  expect(most).toBe(16)
  expect(reasons(outcomes)).toEqual(ids)
  expect(writer.groups).toEqual([ids])
})

test('spends over many units are written one group after the other, none wider than one spend may be', async () => {
  const { ledger, writer } = ledgerWith()
  const items = [spend('a', 15_000), spend('b', 6_000), spend('c', 14_000), spend('d', 1), spend('e', 20_000)]
  expect(reasons(await ledger.requestAll(items, emitter, CAUSE))).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(writer.groups).toEqual([['a'], ['b', 'c'], ['d'], ['e']])
})

test('so are messages of topics, each after what became of those before it', async () => {
  const { ledger, writer } = ledgerWith()
  const widths = { a: 15_000, b: 6_000, c: 14_000, d: 1, e: 20_000 }
  const items = Object.entries(widths).map(([id, units], offset) => ({
    request: 'spend' as const,
    source: 'trainer',
    wire: spend(id, units) as JsonObject,
    cause: { kind: 'kafka', topic: 't', partition: 0, offset: String(offset), digest: '' } as const,
  }))
  expect((await ledger.ingest(items)).map(({ kind }) => kind)).toEqual(items.map(() => 'decided'))
  expect(writer.groups).toEqual([['a'], ['b', 'c'], ['d'], ['e']])
})

test('where the writer takes no more, what was written has its answer, and a request of which nothing was has none', async () => {
  const items = [spend('a', 20_000), spend('b', 20_000), spend('c', 20_000)]
  const some = ledgerWith()
  some.writer.failing = 1
  expect(reasons(await some.ledger.requestAll(items, emitter, CAUSE))).toEqual(['a', 'BUSY', 'BUSY'])
  const none = ledgerWith()
  none.writer.failing = 0
  await expect(none.ledger.requestAll(items, emitter, CAUSE)).rejects.toMatchObject({ code: 'BUSY' })
})

test('a request that takes long lets others in', async () => {
  const until = (milliseconds: number) => {
    const end = performance.now() + milliseconds
    while (performance.now() < end);
  }
  const { ledger } = ledgerWith({
    cached: (...asked) => {
      until(6)
      return exactCosts(...asked)
    },
  })
  let isDone = false
  const done = ledger
    .requestAll(
      Array.from({ length: 20 }, (_, index) => spend(`s${index}`, 1)),
      emitter,
      CAUSE,
    )
    .finally(() => {
      isDone = true
    })
  let others = 0
  for (; !isDone; others++) await new Promise(setImmediate)
  await done
  expect(others).toBeGreaterThan(5)
})
