import { expect, test } from 'vitest'
import { EVENT_KINDS } from '../support/event-kinds.js'
import { firstOf, forged } from '../support/forge.js'
import { Scenario } from '../support/scenario.js'
import { verifiedBlocks, verifiedLines } from '../support/verified.js'
import { wholeLog } from '../support/whole-log.js'

test('a log with every kind of record verifies from its records alone', async () => {
  const ledger = await wholeLog()
  const head = await ledger.store.head()
  const verification = verifiedLines(await ledger.bytes(), head?.leaf)
  expect(verification.fault).toBeUndefined()
  expect(verification.replay.violations.items).toEqual([])
  expect(verification.headChecked).toBe(true)
  expect(verification.head).toMatchObject({ seq: head?.seq, leaf: head?.leaf })
  expect(verification.size).toBe((head?.seq ?? 0) + 1)
  expect([...verification.replay.state.counts.keys()].sort()).toEqual(EVENT_KINDS)
})

test('blocks of a store and lines of a file verify alike', async () => {
  const ledger = await wholeLog()
  const blocks = await verifiedBlocks(ledger.store)
  const lines = verifiedLines(await ledger.bytes(), blocks.head?.leaf)
  expect({ ...blocks, replay: undefined }).toEqual({ ...lines, replay: undefined })
})

test('a log that lost its last record is whole from inside, and the head tells', async () => {
  const ledger = await wholeLog()
  const lines = await ledger.lines()
  const cut = Buffer.from(`${lines.slice(0, -1).join('\n')}\n`)
  expect(verifiedLines(cut)).toMatchObject({ fault: undefined, headChecked: false })
  expect(verifiedLines(cut, (await ledger.store.head())?.leaf).fault).toMatchObject({ code: 'HEAD_MISMATCH' })
})

test('a log that breaks off inside a record is named at that record', async () => {
  const bytes = await (await wholeLog()).bytes()
  expect(verifiedLines(bytes.subarray(0, bytes.length - 1)).fault?.code).toBe('RECORD_UNREADABLE')
})

test('no record at all is no ledger', () => {
  expect(verifiedLines(Buffer.alloc(0)).fault).toMatchObject({ code: 'LEDGER_NOT_OPENED', seq: 0 })
})

test('a report beyond a guarantee is a violation on record, and the log is sound', async () => {
  const ledger = await Scenario.open()
  await ledger.policy({ id: 'person', scope: ['unit'], epsilon: '1' })
  await ledger.spend({ id: 's', unit: 'u', mechanism: 'declared_pure', epsilon: '0.9' })
  await ledger.report({ id: 'r', unit: 'u', mechanism: 'declared_pure', epsilon: '0.2' })
  const { fault, replay } = verifiedLines(await ledger.bytes())
  expect(fault).toBeUndefined()
  expect(replay.violations.items).toMatchObject([
    { seq: 6, code: 'REPORT_BEYOND_CAP', subject: 'person', key: 'u', budgets: 1 },
  ])
  expect(replay.violations.items[0]?.detail).toBe(
    'policy person version 1: row eps: 0.9 spent or reserved and 0.2 asked for, of a cap of 1',
  )
})

test('a report beyond a quota is a notice, not a violation', async () => {
  const ledger = await Scenario.open()
  await ledger.policy({ id: 'daily', scope: ['unit'], epsilon: '1', role: 'quota', window: 'day' })
  await ledger.report({ id: 'r', unit: 'u', mechanism: 'declared_pure', epsilon: '2' })
  const { fault, replay } = verifiedLines(await ledger.bytes())
  expect(fault).toBeUndefined()
  expect(replay.violations.count).toBe(0)
  expect(replay.notices.items).toMatchObject([{ seq: 5, code: 'REPORT_BEYOND_QUOTA' }])
})

test('noise that was used twice is a violation; after a release it may be used', async () => {
  const ledger = await Scenario.open()
  await ledger.policy({ id: 'person', scope: ['unit'], epsilon: '1' })
  const body = { unit: 'u', mechanism: 'declared_pure', epsilon: '0.1' }
  const noise = (stream: string, from: number, to: number) => ({ noise: { stream, from: `${from}`, to: `${to}` } })
  await ledger.spend({ id: '1', ...body, ...noise('a', 0, 9) })
  await ledger.spend({ id: '2', ...body, ...noise('b', 0, 9) })
  await ledger.reserve({ id: '3', ...body, ...noise('a', 10, 19), expiresInSeconds: 9 })
  await ledger.release('3')
  await ledger.spend({ id: '4', ...body, ...noise('a', 10, 19) })
  expect(verifiedLines(await ledger.bytes()).replay.violations.count).toBe(0)
  await ledger.spend({ id: '5', ...body, ...noise('a', 9, 9) })
  const { fault, replay } = verifiedLines(await ledger.bytes())
  expect(fault).toBeUndefined()
  expect(replay.violations.items).toMatchObject([{ code: 'NOISE_REUSED', subject: 'a' }])
  expect(replay.violations.items[0]?.detail).toContain('of which record 5 used 0 to 9')
})

test('parts without their decision charge nothing, and are noticed', async () => {
  const ledger = await wholeLog()
  const bytes = forged(await ledger.lines(), (records) => {
    const part = firstOf(records, 'SpendPart')
    const confirmed = firstOf(records, 'ClockConfirmed')
    // Before the emitter's token is revoked.
    const end = records.indexOf(firstOf(records, 'TokenRevoked'))
    const { at } = records[end]!
    records.splice(end, 0, { ...part, at, data: { ...part.data, id: 'lost' } }, { ...confirmed, at })
  })
  const { fault, replay } = verifiedLines(bytes)
  expect(fault).toBeUndefined()
  expect(replay.notices.countOf('PARTS_VOIDED')).toBe(1)
})

test('of two bad records the first is named, whichever check finds it', async () => {
  const ledger = await wholeLog()
  const bytes = forged(await ledger.lines(), (records) => {
    const policy = records.find(({ type }) => type === 'PolicySet')
    if (policy !== undefined) policy.data.policy.caps.eps = '9000000000000000'
  })
  const feed = bytes.lastIndexOf(10, bytes.length - 2)
  bytes[feed + 20] = (bytes[feed + 20] ?? 0) ^ 1
  expect(verifiedLines(bytes)).toMatchObject({ fault: { code: 'CAP_TOO_HIGH', seq: 4 }, size: 4 })
})
