import { expect, test } from 'vitest'
import { digestOf } from '../../src/budget/parts.js'
import { hashOf, parseRequest } from '../../src/budget/request.js'
import type { FaultCode } from '../../src/recovery/fault.js'
import { firstOf, forged, type LooseRecord } from '../support/forge.js'
import { Scenario } from '../support/scenario.js'
import { verifiedLines } from '../support/verified.js'
import { wholeLog } from '../support/whole-log.js'

/** What a forger changes, and the code by which he is found at the record that he changed. */
type Forgery = readonly [what: string, code: FaultCode, change: (records: LooseRecord[]) => LooseRecord]

const spendNamed = (records: LooseRecord[], id: string) =>
  records.find(({ data }) => data.id === id && data.spend !== undefined)!

/** Changes what was asked for, and makes its hash right again. */
const asked = (record: LooseRecord, change: (spend: LooseRecord['data']) => void) => {
  change(record.data.spend)
  record.data.hash = parseRequest('spend', { ...record.data.spend, id: record.data.id }, record.data.source).hash
  return record
}

const personPolicy = (records: LooseRecord[]) => firstOf(records, 'PolicySet', ({ policy }) => policy.id === 'person')

const FORGERIES: readonly Forgery[] = [
  [
    'a lower cost',
    'COST_TOO_LOW',
    (records) => {
      const record = spendNamed(records, 'a-1')
      record.data.charges[0].cost.eps = '1'
      return record
    },
  ],
  [
    'a higher cost',
    'COST_MISMATCH',
    (records) => {
      const record = spendNamed(records, 'a-1')
      record.data.charges[0].cost.eps = '900000000000000'
      return record
    },
  ],
  [
    'a raised cap',
    'CAP_TOO_HIGH',
    (records) => {
      const record = personPolicy(records)
      record.data.policy.caps.eps = '1000000000000001'
      return record
    },
  ],
  [
    'an order that the terms do not have',
    'POLICY_MISMATCH',
    (records) => {
      const record = firstOf(records, 'PolicySet', ({ policy }) => policy.id === 'training')
      record.data.policy.or.pop()
      return record
    },
  ],
  [
    'a policy that is raised without a second person',
    'POLICY_RAISED_ALONE',
    (records) => {
      const record = firstOf(records, 'PolicySet', ({ policy }) => policy.version === 2)
      record.data.policy.epsilon = '2'
      record.data.policy.caps.eps = '2000000000000000'
      return record
    },
  ],
  [
    'an approval by the token that proposed',
    'APPROVAL_INVALID',
    (records) => {
      const record = firstOf(records, 'PolicyApproved')
      record.data.approvedBy = 'operator-1'
      return record
    },
  ],
  [
    'an approval by nobody',
    'APPROVAL_INVALID',
    (records) => {
      const record = firstOf(records, 'PolicyApproved')
      record.data.approvedBy = 'somebody'
      return record
    },
  ],
  [
    'sums that are too low',
    'SUM_MISMATCH',
    (records) => {
      const record = spendNamed(records, 'a-2')
      record.data.after[0].spent.eps = '1'
      return record
    },
  ],
  [
    'sums of fewer budgets',
    'SUM_MISMATCH',
    (records) => {
      const record = spendNamed(records, 'a-2')
      record.data.after.pop()
      return record
    },
  ],
  [
    'a unit that is left out of the request',
    'REQUEST_HASH_MISMATCH',
    (records) => {
      const record = spendNamed(records, 'a-2')
      record.data.spend.units.pop()
      return record
    },
  ],
  [
    'a unit that is left out, with a hash to match',
    'SUM_MISMATCH',
    (records) => asked(spendNamed(records, 'a-2'), (spend) => spend.units.pop()),
  ],
  [
    'a unit that is dropped though it can pay',
    'DROP_UNFOUNDED',
    (records) => {
      const record = spendNamed(records, 'a-5')
      record.data.dropped.push('u-3')
      return record
    },
  ],
  [
    'a unit that is dropped though nobody allowed it',
    'DROP_UNFOUNDED',
    (records) => {
      const record = spendNamed(records, 'a-2')
      record.data.dropped = ['u-2']
      return record
    },
  ],
  [
    'a policy that is not charged',
    'CHARGE_MISMATCH',
    (records) => {
      const record = spendNamed(records, 'a-1')
      record.data.charges.pop()
      return record
    },
  ],
  [
    'an attribute left out to avoid a budget',
    'CHARGE_MISMATCH',
    (records) => asked(spendNamed(records, 'a-1'), (spend) => delete spend.dataset),
  ],
  [
    'less noise than was charged for',
    'COST_TOO_LOW',
    (records) =>
      asked(spendNamed(records, 'a-1'), (spend) => {
        spend.noiseMultiplier = '5'
      }),
  ],
  [
    'another window',
    'WINDOW_MISMATCH',
    (records) => {
      const record = spendNamed(records, 'a-4')
      record.data.charges[0].window = '2026-01-01'
      return record
    },
  ],
  [
    'an old version of a policy',
    'CHARGE_MISMATCH',
    (records) => {
      const record = spendNamed(records, 'a-7')
      record.data.charges[0].version = 1
      return record
    },
  ],
  [
    'an id that was answered before',
    'REQUEST_REPEATED',
    (records) => {
      const record = spendNamed(records, 'a-2')
      record.data.id = 'a-1'
      return record
    },
  ],
  [
    'another source',
    'SOURCE_MISMATCH',
    (records) => {
      const record = spendNamed(records, 'a-2')
      record.data.source = 'somebody'
      return record
    },
  ],
  [
    'a request that is none',
    'REQUEST_INVALID',
    (records) => {
      const record = spendNamed(records, 'a-1')
      record.data.spend.noiseMultiplier = '-1'
      return record
    },
  ],
  [
    'a refusal of what had room',
    'REFUSAL_UNFOUNDED',
    (records) =>
      asked(spendNamed(records, 'a-3'), (spend) => {
        spend.count = '1'
      }),
  ],
  [
    'a refusal with other sums',
    'SUM_MISMATCH',
    (records) => {
      const record = spendNamed(records, 'a-3')
      record.data.failing[0].spent.eps = '1'
      return record
    },
  ],
  [
    'a refusal with another reason',
    'REFUSAL_MISMATCH',
    (records) => {
      const record = spendNamed(records, 'a-3')
      record.data.code = 'COST_INFINITE'
      return record
    },
  ],
  [
    'a settlement after expiry',
    'RESERVATION_OVERDUE',
    (records) => {
      const record = firstOf(records, 'ReservationSettled')
      const later = records.slice(records.indexOf(record))
      for (const each of later) if (each.at < '2026-01-02T00:01:03.000Z') each.at = '2026-01-02T00:01:03.000Z'
      return record
    },
  ],
  [
    'a settlement of more than was reserved',
    'RESERVATION_EXCEEDED',
    (records) => {
      const record = firstOf(records, 'ReservationSettled')
      const opened = firstOf(records, 'ReservationOpened', ({ id }) => id === 'r-2')
      record.data.settle.count = '3'
      const release = parseRequest(
        'spend',
        { ...withoutExpiry(opened.data.spend), id: 'x', count: '3' },
        'trainer',
      ).release
      record.data.hash = hashOf({ kind: 'settle', id: 'r-2', source: 'trainer', release: release.key })
      const thrice = spendNamed(records, 'a-4').data.charges
      for (const charge of record.data.charges) {
        charge.cost = thrice.find(({ policy }: { policy: string }) => policy === charge.policy).cost
      }
      return record
    },
  ],
  [
    'a settlement of less than ran',
    'REQUEST_HASH_MISMATCH',
    (records) => {
      const record = firstOf(records, 'ReservationSettled')
      record.data.settle = { mechanism: 'no_op' }
      return record
    },
  ],
  [
    'a release of what nobody reserved',
    'RESERVATION_NOT_OPEN',
    (records) => {
      const record = firstOf(records, 'ReservationReleased')
      record.data.id = 'r-9'
      return record
    },
  ],
  [
    'an expiry before its time',
    'EXPIRED_EARLY',
    (records) => {
      const record = firstOf(records, 'ReservationExpired')
      record.at = '2026-01-02T00:00:59.000Z'
      return record
    },
  ],
  [
    'a reservation that ends later',
    'RESERVATION_INVALID',
    (records) => {
      const record = firstOf(records, 'ReservationOpened')
      record.data.expiresAt = '2027-01-01T00:00:00.000Z'
      return record
    },
  ],
  [
    'a part without a unit',
    'PARTS_MISMATCH',
    (records) => {
      firstOf(records, 'SpendPart').data.units.pop()
      return spendNamed(records, 'many-1')
    },
  ],
  [
    'a part with another unit',
    'PARTS_MISMATCH',
    (records) => {
      firstOf(records, 'SpendPart').data.units[0] = 'somebody'
      return spendNamed(records, 'many-1')
    },
  ],
  [
    'a part with another unit, and a digest to match',
    'REQUEST_HASH_MISMATCH',
    (records) => {
      const part = firstOf(records, 'SpendPart')
      part.data.units[0] = 'somebody'
      const record = spendNamed(records, 'many-1')
      record.data.parts.digest = digestOf([part.data])
      return record
    },
  ],
  [
    'a permit while spending is halted',
    'PERMIT_WHILE_HALTED',
    (records) => {
      records.splice(records.indexOf(firstOf(records, 'Resumed')), 1)
      return spendNamed(records, 'a-7')
    },
  ],
  [
    'an event that nobody knows',
    'EVENT_UNKNOWN',
    (records) => {
      const record = firstOf(records, 'ClockConfirmed')
      record.type = 'BudgetReset'
      return record
    },
  ],
  [
    'an event without its fields',
    'EVENT_MALFORMED',
    (records) => {
      const record = spendNamed(records, 'a-1')
      record.data = { ...record.data, charges: undefined }
      delete record.data.charges
      return record
    },
  ],
  [
    'a second opening',
    'LEDGER_OPENED_TWICE',
    (records) => {
      const record = firstOf(records, 'ClockConfirmed')
      const { by, cause, data } = records[0]!
      Object.assign(record, { type: 'LedgerOpened', by, cause, data })
      return record
    },
  ],
  [
    'a token that is created twice',
    'TOKEN_INVALID',
    (records) => {
      const record = records[2]!
      record.data.token = 'operator-1'
      return record
    },
  ],
  [
    'a count that would not have passed',
    'REFUSAL_MISMATCH',
    (records) => {
      const record = spendNamed(records, 'a-3')
      record.data.largestCount = String(BigInt(record.data.largestCount) + 1n)
      return record
    },
  ],
  [
    'a member that the catalogue does not have',
    'EVENT_MALFORMED',
    (records) => {
      const record = firstOf(records, 'ClockConfirmed')
      record.data.note = 'anything'
      return record
    },
  ],
  [
    'a member inside a charge that the catalogue does not have',
    'EVENT_MALFORMED',
    (records) => {
      const record = spendNamed(records, 'a-1')
      record.data.charges[0].refund = '1'
      return record
    },
  ],
  [
    'a member of a policy that the catalogue does not have',
    'EVENT_MALFORMED',
    (records) => {
      const record = personPolicy(records)
      record.data.policy.exempt = ['u-1']
      return record
    },
  ],
  [
    'a spend of units that are only counted',
    'EVENT_MALFORMED',
    (records) => {
      const record = spendNamed(records, 'a-2')
      record.data.spend.unitCount = 2
      return record
    },
  ],
  [
    'a halt of something that nobody can name',
    'REQUEST_INVALID',
    (records) => {
      const record = firstOf(records, 'Halted')
      record.data.scope = { colour: ['red'] }
      return record
    },
  ],
  [
    'a resumption of nothing',
    'HALT_INVALID',
    (records) => {
      records.splice(records.indexOf(firstOf(records, 'Halted')), 1)
      return firstOf(records, 'Resumed')
    },
  ],
]

const withoutExpiry = ({ expiresInSeconds: _, ...spend }: LooseRecord['data']) => spend

const lines = wholeLog().then((ledger) => ledger.lines())

test.each(FORGERIES)('chained anew, %s is found as %s', async (_, code, change) => {
  let seq = -1
  const bytes = forged(await lines, (records) => {
    const changed = change(records)
    seq = records.indexOf(changed)
  })
  const { fault } = verifiedLines(bytes)
  expect(fault, fault?.message).toMatchObject({ code, seq })
})

test('chained anew, a refusal that is turned into a permit is a violation with both numbers', async () => {
  let seq = -1
  const bytes = forged(await lines, (records) => {
    const refused = spendNamed(records, 'a-6')
    seq = records.indexOf(refused)
    // Only the guarantees: the spend names no analyst.
    const charges = refused.data.failing.map(({ policy, version, window, requested }: LooseRecord['data']) => ({
      policy,
      version,
      window,
      cost: requested,
    }))
    const training = spendNamed(records, 'a-1').data.charges.find(
      ({ policy }: { policy: string }) => policy === 'training',
    )
    const { id, hash, source, spend } = refused.data
    const orders = Object.keys(training.cost).filter((row) => row.startsWith('rdp:') && row !== 'rdp:inf')
    const cost = Object.fromEntries(orders.map((row) => [row, String(BigInt(row.slice(4)) * 500_000_000_000_000n)]))
    refused.type = 'SpendAccepted'
    refused.data = {
      id,
      hash,
      source,
      spend,
      charges: [...charges, { ...training, cost: { ...cost, 'rdp:inf': 'INF', delta: '0' } }],
    }
    records.length = seq + 1
  })
  const { fault, replay } = verifiedLines(bytes)
  expect(fault, fault?.message).toBeUndefined()
  expect(replay.violations.items.map(({ code, subject }) => [code, subject])).toEqual([
    ['PERMIT_BEYOND_CAP', 'dataset'],
    ['PERMIT_BEYOND_CAP', 'person'],
  ])
  expect(replay.violations.items[0]).toMatchObject({ seq })
  expect(replay.violations.items[0]?.detail).toMatch(
    /row rho: 0\.05\d+ spent or reserved and 0\.5 asked for, of a cap of 0\.18/,
  )
})

test('a violation that the report does not admit is found', async () => {
  const bytes = forged(await lines, (records) => {
    const report = firstOf(records, 'SpendReported')
    report.data.violations = [{ ...firstOf(records, 'SpendRefused').data.failing[1] }]
  })
  expect(verifiedLines(bytes).fault).toMatchObject({ code: 'VIOLATION_MISMATCH' })
})

test('a report beyond a cap that says nothing of it is found', async () => {
  const ledger = await Scenario.open()
  await ledger.policy({ id: 'person', scope: ['unit'], epsilon: '1' })
  await ledger.report({ id: 'r', unit: 'u', mechanism: 'declared_pure', epsilon: '2' })
  const bytes = forged(await ledger.lines(), (records) => {
    firstOf(records, 'SpendReported').data.violations = []
  })
  expect(verifiedLines(bytes).fault).toMatchObject({ code: 'VIOLATION_HIDDEN', seq: 5 })
})
