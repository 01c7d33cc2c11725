import { expect, test } from 'vitest'
import type { Actor } from '../../src/budget/commands.js'
import { firstOf, forged, type LooseRecord } from '../support/forge.js'
import { approver, operator, Scenario, trainer } from '../support/scenario.js'
import { verifiedLines } from '../support/verified.js'
import { wholeLog } from '../support/whole-log.js'

const lines = wholeLog().then((ledger) => ledger.lines())

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
]

test.each(IMPOSTORS)('a %s by %s is found at its record', async (type, by, cause) => {
  let seq = -1
  const bytes = forged(await lines, (records) => {
    const record = firstOf(records, type)
    seq = records.indexOf(record)
    record.by = by
    record.cause = { kind: cause }
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
})

test('an approval by another token than that of who asked is found', async () => {
  const bytes = forged(await lines, (records) => {
    const token = made(records, 'approver', 'approver:approver')
    records.splice(4, 0, { ...token, data: { ...token.data, source: 'somebody' } })
    firstOf(records, 'PolicyApproved').data.approvedBy = 'another-approver'
  })
  expect(verifiedLines(bytes).fault).toMatchObject({ code: 'NOT_AUTHORISED' })
})

const ROLES: readonly (readonly [role: string, actor: Actor, act: (ledger: Scenario) => Promise<unknown>])[] = [
  ['emitter', trainer, (ledger) => ledger.spend({ id: 's', unit: 'u', mechanism: 'declared_pure', epsilon: '0.1' })],
  ['operator', operator, (ledger) => ledger.halt()],
  [
    'approver',
    approver,
    async (ledger) => {
      await ledger.policy({ id: 'person', scope: ['unit'], epsilon: '2' }, 1)
      await ledger.approve('person', 2)
    },
  ],
]

test.each(ROLES)('what an %s asks for after the only token is revoked is found', async (_, actor, act) => {
  const ledger = await Scenario.open()
  await ledger.policy({ id: 'person', scope: ['unit'], epsilon: '1' })
  await ledger.revoke(actor.token)
  await act(ledger.pass(11))
  const { fault } = verifiedLines(await ledger.bytes())
  expect(fault?.code).toMatch(/^(NOT_AUTHORISED|APPROVAL_INVALID)$/)
  expect(fault?.seq).toBe((await ledger.lines()).length - 1)
})

test.each(ROLES)('another token of the same %s goes on', async (_, actor, act) => {
  const ledger = await Scenario.open()
  await ledger.policy({ id: 'person', scope: ['unit'], epsilon: '1' })
  await ledger.token({ ...actor, token: 'second' })
  await ledger.revoke('emitter-1')
  await act(ledger.pass(11))
  expect(verifiedLines(await ledger.bytes()).fault).toBeUndefined()
})

test('a spend with a token that expired is found, and one that waited for its costs is not', async () => {
  const ledger = await Scenario.open()
  await ledger.policy({ id: 'person', scope: ['unit'], epsilon: '1' })
  await ledger.pass(60).spend({ id: 's', unit: 'u', mechanism: 'declared_pure', epsilon: '0.1' })
  const expiring = async (expiresAt: string) =>
    verifiedLines(
      forged(await ledger.lines(), (records) => {
        firstOf(records, 'TokenCreated', ({ role }) => role === 'emitter').data.expiresAt = expiresAt
      }),
    ).fault
  const at = Date.parse(JSON.parse((await ledger.lines()).at(-1) ?? '').at)
  expect(await expiring(new Date(at - 9_999).toISOString())).toBeUndefined()
  expect(await expiring(new Date(at - 10_000).toISOString())).toMatchObject({ code: 'NOT_AUTHORISED', seq: 5 })
})
