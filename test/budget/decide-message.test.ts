import { expect, test } from 'vitest'
import type { Actor, Command } from '../../src/budget/commands.js'
import type { Verdict } from '../../src/budget/context.js'
import type { BudgetEvent } from '../../src/budget/events.js'
import { cut, invalidRequest } from '../../src/budget/problems.js'
import { encodeRecord, GENESIS_PREV, type JsonObject } from '../../src/ledger/record.js'
import { messageAt } from '../support/scenario.js'
import { approver, operator, TestLedger } from './test-ledger.js'

const pure = (epsilon: string) => ({ mechanism: 'declared_pure', epsilon })
const system: Actor = { token: '', role: 'system', source: 'ledger' }
const http = { kind: 'http' } as const

const opened = (): TestLedger => {
  const ledger = new TestLedger()
  ledger.policy({ id: 'person' })
  return ledger
}

/** What a message of the topic leads to. */
const sent = (ledger: TestLedger, offset: number, wire: JsonObject, kind: 'spend' | 'report' | 'reserve' = 'spend') =>
  ledger.request(kind, wire, undefined, messageAt(offset))

const eventOf = (verdict: Verdict): BudgetEvent | undefined =>
  verdict.kind === 'recorded' ? verdict.events.at(-1) : undefined
const kindOf = (verdict: Verdict): string =>
  verdict.kind === 'rejected' ? verdict.code : (eventOf(verdict)?.type ?? verdict.kind)
const nextOf = ({ state }: TestLedger): bigint | undefined => state.offset('epsilon.spends', 0)?.next

const quarantined = (ledger: TestLedger, offset: number): number => {
  const message = { reason: 'JSON_INVALID', detail: 'no JSON', bytes: 3, key: null }
  ledger.submit({ kind: 'quarantine', actor: system, cause: messageAt(offset), message })
  return ledger.log.at(-1)?.seq ?? -1
}

test('a message is decided once: at an offset that is handled nothing is decided any more', () => {
  const ledger = opened()
  const wire = { id: '1', unit: 'u', ...pure('0.1') }
  expect(kindOf(sent(ledger, 5, wire))).toBe('SpendAccepted')
  expect(ledger.state.offset('epsilon.spends', 0)).toMatchObject({ next: 6n, digest: messageAt(5).digest })
  expect(sent(ledger, 5, wire)).toEqual({ kind: 'passed' })
  expect(sent(ledger, 4, { ...wire, id: '2' })).toEqual({ kind: 'passed' })
  expect(kindOf(sent(ledger, 6, wire))).toBe('replayed')
  expect(nextOf(ledger)).toBe(6n)
  expect(kindOf(sent(ledger, 9, { ...wire, id: '2' }))).toBe('SpendAccepted')
  expect(nextOf(ledger)).toBe(10n)
})

test('partitions and topics are handled apart', () => {
  const ledger = opened()
  sent(ledger, 5, { id: '1', unit: 'u', ...pure('0.1') })
  const elsewhere = [{ partition: 1 }, { topic: 'other' }].map((place) =>
    ledger.request('spend', { id: JSON.stringify(place), unit: 'u', ...pure('0.1') }, undefined, {
      ...messageAt(0),
      ...place,
    }),
  )
  expect(elsewhere.map(kindOf)).toEqual(['SpendAccepted', 'SpendAccepted'])
})

test('what asks for permission and can never get it is recorded with its code, and its id stays usable', () => {
  const ledger = opened()
  const [bare, conflict] = [
    sent(ledger, 0, { id: '1', ...pure('0.1') }),
    [sent(ledger, 1, { id: '2', unit: 'u', ...pure('0.1') }), sent(ledger, 2, { id: '2', unit: 'u', ...pure('0.2') })],
  ]
  expect(eventOf(bare)).toMatchObject({
    type: 'RequestInvalid',
    data: { source: 'trainer', id: '1', request: 'spend', status: 422, code: 'ATTRIBUTE_REQUIRED' },
  })
  expect(conflict.map(kindOf)).toEqual(['SpendAccepted', 'RequestInvalid'])
  expect(conflict.map(eventOf)).toMatchObject([{}, { data: { unit: 'u' } }])
  expect(eventOf(sent(ledger, 3, { id: '1', unit: 'u', ...pure('0.1') }))?.type).toBe('SpendAccepted')
  const settle = { actor: { ...operator, role: 'emitter', source: 'trainer', token: '' }, id: 'r', hash: 'h' } as const
  const release: Command = { kind: 'release', ...settle, reason: 'nothing ran', cause: messageAt(4) }
  expect(eventOf(ledger.submit(release))).toMatchObject({
    data: { request: 'release', code: 'NOT_FOUND', status: 404 },
  })
})

test('the same over HTTP is answered without a record', () => {
  const ledger = opened()
  expect(kindOf(ledger.spend({ id: '1', ...pure('0.1') }))).toBe('ATTRIBUTE_REQUIRED')
})

test('what may succeed later is not recorded, and neither is a report that cannot be accounted', () => {
  const ledger = opened()
  ledger.submit({ kind: 'halt', actor: operator, cause: http, scope: null, reason: 'a drill' })
  expect(kindOf(sent(ledger, 0, { id: '1', unit: 'u', ...pure('0.1') }))).toBe('HALTED')
  expect(kindOf(sent(ledger, 0, { id: '1', ...pure('0.1') }, 'report'))).toBe('ATTRIBUTE_REQUIRED')
  expect(kindOf(sent(ledger, 0, { id: '1', unit: 'u', ...pure('0.1') }, 'report'))).toBe('SpendReported')
  expect(nextOf(ledger)).toBe(1n)
})

test('the record of an invalid request fits, whatever it holds', () => {
  const wide = '\ud83d\ude00'.repeat(5_000)
  const problems = Array.from({ length: 50 }, () => ({ pointer: `/${wide}`, detail: wide }))
  const problem = { status: 422, code: 'INVALID', detail: `x${wide}`, errors: problems }
  const data = invalidRequest('spend', { source: `x${wide}`, id: wide }, problem)
  expect([data.detail.length, data.errors?.length, data.source.length]).toEqual([2_000, 20, 256])
  const header = { at: '2026-01-01T00:00:00.000Z', epoch: 0, prev: GENESIS_PREV, seq: 0, v: 1 }
  const record = { ...header, by: `emitter:${data.source}`, cause: messageAt(0), type: 'RequestInvalid', data }
  expect(() => encodeRecord(record)).not.toThrow()
  expect(cut(`a${wide}`, 2)).toBe('a\ufffd')
})

test('offsets without records move forward alone', () => {
  const ledger = opened()
  const offsets = (next: string): Verdict =>
    ledger.submit({
      kind: 'record-offsets',
      actor: system,
      cause: { kind: 'system' },
      topic: 'epsilon.spends',
      partition: 0,
      next,
      digest: null,
    })
  expect(kindOf(offsets('10'))).toBe('OffsetsRecorded')
  expect([offsets('10'), offsets('9')]).toEqual([{ kind: 'passed' }, { kind: 'passed' }])
  expect(sent(ledger, 9, { id: '1', unit: 'u', ...pure('0.1') })).toEqual({ kind: 'passed' })
  expect(kindOf(offsets('18446744073709551616'))).toBe('OffsetsRecorded')
  expect(nextOf(ledger)).toBe(2n ** 64n)
})

test('a quarantined message is resolved by a report of an operator, once', () => {
  const ledger = opened()
  const seq = quarantined(ledger, 7)
  expect([nextOf(ledger), ledger.state.unresolvedCount]).toEqual([8n, 1])
  const charge = (wire: JsonObject, of: number): Verdict => ledger.chargeQuarantined(of, wire)
  expect(kindOf(charge({ id: 'x', unit: 'u', ...pure('0.1') }, seq - 1))).toBe('NOT_FOUND')
  expect(eventOf(charge({ id: 'x', unit: 'u', ...pure('0.1') }, seq))).toMatchObject({ data: { quarantined: seq } })
  expect(ledger.state.unresolvedCount).toBe(0)
  expect(kindOf(charge({ id: 'x', unit: 'u', ...pure('0.1') }, seq))).toBe('replayed')
  expect(kindOf(charge({ id: 'y', unit: 'u', ...pure('0.1') }, seq))).toBe('NOT_FOUND')
  const other = quarantined(ledger, 8)
  expect(kindOf(charge({ id: 'x', unit: 'u', ...pure('0.1') }, other))).toBe('IDEMPOTENCY_CONFLICT')
  expect(ledger.state.unresolvedCount).toBe(1)
})

test('"no spend" takes two people', () => {
  const ledger = opened()
  const seq = quarantined(ledger, 0)
  const propose = (of: number): Command => ({
    kind: 'propose-dismissal',
    actor: operator,
    cause: http,
    quarantined: of,
    reason: 'a test',
  })
  const approve = (actor: Actor): Command => ({ kind: 'approve-dismissal', actor, cause: http, quarantined: seq })
  expect(kindOf(ledger.submit(propose(seq + 1)))).toBe('NOT_FOUND')
  expect(kindOf(ledger.submit(approve(approver)))).toBe('PROPOSAL_MISMATCH')
  expect(kindOf(ledger.submit(propose(seq)))).toBe('QuarantineDismissalProposed')
  expect(kindOf(ledger.submit(approve(operator)))).toBe('FORBIDDEN')
  expect(kindOf(ledger.submit(approve({ ...approver, token: operator.token })))).toBe('UNAUTHENTICATED')
  expect(ledger.state.unresolvedCount).toBe(1)
  expect(kindOf(ledger.submit(approve(approver)))).toBe('QuarantineDismissed')
  expect(kindOf(ledger.submit(approve(approver)))).toBe('NOT_FOUND')
  expect(ledger.state.unresolvedCount).toBe(0)
})

test('a partition goes on elsewhere only where two people say so, and from the place that they saw', () => {
  const ledger = opened()
  const place = { topic: 'epsilon.spends', partition: 0 }
  sent(ledger, 41, { id: '1', unit: 'u', ...pure('0.1') })
  const propose = (to: string): Command => ({
    kind: 'propose-reset',
    actor: operator,
    cause: http,
    ...place,
    to,
    reason: 'a new topic',
  })
  const approve = (to: string, actor = approver): Command => ({
    kind: 'approve-reset',
    actor,
    cause: http,
    ...place,
    to,
  })
  expect(kindOf(ledger.submit(approve('0')))).toBe('PROPOSAL_MISMATCH')
  expect(eventOf(ledger.submit(propose('0')))).toMatchObject({ data: { from: '42', to: '0' } })
  expect(nextOf(ledger)).toBe(42n)
  expect(kindOf(ledger.submit(approve('7')))).toBe('PROPOSAL_MISMATCH')
  expect(kindOf(ledger.submit(approve('0', operator)))).toBe('FORBIDDEN')
  expect(kindOf(ledger.submit(approve('0', { ...approver, token: operator.token })))).toBe('UNAUTHENTICATED')
  sent(ledger, 42, { id: '2', unit: 'u', ...pure('0.1') })
  expect(kindOf(ledger.submit(approve('0')))).toBe('PROPOSAL_MISMATCH')
  ledger.submit(propose('0'))
  expect(kindOf(ledger.submit(approve('0')))).toBe('TopicResetApproved')
  expect(ledger.state.offset('epsilon.spends', 0)).toMatchObject({ next: 0n, digest: null })
  expect(ledger.state.registry.resets).toMatchObject([{ from: '43', to: '0', approvedBy: approver.token }])
  expect(kindOf(sent(ledger, 0, { id: '2', unit: 'u', ...pure('0.1') }))).toBe('replayed')
})
