import { beforeAll, expect, test } from 'vitest'
import type { Outcome } from '../../src/application/ledger.js'
import { answerOf } from '../../src/budget/answer.js'
import type { Prior } from '../../src/budget/context.js'
import type { Answered } from '../../src/budget/decider.js'
import { eventOf } from '../../src/budget/event-of.js'
import type { SpendPart } from '../../src/budget/events.js'
import { replyOf } from '../../src/http/answer.js'
import { readCloudEvent } from '../../src/kafka/cloud-event.js'
import { decisionMessage } from '../../src/kafka/decision-message.js'
import { headerValues } from '../../src/kafka/wire-message.js'
import { LEDGER, run } from '../docs/example-ledger.js'
import { runOfTopics } from '../docs/example-topics.js'
import { sentAndReceived } from '../support/client-wire.js'
import { type Decided, decisionsOf } from '../support/decisions.js'

let decided: readonly Decided[]
beforeAll(async () => {
  decided = [...decisionsOf(await run()), ...decisionsOf(await runOfTopics())]
})

const byType = (type: string, id?: string): Decided => {
  const found = decided.find(
    ({ example: { record } }) => record.type === type && (id === undefined || record.data['id'] === id),
  )
  if (found === undefined) throw new Error(`no ${type}`)
  return found
}

const messageOf = ({ decision, registry }: Decided, sending = { head: 99 }) =>
  decisionMessage(decision, registry, sending)
const sent = (one: Decided, sending?: { head: number; repeat?: boolean }) => {
  const message = messageOf(one, sending)
  if (message === undefined) throw new Error(`${one.example.record.type} is no decision`)
  return sentAndReceived(message)
}
const dataOf = (one: Decided): Record<string, unknown> => JSON.parse(String(sent(one).value))
const textOf = (one: Decided, header: string): string => String(headerValues(sent(one), header)[0])

const DECISIONS = [
  'SpendAccepted',
  'SpendRefused',
  'SpendReported',
  'ReservationOpened',
  'ReservationRefused',
  'ReservationSettled',
  'ReservationReleased',
  'RequestInvalid',
]

test('exactly the records that answer a request are decisions', () => {
  const types = decided.filter((one) => messageOf(one) !== undefined).map(({ example }) => example.record.type)
  expect([...new Set(types)].sort()).toEqual([...DECISIONS].sort())
  expect(decided.length).toBeGreaterThan(types.length)
})

test.each(DECISIONS)('a decision of %s is a CloudEvent in binary mode that says its record', (type) => {
  const one = byType(type)
  const { record } = one.example
  expect(readCloudEvent(sent(one))).toEqual({
    kind: 'event',
    event: {
      id: `0-${record.seq}`,
      source: `/ledgers/${LEDGER}`,
      type: 'epsilon.decision.v1',
      subject: record.data['id'],
      time: record.at,
      data: dataOf(one),
    },
  })
  expect(textOf(one, 'head')).toBe('99')
})

test.each(DECISIONS)(
  'the data of %s are the answer over HTTP, whose request it was, and what made the record',
  (type) => {
    const one = byType(type)
    const { record, leaf } = one.example
    const { spend, cause, ...answer } = dataOf(one)
    expect(spend).toEqual({ source: record.data['source'], id: record.data['id'] })
    expect(cause).toEqual(record.cause)
    const { parts } = one.decision
    const receipt = { ledger: LEDGER, epoch: 0, seq: record.seq, leaf }
    const outcome: Answered = { kind: 'answered', event: eventOf(record), parts, receipt, replayed: false }
    const shown = { shown: () => answerOf(outcome.event, parts, receipt, one.registry) ?? {} }
    expect(answer).toEqual(replyOf(outcome as Outcome, 201, shown as never).body)
    expect(answer['decision']).toBe(
      { SpendRefused: 'refused', ReservationRefused: 'refused', RequestInvalid: 'invalid' }[type] ?? 'accepted',
    )
  },
)

test('an invalid request has the code and the detail of HTTP', () => {
  const { record } = byType('RequestInvalid').example
  const { status, code, detail } = record.data
  expect(dataOf(byType('RequestInvalid'))).toMatchObject({ decision: 'invalid', status, code, detail })
})

test('the decision of a request that can never be decided lies where those about its unit lie', () => {
  const { example, registry } = byType('RequestInvalid')
  const { record, leaf } = example
  const keyOf = (data: object, opened?: Pick<Prior, 'event' | 'parts'>): string => {
    const named = { ...record, data: { ...record.data, ...data } }
    return String(
      decisionMessage({ record: named, leaf, parts: [], ...(opened && { opened }) }, registry, { head: 0 })?.key,
    )
  }
  expect(keyOf({ unit: 'u-18' })).toBe('u-18')
  const { record: opening, parts } = byType('ReservationOpened', 'train-7').decision
  expect(keyOf({ request: 'settle', id: 'train-7' }, { event: eventOf(opening), parts })).toBe('u-20')
  expect(keyOf({ request: 'settle', id: 'nobody-knows-it' })).toBe('nobody-knows-it')
})

test.each([
  ['SpendAccepted', 'weekly-42', 'u-17'],
  ['SpendAccepted', 'census-1', 'm100'],
  ['SpendRefused', 'weekly-43', 'u-17'],
  ['SpendReported', 'old-export', 'u-17'],
  ['ReservationOpened', 'train-7', 'u-20'],
  ['ReservationRefused', 'train-8', 'u-20'],
  ['ReservationSettled', 'train-7', 'u-20'],
  ['ReservationReleased', 'train-9', 'u-21'],
  ['RequestInvalid', 'weekly-45', 'weekly-45'],
])('the key of %s %s is %s: its first unit, or its id where the record names none', (type, id, key) => {
  expect(String(sent(byType(type, id)).key)).toBe(key)
})

test('the key of a spend over many units that were partly left out is a unit that pays', () => {
  const one = byType('SpendAccepted', 'census-1')
  const dropped: SpendPart = { source: 'trainer', id: 'census-1', part: 0, units: [], dropped: ['m099'] }
  const parts = [dropped, ...one.decision.parts]
  expect(String(sent({ ...one, decision: { ...one.decision, parts } }).key)).toBe('m100')
})

test('a closed reservation whose opening is not known keeps its id as key', () => {
  const { opened: _, ...decision } = byType('ReservationSettled').decision
  expect(String(sent({ ...byType('ReservationSettled'), decision }).key)).toBe('train-7')
})

test('a repeat is the same event, and says that it is one', () => {
  const one = byType('SpendAccepted')
  const [first, repeat] = [sent(one), sent(one, { head: 1_000, repeat: true })]
  expect(repeat.value).toEqual(first.value)
  expect(repeat.key).toEqual(first.key)
  expect(readCloudEvent(repeat)).toEqual(readCloudEvent(first))
  expect(headerValues(first, 'epsilon_repeat')).toEqual([])
  expect(headerValues(repeat, 'epsilon_repeat').map(String)).toEqual(['true'])
  expect(headerValues(repeat, 'head').map(String)).toEqual(['1000'])
})

test('a later epoch has other ids', () => {
  const one = byType('SpendAccepted')
  const later = { ...one, decision: { ...one.decision, record: { ...one.example.record, epoch: 3 } } }
  expect(textOf(later, 'ce_id')).toBe(`3-${one.example.record.seq}`)
  expect(dataOf(later)).toMatchObject({ receipt: { epoch: 3 } })
})
