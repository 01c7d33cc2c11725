import { expect, test } from 'vitest'
import type { Outcome } from '../../src/application/ledger.js'
import type { Actor } from '../../src/budget/commands.js'
import type { EventType } from '../../src/budget/events.js'
import { firstOf, forged, type LooseRecord } from '../support/forge.js'
import { approver, messageAt, operator, Scenario, trainer } from '../support/scenario.js'
import { verifiedLines } from '../support/verified.js'
import { wholeLog } from '../support/whole-log.js'

const lines = wholeLog().then((ledger) => ledger.lines())

const HTTP = { kind: 'http' } as const
const MESSAGE = { ...messageAt(12), topic: 'others' }

/** Who is said to have asked for what. */
const IMPOSTORS: readonly (readonly [type: string, by: string, cause: string])[] = [
  ['LedgerOpened', 'operator:operator', 'http'],
  ['PolicySet', 'emitter:trainer', 'http'],
  ['PolicySet', 'operator:nobody', 'http'],
  ['PolicySet', 'system:ledger', 'system'],
  ['PolicySet', 'system:cli', 'cli'],
  ['PolicyProposed', 'approver:approver', 'http'],
  ['PolicyRemovalProposed', 'emitter:trainer', 'http'],
  ['PolicyApproved', 'operator:operator', 'http'],
  ['PolicyApproved', 'approver:nobody', 'http'],
  ['SpendAccepted', 'operator:operator', 'http'],
  ['SpendAccepted', 'operator:trainer', 'http'],
  ['SpendAccepted', 'system:ledger', 'system'],
  ['SpendRefused', 'auditor:trainer', 'http'],
  ['SpendReported', 'operator:trainer', 'http'],
  ['SpendPart', 'operator:trainer', 'http'],
  ['ReservationOpened', 'approver:trainer', 'http'],
  ['ReservationSettled', 'operator:trainer', 'http'],
  ['ReservationReleased', 'operator:trainer', 'http'],
  ['ReservationExpired', 'emitter:trainer', 'http'],
  ['Halted', 'emitter:trainer', 'http'],
  ['Resumed', 'approver:approver', 'http'],
  ['ClockConfirmed', 'emitter:trainer', 'http'],
  ['TokenCreated', 'emitter:nobody', 'http'],
  ['TokenCreated', 'system:cli', 'http'],
  ['TokenCreated', 'system:nobody', 'cli'],
  ['TokenRevoked', 'approver:approver', 'http'],
  ['SpendAccepted', 'emitter:trainer', 'cli'],
  ['PolicySet', 'operator:operator', 'kafka'],
  ['PolicySet', 'emitter:trainer', 'kafka'],
  ['PolicyApproved', 'approver:approver', 'kafka'],
  ['Halted', 'operator:operator', 'kafka'],
  ['TokenCreated', 'operator:operator', 'kafka'],
  ['TokenRevoked', 'operator:operator', 'kafka'],
  ['ClockConfirmed', 'operator:operator', 'kafka'],
  ['ReservationExpired', 'system:ledger', 'kafka'],
  ['LedgerOpened', 'system:ledger', 'kafka'],
  ['SpendAccepted', 'operator:trainer', 'kafka'],
  ['SpendAccepted', 'emitter', 'kafka'],
  ['RequestInvalid', 'emitter:trainer', 'http'],
  ['RequestInvalid', 'system:ledger', 'kafka'],
  ['MessageQuarantined', 'emitter:trainer', 'kafka'],
  ['MessageQuarantined', 'system:ledger', 'system'],
  ['MessageQuarantined', 'operator:operator', 'http'],
  ['QuarantineDismissalProposed', 'approver:approver', 'http'],
  ['QuarantineDismissed', 'operator:operator', 'http'],
  ['OffsetsRecorded', 'emitter:trainer', 'kafka'],
  ['OffsetsRecorded', 'operator:operator', 'http'],
  ['TopicResetProposed', 'approver:approver', 'http'],
  ['TopicResetApproved', 'operator:operator', 'http'],
  ['GapDeclared', 'operator:operator', 'http'],
  ['SpendPart', 'approver:approver', 'http'],
]

test.each(IMPOSTORS)('a %s by %s is found at its record', async (type, by, cause) => {
  let seq = -1
  const bytes = forged(await lines, (records) => {
    const record = firstOf(records, type)
    seq = records.indexOf(record)
    record.by = by
    record.cause = cause === 'kafka' ? { ...MESSAGE } : { kind: cause }
  })
  const { fault } = verifiedLines(bytes)
  expect(fault, fault?.message).toMatchObject({ code: 'NOT_AUTHORISED', seq })
})

const made = (records: readonly LooseRecord[], role: string, by: string) => {
  const token = firstOf(records, 'TokenCreated', (data) => data.role === role)
  return {
    ...token,
    by,
    cause: { kind: 'http' },
    data: { ...token.data, token: `another-${role}`, hash: 'cd'.repeat(32) },
  }
}

test.each([
  ['approver', 'operator:operator'],
  ['approver', 'emitter:nobody'],
  ['approver', 'emitter:trainer'],
  ['operator', 'approver:approver'],
  ['emitter', 'emitter:trainer'],
])('a token of an %s that was made by %s is found', async (role, by) => {
  const bytes = forged(await lines, (records) => {
    records.splice(4, 0, made(records, role, by))
  })
  expect(verifiedLines(bytes).fault).toMatchObject({ code: 'NOT_AUTHORISED', seq: 4 })
})

test.each([
  ['approver', 'approver:approver'],
  ['operator', 'operator:operator'],
  ['auditor', 'operator:operator'],
])('a token of an %s may be made by %s', async (role, by) => {
  const bytes = forged(await lines, (records) => {
    const token = made(records, role === 'auditor' ? 'operator' : role, by)
    records.splice(4, 0, { ...token, data: { ...token.data, role, source: `another ${role}` } })
  })
  expect(verifiedLines(bytes).fault).toBeUndefined()
})

test('only the first two tokens of a ledger come from the ledger itself', async () => {
  const own = { by: 'system:ledger', cause: { kind: 'system' } }
  const of = async (place: number) =>
    verifiedLines(forged(await lines, (records) => void Object.assign(records[place]!, own))).fault
  expect(await of(1)).toBeUndefined()
  expect(await of(2)).toBeUndefined()
  expect(await of(3)).toMatchObject({ code: 'NOT_AUTHORISED', seq: 3 })
  const third = forged(await lines, (records) => {
    records.splice(3, 0, { ...made(records, 'operator', own.by), cause: own.cause })
  })
  expect(verifiedLines(third).fault).toMatchObject({ code: 'NOT_AUTHORISED', seq: 3 })
})

test('an approval by another token than that of who asked is found', async () => {
  const bytes = forged(await lines, (records) => {
    const token = made(records, 'approver', 'approver:approver')
    records.splice(4, 0, { ...token, data: { ...token.data, source: 'somebody' } })
    firstOf(records, 'PolicyApproved').data.approvedBy = 'another-approver'
  })
  expect(verifiedLines(bytes).fault).toMatchObject({ code: 'NOT_AUTHORISED' })
})

const ROLES: readonly (readonly [role: string, actor: Actor, act: (ledger: Scenario) => Promise<Outcome>])[] = [
  ['emitter', trainer, (ledger) => ledger.spend({ id: 's', unit: 'u', mechanism: 'declared_pure', epsilon: '0.1' })],
  ['operator', operator, (ledger) => ledger.halt()],
  [
    'approver',
    approver,
    async (ledger) => {
      await ledger.policy({ id: 'person', scope: ['unit'], epsilon: '2' }, 1)
      return ledger.approve('person', 2)
    },
  ],
]

/** A ledger with one policy. */
const begun = async (): Promise<Scenario> => {
  const ledger = await Scenario.open()
  await ledger.policy({ id: 'person', scope: ['unit'], epsilon: '1' })
  return ledger.pass(60)
}

test.each(ROLES)('once the only token is revoked, the service records nothing for an %s', async (_, actor, act) => {
  const ledger = await begun()
  await ledger.revoke(actor.token)
  expect(await act(ledger)).toMatchObject({ kind: 'rejected', code: 'UNAUTHENTICATED' })
  expect(verifiedLines(await ledger.bytes()).fault).toBeUndefined()
})

const later = (at: string, ms: number): string => new Date(Date.parse(at) + ms).toISOString()

test.each(ROLES)('what an %s asked for is found where the only token was revoked before', async (_, actor, act) => {
  const ledger = await begun()
  await act(ledger)
  await ledger.revoke(actor.token)
  // The revocation comes first, and what was asked for at the same instant, or so many milliseconds later.
  for (const ms of [0, 1, 9_999]) {
    const bytes = forged(await ledger.lines(), (records) => {
      const [revoked] = records.splice(-1)
      records.splice(-1, 0, revoked!)
      const last = records.at(-1)!
      last.at = later(last.at, ms)
    })
    const { fault } = verifiedLines(bytes)
    expect(fault).toMatchObject({ code: 'NOT_AUTHORISED', seq: (await ledger.lines()).length - 1 })
  }
  expect(verifiedLines(await ledger.bytes()).fault).toBeUndefined()
})

test.each(ROLES)('another token of the same %s goes on', async (_, actor, act) => {
  const ledger = await begun()
  const second = { ...actor, token: 'second' }
  await ledger.token(second)
  await ledger.revoke(actor.token)
  expect(await act(ledger)).toMatchObject({ code: 'UNAUTHENTICATED' })
  const wire = { id: 's', unit: 'u', mechanism: 'declared_pure', epsilon: '0.1' }
  const outcome =
    actor === trainer
      ? await ledger.spend(wire, second)
      : actor === operator
        ? await ledger.submit({ kind: 'halt', actor: second, cause: HTTP, scope: null, reason: 'a drill' })
        : await ledger.submit({ kind: 'approve-policy', actor: second, cause: HTTP, id: 'person', version: 2 })
  expect(outcome).toMatchObject({ kind: 'answered' })
  expect(verifiedLines(await ledger.bytes()).fault).toBeUndefined()
})

test.each(ROLES)('what an %s asked for is found from the instant at which the token expired', async (role, _, act) => {
  const ledger = await begun()
  await act(ledger)
  const { at } = JSON.parse((await ledger.lines()).at(-1) ?? '')
  const expiring = async (expiresAt: string) =>
    verifiedLines(
      forged(await ledger.lines(), (records) => {
        firstOf(records, 'TokenCreated', (data) => data.role === role).data.expiresAt = expiresAt
      }),
    ).fault
  expect(await expiring(later(at, 1))).toBeUndefined()
  for (const ms of [0, -1]) {
    expect(await expiring(later(at, ms))).toMatchObject({
      code: 'NOT_AUTHORISED',
      seq: (await ledger.lines()).length - 1,
    })
  }
})

/** A log of everything that an emitter may ask for, as if it had come from a topic. */
const fromTopic = async (change: (records: LooseRecord[]) => void = () => undefined) =>
  verifiedLines(
    forged(await lines, (records) => {
      // No token of the source ever was: a topic needs none.
      const token = firstOf(records, 'TokenCreated', ({ role }) => role === 'emitter')
      token.data.source = 'somebody else'
      let offset = 0
      for (const record of records.filter(({ by, cause }) => by === 'emitter:trainer' && cause['kind'] === 'http')) {
        record.cause = { ...messageAt(offset), topic: 'others' }
        if (record.type !== 'SpendPart') offset++
      }
      change(records)
    }),
  )

const EMITTED: readonly EventType[] = [
  'SpendPart',
  'SpendAccepted',
  'SpendRefused',
  'SpendReported',
  'ReservationOpened',
  'ReservationRefused',
  'ReservationSettled',
  'ReservationReleased',
]

test('what came from a topic needs no token, but the source of its message', async () => {
  const { fault, replay } = await fromTopic()
  expect(fault).toBeUndefined()
  expect(replay.tally.kafkaRecords).toBeGreaterThan(8)
  for (const type of EMITTED) {
    const other = await fromTopic((records) => void Object.assign(firstOf(records, type), { by: 'emitter:other' }))
    expect(other.fault?.code, type).toBe('SOURCE_MISMATCH')
  }
  const overHttp = await fromTopic((records) => void Object.assign(firstOf(records, 'SpendAccepted'), { cause: HTTP }))
  expect(overHttp.fault).toMatchObject({ code: 'NOT_AUTHORISED' })
})

test('an operator may charge what a message spent, of however many units', async () => {
  const ledger = await begun()
  const units = Array.from({ length: 120 }, (_, index) => `many-${index}`)
  const seq = await ledger.quarantine(messageAt(0))
  const wire = { id: 'q', units, mechanism: 'declared_pure', epsilon: '0.1' }
  const outcome = await ledger.chargeQuarantined(seq, wire)
  expect(outcome).toMatchObject({ kind: 'answered', event: { type: 'SpendReported' } })
  expect(verifiedLines(await ledger.bytes()).fault).toBeUndefined()
  const bytes = forged(await ledger.lines(), (records) => {
    for (const record of records) if (record.data.id === 'q') record.by = 'emitter:trainer'
  })
  expect(verifiedLines(bytes).fault).toMatchObject({ code: 'NOT_AUTHORISED' })
})

test('units that an operator named are in no decision of an emitter', async () => {
  const bytes = forged(await lines, (records) => {
    firstOf(records, 'SpendPart').by = 'operator:operator'
  })
  expect(verifiedLines(bytes).fault).toMatchObject({ code: 'CAUSE_INVALID' })
})
