import { expect, test } from 'vitest'
import { answerOf } from '../../src/budget/answer.js'
import type { Actor } from '../../src/budget/commands.js'
import type { Verdict } from '../../src/budget/context.js'
import type { BudgetEvent, UndecidedMessages } from '../../src/budget/events.js'
import { evolve } from '../../src/budget/evolve.js'
import { refusalDocument, refusalOf } from '../../src/budget/refusal.js'
import type { JsonObject } from '../../src/ledger/record.js'
import { messageAt } from '../support/scenario.js'
import { approver, emitter, operator, TestLedger } from './test-ledger.js'

const pure = (epsilon: string) => ({ mechanism: 'declared_pure', epsilon })
const system = { kind: 'system' } as const
const ledgerItself: Actor = { token: '', role: 'system', source: 'ledger' }
const MARK = 10

/** A recovery finds the topic at these offsets. */
const recovered = (ledger: TestLedger, ...undecided: readonly UndecidedMessages[]): void => {
  const seq = ledger.log.length
  const event = { type: 'GapDeclared', data: { from: seq, to: seq - 1, reason: 'a copy', undecided } } as const
  evolve(ledger.state, event, { seq, at: ledger.at, by: 'system:ledger', cause: system })
  ledger.log.push({ seq, at: ledger.at, event })
}

const at = (offset: number, partition = 0): UndecidedMessages => ({
  topic: 'epsilon.spends',
  partition,
  before: String(offset),
})

/** A ledger with 1 of ε for every unit, of which a recovery declared the messages before offset 10 undecided. */
const opened = (): TestLedger => {
  const ledger = new TestLedger()
  ledger.policy({ id: 'person' })
  recovered(ledger, at(MARK))
  return ledger
}

const sent = (ledger: TestLedger, offset: number, wire: JsonObject, kind: 'spend' | 'report' | 'reserve' = 'spend') =>
  ledger.request(kind, wire, undefined, messageAt(offset))

/** All messages that the recovery named are handled. */
const handled = (ledger: TestLedger): void => {
  const place = { topic: 'epsilon.spends', partition: 0, next: String(MARK), digest: null }
  ledger.submit({ kind: 'record-offsets', actor: ledgerItself, cause: system, ...place })
}

const closed = (ledger: TestLedger, offset: number, id: string): Verdict =>
  ledger.submit({ kind: 'release', actor: emitter, cause: messageAt(offset), id, hash: 'h', reason: 'nothing ran' })

const eventOf = (verdict: Verdict): BudgetEvent | undefined =>
  verdict.kind === 'recorded' ? verdict.events.at(-1) : undefined
const kindOf = (verdict: Verdict): string =>
  verdict.kind === 'rejected' ? verdict.code : (eventOf(verdict)?.type ?? verdict.kind)
const spentOf = ({ state }: TestLedger, key: string) =>
  state.balance({ policy: 'person', generation: 1, key })?.lifetime.finite[0]
const reservedOf = ({ state }: TestLedger, key: string) =>
  state.balance({ policy: 'person', generation: 1, key })?.reserved.finite[0]

test('what may have been permitted is charged, also beyond a cap, and is no violation', () => {
  const ledger = opened()
  const violations = [0, 1, 2].map((offset) => {
    const event = eventOf(sent(ledger, offset, { id: `${offset}`, unit: 'u', ...pure('0.5') }))
    expect(event).toMatchObject({ type: 'SpendReported', data: { undecided: true } })
    return event?.type === 'SpendReported' ? event.data.violations.length : undefined
  })
  expect(violations).toEqual([0, 0, 1])
  expect(spentOf(ledger, 'u')).toBe(15n * 10n ** 14n)
  expect(ledger.state.violationCount).toBe(0)
  handled(ledger)
  expect(kindOf(sent(ledger, MARK, { id: 'next', unit: 'u', ...pure('0.5') }))).toBe('SpendRefused')
  expect(kindOf(sent(ledger, MARK + 1, { id: 'other', unit: 'v', ...pure('0.5') }))).toBe('SpendAccepted')
})

test('what is reported there is a report like any other', () => {
  const ledger = opened()
  const verdict = sent(ledger, 3, { id: 'r', unit: 'u', ...pure('1.5') }, 'report')
  expect(eventOf(verdict)?.data).not.toHaveProperty('undecided')
  expect(ledger.state.violationCount).toBe(1)
})

test('a request that has its answer gets that one', () => {
  const ledger = new TestLedger()
  ledger.policy({ id: 'person' })
  const wire = { id: '1', unit: 'u', ...pure('0.5') }
  expect(kindOf(sent(ledger, 4, wire))).toBe('SpendAccepted')
  recovered(ledger, at(MARK))
  expect(sent(ledger, 5, wire)).toMatchObject({ kind: 'replayed', prior: { event: { type: 'SpendAccepted' } } })
  expect(kindOf(sent(ledger, 6, { ...wire, id: '2' }))).toBe('SpendReported')
  expect(sent(ledger, 20, { ...wire, id: '2' })).toMatchObject({
    kind: 'replayed',
    prior: { event: { type: 'SpendReported' } },
  })
  expect(kindOf(sent(ledger, 21, { ...wire, unit: 'v' }))).toBe('RequestInvalid')
})

test('another request under the id of a known one was never permitted; under that of an undecided one it may have been', () => {
  const ledger = new TestLedger()
  ledger.policy({ id: 'person' })
  sent(ledger, 0, { id: 'known', unit: 'u', ...pure('0.1') })
  recovered(ledger, at(MARK))
  expect(kindOf(sent(ledger, 1, { id: 'known', unit: 'v', ...pure('0.1') }))).toBe('RequestInvalid')
  sent(ledger, 2, { id: 'undecided', unit: 'u', ...pure('0.1') })
  expect(sent(ledger, 3, { id: 'undecided', unit: 'v', ...pure('0.1') })).toMatchObject({
    kind: 'rejected',
    code: 'IDEMPOTENCY_CONFLICT',
    mayHaveRun: true,
  })
})

test('nothing else is decided before all that may have been permitted is charged, whichever way it comes', () => {
  const ledger = new TestLedger()
  ledger.policy({ id: 'person' })
  ledger.request('reserve', { id: 'r', unit: 'v', ...pure('0.5'), expiresInSeconds: 60 })
  recovered(ledger, at(MARK), at(2, 1))
  const elsewhere = (offset: number) => ({ ...messageAt(offset), partition: 1 })
  const ask = (id: string, kind: 'spend' | 'reserve' = 'spend') =>
    kindOf(
      ledger.request(kind, { id, unit: 'u', ...pure('0.1'), ...(kind === 'reserve' ? { expiresInSeconds: 60 } : {}) }),
    )
  expect([ask('1'), ask('2', 'reserve')]).toEqual(['RECOVERING', 'RECOVERING'])
  const later = { id: '3', unit: 'u', ...pure('0.1') }
  expect(kindOf(ledger.request('spend', later, undefined, elsewhere(2)))).toBe('RECOVERING')
  expect(kindOf(ledger.request('report', { ...later, id: '4' }))).toBe('SpendReported')
  expect(kindOf(ledger.settle('r', { count: '1' }))).toBe('ReservationSettled')
  sent(ledger, MARK - 1, { id: '5', unit: 'u', ...pure('0.1') })
  expect(ask('1')).toBe('RECOVERING')
  expect(kindOf(ledger.request('spend', { ...later, id: '6' }, undefined, elsewhere(1)))).toBe('SpendReported')
  expect(ledger.state.registry.undecided).toEqual([])
  expect(kindOf(ledger.request('spend', later, undefined, elsewhere(2)))).toBe('SpendAccepted')
  expect(ask('1')).toBe('SpendAccepted')
})

test('what was handled before the recovery is not waited for', () => {
  const ledger = new TestLedger()
  ledger.policy({ id: 'person' })
  sent(ledger, MARK - 1, { id: '1', unit: 'u', ...pure('0.1') })
  recovered(ledger, at(MARK))
  expect(kindOf(ledger.spend({ id: '2', unit: 'u', ...pure('0.1') }))).toBe('SpendAccepted')
})

test('neither a halt nor an uncertain clock lets a possible permit go uncharged', () => {
  const ledger = opened()
  ledger.policy({ id: 'daily', window: 'day', role: 'quota' })
  ledger.submit({ kind: 'halt', actor: operator, cause: { kind: 'http' }, scope: null, reason: 'a drill' })
  ledger.clockDoubt = true
  expect(kindOf(sent(ledger, MARK - 1, { id: '1', unit: 'u', ...pure('0.1') }))).toBe('SpendReported')
  expect(kindOf(sent(ledger, MARK, { id: '2', unit: 'u', ...pure('0.1') }))).toBe('HALTED')
})

test('a unit that would have been dropped is charged like the others', () => {
  const ledger = new TestLedger()
  ledger.policy({ id: 'person' })
  ledger.spend({ id: '1', unit: 'u', ...pure('1') })
  recovered(ledger, at(MARK))
  const wire = { id: '2', units: ['u', 'v'], onExhausted: 'drop', ...pure('0.5') }
  expect(eventOf(sent(ledger, 3, wire))?.data).not.toHaveProperty('dropped')
  expect([spentOf(ledger, 'u'), spentOf(ledger, 'v')]).toEqual([15n * 10n ** 14n, 5n * 10n ** 14n])
})

test('a reservation is charged in full and is closed by that', () => {
  const ledger = opened()
  const wire = { id: 'r', unit: 'u', ...pure('0.5'), expiresInSeconds: 60 }
  expect(eventOf(sent(ledger, 3, wire, 'reserve'))).toMatchObject({ type: 'SpendReported', data: { undecided: true } })
  expect([spentOf(ledger, 'u'), reservedOf(ledger, 'u')]).toEqual([5n * 10n ** 14n, 0n])
  for (const offset of [4, MARK]) {
    expect(eventOf(closed(ledger, offset, 'r'))).toMatchObject({
      type: 'RequestInvalid',
      data: { code: 'RESERVATION_CLOSED', request: 'release' },
    })
  }
  expect(kindOf(ledger.settle('r', { count: '1' }))).toBe('RESERVATION_CLOSED')
  expect(spentOf(ledger, 'u')).toBe(5n * 10n ** 14n)
})

test('a reservation that is on record is settled and released as ever', () => {
  const ledger = new TestLedger()
  ledger.policy({ id: 'person' })
  ledger.request('reserve', { id: 'r', unit: 'u', ...pure('0.5'), expiresInSeconds: 60 })
  recovered(ledger, at(MARK))
  expect(kindOf(closed(ledger, 3, 'r'))).toBe('ReservationReleased')
})

test('what nobody can account for is left to be quarantined, and not recorded as invalid', () => {
  const ledger = opened()
  ledger.policy({ id: 'organisation', scope: ['dataset'] })
  const unaccountable: readonly [string, Verdict][] = [
    ['ATTRIBUTE_REQUIRED', sent(ledger, 3, { id: '1', unit: 'u', ...pure('0.1') })],
    ['COST_INFINITE', sent(ledger, 3, { id: '2', unit: 'u', dataset: 'd', mechanism: 'non_private' })],
    [
      'RELATION_MISMATCH',
      sent(ledger, 3, { id: '3', unit: 'u', dataset: 'd', neighboring: 'replace_one', ...pure('0.1') }),
    ],
    ['NOT_FOUND', closed(ledger, 3, 'nobody knows it')],
  ]
  for (const [code, verdict] of unaccountable)
    expect(verdict).toMatchObject({ kind: 'rejected', code, mayHaveRun: true })
  expect(ledger.state.offset('epsilon.spends', 0)).toBeUndefined()
  expect(kindOf(sent(ledger, MARK, { id: '1', unit: 'u', ...pure('0.1') }))).toBe('RequestInvalid')
  expect(kindOf(closed(ledger, MARK + 1, 'nobody knows it'))).toBe('RequestInvalid')
})

test('a later recovery sees further, never less far', () => {
  const ledger = opened()
  recovered(ledger, at(20), at(5, 1))
  recovered(ledger, at(15))
  expect(ledger.state.registry.undecided).toEqual([at(20), at(5, 1)])
  expect(kindOf(sent(ledger, 19, { id: '1', unit: 'u', ...pure('0.1') }))).toBe('SpendReported')
  expect(ledger.state.registry.undecided).toEqual([at(5, 1)])
})

const reset = (ledger: TestLedger, to: string): void => {
  const place = { topic: 'epsilon.spends', partition: 0, to, cause: { kind: 'http' } } as const
  ledger.submit({ kind: 'propose-reset', actor: operator, ...place, reason: 'two people know why' })
  ledger.submit({ kind: 'approve-reset', actor: approver, ...place })
}

test('a reset over lost messages leaves those after them undecided; one beyond all, or back, leaves none', () => {
  const forward = opened()
  reset(forward, '5')
  expect(kindOf(sent(forward, 5, { id: '1', unit: 'u', ...pure('0.1') }))).toBe('SpendReported')
  expect(forward.state.registry.undecided).toEqual([at(MARK)])
  const beyond = opened()
  reset(beyond, String(MARK))
  expect(beyond.state.registry.undecided).toEqual([])
  // It is another topic of the same name.
  const back = opened()
  sent(back, 7, { id: '1', unit: 'u', ...pure('0.1') })
  reset(back, '0')
  expect(kindOf(sent(back, 3, { id: '2', unit: 'u', ...pure('0.1') }))).toBe('SpendAccepted')
})

test('its answer permits nothing, room or not, and a repeat gets it again', () => {
  const ledger = opened()
  const events = ['0.9', '0.8'].map((epsilon, offset) => {
    return eventOf(sent(ledger, offset, { id: `${offset}`, unit: 'u', ...pure(epsilon) })) as BudgetEvent
  })
  const receipt = { ledger: 'l', epoch: 1, seq: 2, leaf: 'f'.repeat(64) }
  const answers = events.map((event) => answerOf(event, [], receipt, ledger.state.registry) as JsonObject)
  expect(answers).toMatchObject([
    { decision: 'refused', code: 'UNDECIDED', id: '0', failing: [], failingCount: 0 },
    { decision: 'refused', code: 'UNDECIDED', id: '1', failing: [{ policy: 'person' }], failingCount: 1 },
  ])
  const [event] = events
  const refusal = event && refusalOf(event)
  expect(refusal && refusalDocument(refusal, answers[0] ?? {})).toMatchObject({ status: 409, code: 'UNDECIDED' })
})
