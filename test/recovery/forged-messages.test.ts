import { expect, test } from 'vitest'
import { parseRequest } from '../../src/budget/request.js'
import type { FaultCode } from '../../src/recovery/fault.js'
import { firstOf, forged, type LooseRecord } from '../support/forge.js'
import { LedgerProcess } from '../support/ledger-process.js'
import { messageAt, Scenario, trainer } from '../support/scenario.js'
import { verifiedLines } from '../support/verified.js'
import { wholeLog } from '../support/whole-log.js'

const lines = wholeLog().then((ledger) => ledger.lines())

/** What a forger changes about messages, and the code by which he is found at the record that he changed. */
type Forgery = readonly [what: string, code: FaultCode, change: (records: LooseRecord[]) => LooseRecord]

const offsetOf = ({ cause }: LooseRecord) => cause['offset']
/** The decision of a message. */
const answerTo = (records: readonly LooseRecord[], offset: number) => {
  const found = records.find((record) => offsetOf(record) === String(offset) && record.type !== 'SpendPart')
  if (found === undefined) throw new Error(`no record answers message ${offset}`)
  return found
}
const remove = (records: LooseRecord[], record: LooseRecord): void => void records.splice(records.indexOf(record), 1)

/** The same change of the cause of one record. */
const cause = (offset: number, change: object) => (records: LooseRecord[]) => {
  const record = answerTo(records, offset)
  record.cause = { ...record.cause, ...change }
  return record
}

/** The same change of the data of the first record of a type. */
const data = (type: string, change: object) => (records: LooseRecord[]) => {
  const record = firstOf(records, type)
  Object.assign(record.data, change)
  return record
}

const FORGERIES: readonly Forgery[] = [
  ['a message that is answered twice', 'OFFSET_REPEATED', cause(1, { offset: '0' })],
  ['a message that is answered after a later one', 'OFFSET_REPEATED', cause(4, { offset: '2' })],
  [
    'a message of a range that was recorded as handled',
    'OFFSET_REPEATED',
    (records) => {
      const record = firstOf(records, 'OffsetsRecorded')
      const quarantined = answerTo(records, 9)
      remove(records, record)
      records.splice(records.indexOf(quarantined), 0, record)
      return quarantined
    },
  ],
  ['offsets that go back', 'OFFSET_REPEATED', data('OffsetsRecorded', { next: '9' })],
  ['offsets that are none', 'EVENT_MALFORMED', data('OffsetsRecorded', { next: '1e3' })],
  ['a digest that is none', 'EVENT_MALFORMED', data('OffsetsRecorded', { digest: 'x' })],
  ['an offset that is a number', 'CAUSE_INVALID', cause(0, { offset: 0 })],
  ['an offset below the first', 'CAUSE_INVALID', cause(0, { offset: '-1' })],
  ['a message without a digest', 'CAUSE_INVALID', cause(0, { digest: '' })],
  ['a partition that is none', 'CAUSE_INVALID', cause(0, { partition: -1 })],
  ['a topic that is none', 'CAUSE_INVALID', cause(0, { topic: 'a b' })],
  ['a cause that says more', 'CAUSE_INVALID', cause(0, { note: 'anything' })],
  ['a transaction that is denied', 'CAUSE_INVALID', cause(0, { transactional: false })],
  [
    'a cause that nobody knows',
    'CAUSE_INVALID',
    (records) => {
      const record = answerTo(records, 0)
      record.cause = { kind: 'pigeon' }
      return record
    },
  ],
  [
    'a halt by a message',
    'NOT_AUTHORISED',
    (records) => {
      const record = firstOf(records, 'Halted')
      record.cause = answerTo(records, 0).cause
      return record
    },
  ],
  [
    'an invalid request over HTTP',
    'NOT_AUTHORISED',
    (records) => {
      const record = firstOf(records, 'RequestInvalid')
      record.cause = { kind: 'http' }
      return record
    },
  ],
  [
    'a part of another message',
    'CAUSE_INVALID',
    (records) => {
      const record = answerTo(records, 2)
      const part = records[records.indexOf(record) - 1] as LooseRecord
      part.cause = { ...part.cause, offset: '3' }
      return record
    },
  ],
  ['an invalid request of another source', 'SOURCE_MISMATCH', data('RequestInvalid', { source: 'somebody' })],
  ['an invalid request with another status', 'EVENT_MALFORMED', data('RequestInvalid', { status: 404 })],
  [
    'an invalid request that was only unavailable',
    'EVENT_MALFORMED',
    data('RequestInvalid', { code: 'HALTED', status: 503 }),
  ],
  ['an invalid request with a code that nobody knows', 'EVENT_MALFORMED', data('RequestInvalid', { code: 'NO' })],
  ['an invalid report', 'EVENT_MALFORMED', data('RequestInvalid', { request: 'report' })],
  [
    'a problem with more members',
    'EVENT_MALFORMED',
    data('RequestInvalid', { errors: [{ pointer: '', detail: '', why: '' }] }),
  ],
  ['a quarantine without a size', 'EVENT_MALFORMED', data('MessageQuarantined', { bytes: -1 })],
  [
    'a quarantine by an operator',
    'NOT_AUTHORISED',
    (records) => {
      const record = firstOf(records, 'MessageQuarantined')
      record.by = 'operator:operator'
      return record
    },
  ],
  [
    'a charge for a message that is resolved',
    'QUARANTINE_INVALID',
    (records) => {
      const record = firstOf(records, 'QuarantineDismissalProposed')
      record.data.quarantined = answerTo(records, 3).seq
      return record
    },
  ],
  [
    'a charge for a record that is no message',
    'QUARANTINE_INVALID',
    (records) => {
      const record = firstOf(records, 'SpendReported', ({ quarantined }) => quarantined !== undefined)
      record.data.quarantined = answerTo(records, 0).seq
      return record
    },
  ],
  [
    'a charge in the name of a source, without the message',
    'SOURCE_MISMATCH',
    (records) => {
      const record = firstOf(records, 'SpendReported', ({ quarantined }) => quarantined !== undefined)
      delete record.data.quarantined
      record.by = 'emitter:somebody'
      record.cause = { ...answerTo(records, 9).cause, offset: '30' }
      return record
    },
  ],
  [
    'a quarantined message that an emitter resolves',
    'NOT_AUTHORISED',
    (records) => {
      const record = firstOf(records, 'SpendReported', ({ quarantined }) => quarantined !== undefined)
      record.by = 'emitter:trainer'
      return record
    },
  ],
  [
    'a quarantined message that a message resolves',
    'NOT_AUTHORISED',
    (records) => {
      const record = firstOf(records, 'SpendReported', ({ quarantined }) => quarantined !== undefined)
      record.cause = { ...answerTo(records, 9).cause, offset: '30' }
      return record
    },
  ],
  [
    'a dismissal that nobody proposed',
    'QUARANTINE_INVALID',
    (records) => {
      remove(records, firstOf(records, 'QuarantineDismissalProposed'))
      return firstOf(records, 'QuarantineDismissed')
    },
  ],
  [
    'a dismissal of another message',
    'QUARANTINE_INVALID',
    (records) => {
      const record = firstOf(records, 'QuarantineDismissed')
      record.data.quarantined = answerTo(records, 9).seq
      return record
    },
  ],
  ['a dismissal by one person', 'APPROVAL_INVALID', data('QuarantineDismissed', { approvedBy: 'operator-1' })],
  ['a dismissal by nobody', 'APPROVAL_INVALID', data('QuarantineDismissed', { approvedBy: 'somebody' })],
  [
    'a dismissal that an operator approves',
    'NOT_AUTHORISED',
    (records) => {
      const record = firstOf(records, 'QuarantineDismissed')
      record.by = 'operator:operator'
      return record
    },
  ],
  [
    'a reset that nobody proposed',
    'RESET_INVALID',
    (records) => {
      remove(records, firstOf(records, 'TopicResetProposed'))
      return firstOf(records, 'TopicResetApproved')
    },
  ],
  ['a reset to another place', 'RESET_INVALID', data('TopicResetApproved', { to: '101' })],
  ['a reset of less than was given up', 'RESET_INVALID', data('TopicResetProposed', { from: '50' })],
  ['a reset to no place', 'EVENT_MALFORMED', data('TopicResetProposed', { to: 'end' })],
  ['a reset by one person', 'APPROVAL_INVALID', data('TopicResetApproved', { approvedBy: 'operator-1' })],
  [
    'a message from below a reset',
    'OFFSET_REPEATED',
    (records) => {
      const record = answerTo(records, 100)
      record.cause = { ...record.cause, offset: '99' }
      return record
    },
  ],
  [
    'a gap within an epoch',
    'GAP_INVALID',
    (records) => {
      const gap = records.pop() as LooseRecord
      const last = records.at(-1) as LooseRecord
      const second = { ...gap, epoch: last.epoch }
      records.push(second)
      return second
    },
  ],
  [
    'a spend whose decision was lost before anything was',
    'CAUSE_INVALID',
    (records) => {
      const record = firstOf(records, 'SpendReported', ({ id }) => id === 'rep-1')
      record.data.undecided = true
      record.data.hash = parseRequest('spend', { ...record.data.spend, id: 'rep-1' }, 'trainer').hash
      return record
    },
  ],
]

test.each(FORGERIES)('chained anew, %s is found as %s', async (_, code, change) => {
  let seq = -1
  const bytes = forged(await lines, (records) => {
    const changed = change(records)
    seq = records.indexOf(changed)
  })
  const { fault } = verifiedLines(bytes)
  expect(fault, fault?.message).toMatchObject({ code, seq })
})

/** A recovery that charges two messages whose decisions nobody knows. */
const recovered = async (lost: number): Promise<readonly string[]> => {
  const scenario = await Scenario.open()
  await scenario.policy({ id: 'person', scope: ['unit'], epsilon: '1' })
  await scenario.declareGap({ lost, before: 2 })
  const { ledger } = await LedgerProcess.open(scenario.store)
  const body = { unit: 'u', mechanism: 'declared_pure', epsilon: '0.4' }
  const outcomes = await ledger.ingest([
    { request: 'spend', source: 'trainer', wire: { ...body, id: 's' }, cause: messageAt(0) },
    {
      request: 'reserve',
      source: 'nobody',
      wire: { ...body, id: 'r', expiresInSeconds: 60 },
      cause: messageAt(1),
    },
  ])
  expect(outcomes.map(({ kind }) => kind)).toEqual(['decided', 'decided'])
  return scenario.lines()
}

test('what a recovery charges verifies, and needs no token of the source', async () => {
  const log = Buffer.from(`${(await recovered(5)).join('\n')}\n`)
  const { fault, replay } = verifiedLines(log)
  expect(fault, fault?.message).toBeUndefined()
  expect(replay.state.counts.get('SpendReported')).toBe(2)
  expect(replay.state.balance({ policy: 'person', generation: 1, key: 'u' })?.spent.finite[0]).toBe(8n * 10n ** 14n)
})

test.each<[string, FaultCode, (record: LooseRecord) => void]>([
  ['that was decided after all', 'REQUEST_HASH_MISMATCH', ({ data }) => delete data.undecided],
  ['that is not undecided', 'EVENT_MALFORMED', ({ data }) => Object.assign(data, { undecided: false })],
  ['that came over HTTP', 'CAUSE_INVALID', (record) => Object.assign(record, { cause: { kind: 'http' } })],
  ['of a later message', 'CAUSE_INVALID', (record) => Object.assign(record.cause, { offset: '2' })],
])('chained anew, a charge of a recovery %s is found as %s', async (_, code, change) => {
  const log = await recovered(0)
  const bytes = forged(log, (records) => change(firstOf(records, 'SpendReported')))
  const { fault } = verifiedLines(bytes)
  expect(fault, fault?.message).toMatchObject({ code })
})

test.each<[string, FaultCode, (gap: LooseRecord) => void]>([
  ['names no message', 'CAUSE_INVALID', ({ data }) => delete data.undecided],
  ['names no offset', 'EVENT_MALFORMED', ({ data }) => Object.assign(data.undecided[0], { before: -1 })],
  ['says more', 'EVENT_MALFORMED', ({ data }) => Object.assign(data.undecided[0], { after: '0' })],
])('chained anew, a recovery that %s is found as %s', async (_, code, change) => {
  const bytes = forged(await recovered(0), (records) => change(firstOf(records, 'GapDeclared')))
  const { fault } = verifiedLines(bytes)
  expect(fault, fault?.message).toMatchObject({ code })
})

test('a permit for a message whose decision was lost is found', async () => {
  const bytes = forged(await recovered(0), (records) => {
    const charged = firstOf(records, 'SpendReported')
    charged.type = 'SpendAccepted'
    delete charged.data.undecided
    delete charged.data.violations
  })
  expect(verifiedLines(bytes).fault).toMatchObject({ code: 'UNDECIDED_NOT_CHARGED' })
})

test('a permit before all lost decisions are charged is found', async () => {
  const scenario = await Scenario.open()
  await scenario.policy({ id: 'person', scope: ['unit'], epsilon: '1' })
  await scenario.declareGap({ before: 2 })
  const wire = { unit: 'u', mechanism: 'declared_pure', epsilon: '0.4' }
  await scenario.spend({ ...wire, id: 'lost' }, { ...trainer, token: '' }, messageAt(1))
  await scenario.spend({ ...wire, id: 'later' })
  const lines = await scenario.lines()
  expect(verifiedLines(Buffer.from(`${lines.join('\n')}\n`)).fault).toBeUndefined()
  const bytes = forged(lines, (records) => {
    const lost = records.findIndex(({ data }) => data.id === 'lost')
    const [charge] = records.splice(lost, 1) as [LooseRecord]
    const permit = records[lost] as LooseRecord
    for (const one of [charge, permit]) delete one.data.after
    records.push(charge)
  })
  const { fault } = verifiedLines(bytes)
  expect(fault).toMatchObject({ code: 'UNDECIDED_NOT_CHARGED' })
  expect(fault?.message).toContain('decided too early')
})
