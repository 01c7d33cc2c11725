import { expect, test } from 'vitest'
import { guaranteesOf } from '../../src/recovery/guarantees.js'
import { statementOf } from '../../src/recovery/statement.js'
import type { TestPolicy } from '../budget/test-ledger.js'
import { firstOf, forged } from '../support/forge.js'
import { messageAt, Scenario, trainer } from '../support/scenario.js'
import { verifiedLines } from '../support/verified.js'

const pure = (epsilon: string) => ({ mechanism: 'declared_pure', epsilon })
const person = (epsilon: string, more: Partial<TestPolicy> = {}): TestPolicy => ({
  id: 'person',
  scope: ['unit'],
  epsilon,
  ...more,
})
const zcdp = { metric: 'zcdp', delta: '1e-6', deltaForSpends: '0' } as const
const orders = [8, 16].map((alpha) => ({ alpha, deltaShare: '5e-7' }))
const rdp = { metric: 'rdp', delta: '1e-6', deltaForSpends: '0', orders } as const

/** What a proof would say of the ledger's guarantees. */
const said = async (ledger: Scenario) => {
  const verification = verifiedLines(await ledger.bytes())
  expect(verification.fault, verification.fault?.message).toBeUndefined()
  const predicate = statementOf(verification, { name: 'test', version: '0' })['predicate'] as unknown as {
    readonly statement: string
    readonly verdict: object
    readonly notices: object
    readonly checks: readonly { readonly parts: readonly Part[] }[]
    readonly guarantees: readonly { readonly conditions: readonly string[]; readonly conditional: boolean }[]
  }
  const notices = verification.replay.notices.items
  return { ...predicate, notices, conditions: predicate.guarantees.map(({ conditions }) => conditions) }
}

interface Part {
  readonly name: string
  readonly status: string
  readonly figures: object
}

const partOf = (checks: readonly { readonly parts: readonly Part[] }[], name: string): Part =>
  checks.flatMap(({ parts }) => parts).find((part) => part.name === name) as Part

/** A ledger under one policy, of which something was spent. */
const charged = async (policy: TestPolicy, epsilon = '0.5') => {
  const ledger = await Scenario.open()
  await ledger.policy(policy)
  await ledger.spend({ id: 's', unit: 'u', ...pure(epsilon) })
  return ledger
}

/** Sets another version, by two people where it takes two. */
const change = async (ledger: Scenario, policy: TestPolicy, replaces?: number) => {
  const outcome = await ledger.policy(policy, replaces)
  if (outcome.kind !== 'answered') throw new Error(`${outcome.code}: ${outcome.detail}`)
  if (outcome.event.type === 'PolicyProposed') await ledger.approve(policy.id, outcome.event.data.policy.version)
  return ledger
}

test('a quota that becomes a guarantee over budgets beyond it is not unconditional', async () => {
  const ledger = await Scenario.open()
  await ledger.policy(person('1', { role: 'quota' }))
  await ledger.report({ id: 'r', unit: 'u', ...pure('5') })
  await ledger.policy(person('1'), 1)
  const { conditions, statement, verdict, notices, guarantees } = await said(ledger)
  expect(conditions).toEqual([
    [
      'record 6 made it a guarantee: what was charged before, as to a quota, was not held to it',
      '1 budget had taken more than this cap before record 6 set it, up to 5 times the cap by now: the statement does not hold there; the largest cap under which something was charged is that of version 1, epsilon 1 (eps 1, delta 0)',
    ],
  ])
  expect(guarantees).toMatchObject([{ budgetsAboveCap: 1, largestUse: '5', conditional: true }])
  expect(statement).toBe('Privacy guarantees verified, 1 of 1 under a condition')
  expect(verdict).toEqual({ code: 'verified', guarantees: 1, conditional: 1 })
  expect(notices.filter(({ code }) => code === 'CAP_BELOW_SPENT')).toEqual([
    {
      seq: 6,
      code: 'CAP_BELOW_SPENT',
      detail:
        'policy person version 2: 1 budget has taken more than the cap that holds from here on, up to 5 times as much',
    },
  ])
})

test('a cap that is lowered below what was spent names the cap under which that was spent', async () => {
  const ledger = await charged(person('10', zcdp), '1')
  await ledger.policy(person('1', zcdp), 1)
  const { conditions, guarantees, notices } = await said(ledger)
  expect(guarantees).toMatchObject([{ epsilon: '1', budgetsAboveCap: 1, conditional: true }])
  expect(conditions[0]?.[0]).toBe(
    'record 6 lowered its cap: the statement holds for the lower one if that was decided without looking at what was released before',
  )
  expect(conditions[0]?.[1]).toMatch(
    /^1 budget had taken more than this cap before record 6 set it, up to [\d.]+ times the cap by now: .* that of version 1, epsilon 10 \(rho 1\.\d+, delta 0\)$/,
  )
  expect(notices).toMatchObject([{ seq: 6, code: 'CAP_BELOW_SPENT' }])
})

test('a budget that a report took beyond its cap is a condition too', async () => {
  const ledger = await Scenario.open()
  await ledger.policy(person('1'))
  await ledger.report({ id: 'r', unit: 'u', ...pure('1.5') })
  const { conditions, statement } = await said(ledger)
  expect(conditions).toEqual([
    ['1 budget went beyond the cap, up to 1.5 times the cap: the statement does not hold there'],
  ])
  expect(statement).toBe('Privacy guarantees violated: 1 violation on record')
})

test.each([
  ['lowered', 'zcdp', zcdp, '8', true],
  ['lowered', 'rdp', rdp, '8', true],
  ['lowered', 'pure', {}, '8', false],
  ['raised', 'zcdp', zcdp, '20', true],
  ['raised', 'rdp', rdp, '20', true],
  ['raised', 'pure', {}, '20', false],
] as const)('a cap that was %s after something was charged: %s', async (what, _, metric, epsilon, conditional) => {
  const { conditions } = await said(await change(await charged(person('10', metric)), person(epsilon, metric), 1))
  if (conditional)
    expect(conditions[0]).toContainEqual(expect.stringMatching(new RegExp(`^record [67] ${what} its cap: `)))
  else expect(conditions).toEqual([[]])
})

test.each(['8', '20'])('before anything is charged a cap of %s is a free choice', async (epsilon) => {
  const ledger = await Scenario.open()
  await ledger.policy(person('10', zcdp))
  await change(ledger, person(epsilon, zcdp), 1)
  await ledger.spend({ id: 's', unit: 'u', ...pure('0.5') })
  expect((await said(ledger)).conditions).toEqual([[]])
})

test('a quota that was raised and then became a guarantee says both, for every metric', async () => {
  const ledger = await charged(person('1', { role: 'quota' }))
  await change(ledger, person('3', { role: 'quota' }), 1)
  await change(ledger, person('3'), 2)
  expect((await said(ledger)).conditions).toEqual([
    [
      'record 7 raised its cap while it was a quota: the statement holds if that was decided without looking at what was released before',
      'record 8 made it a guarantee: what was charged before, as to a quota, was not held to it',
    ],
  ])
})

test('a match that was widened does not cover what came before', async () => {
  const match = (...dataset: string[]) => ({ scope: ['dataset'], match: { dataset } }) as const
  const ledger = await Scenario.open()
  await ledger.policy(person('1', match('a')))
  await change(ledger, person('1', match('a', 'b')), 1)
  await change(ledger, person('1', match('b')), 2)
  expect((await said(ledger)).conditions).toEqual([
    [
      'record 5 widened what it matches: what was released before outside the old match is not counted',
      'record 7 changed what it matches: the statement covers what matched at the time',
    ],
  ])
})

test('a policy that was removed and set again does not count what came in between', async () => {
  const ledger = await charged(person('1'))
  await ledger.removePolicy('person')
  await ledger.approve('person', 2)
  expect((await said(ledger)).conditions).toEqual([
    ['record 7 removed it: the statement covers what was released before'],
  ])
  await change(ledger, person('1'))
  const { conditions, guarantees } = await said(ledger)
  expect(conditions).toEqual([
    ['record 7 removed it and record 8 set it again: what was released in between is not counted'],
  ])
  expect(guarantees).toMatchObject([{ state: 'in-force', budgets: 1, largestUse: '0.5' }])
})

test('each structure of a policy says that it is not the only one', async () => {
  const ledger = await charged(person('1'))
  await change(ledger, person('1', zcdp), 1)
  await change(ledger, person('1'), 2)
  const apart = 'gave it another structure: losses before and after are kept apart, and the statement holds for each'
  expect((await said(ledger)).conditions).toEqual([
    [`record 7 ${apart}`, 'record 9 gave it this structure again: what was released in between is not counted'],
    [`record 7 ${apart}`, `record 9 ${apart}`],
  ])
})

test('a guarantee that was turned into a quota stays in the proof', async () => {
  const ledger = await charged(person('1'))
  await change(ledger, person('1', { role: 'quota' }), 1)
  const { conditions, guarantees } = await said(ledger)
  expect(guarantees).toMatchObject([{ version: 1, state: 'closed' }])
  expect(conditions).toEqual([['record 7 made it a quota: the statement covers what was released before']])
})

test('a removed policy comes back looser only by two people', async () => {
  const ledger = await charged(person('1'))
  await ledger.removePolicy('person')
  await ledger.approve('person', 2)
  const outcome = await ledger.policy(person('5'))
  expect(outcome).toMatchObject({ event: { type: 'PolicyProposed', data: { replaces: 1 } } })
  await ledger.approve('person', 3)
  expect(verifiedLines(await ledger.bytes()).fault).toBeUndefined()
  const alone = forged(await ledger.lines(), (records) => {
    const proposed = firstOf(records, 'PolicyProposed')
    proposed.type = 'PolicySet'
    proposed.data = { policy: proposed.data.policy, replaces: null }
    records.length = records.indexOf(proposed) + 1
  })
  expect(verifiedLines(alone).fault).toMatchObject({ code: 'POLICY_RAISED_ALONE', seq: 8 })
})

test('what guarantees have come to is worked out anew after another record', async () => {
  const ledger = await charged(person('1'))
  const { replay } = verifiedLines(await ledger.bytes())
  expect(guaranteesOf(replay)).toBe(guaranteesOf(replay))
})

const messageOf = (ledger: Scenario, offset: number, epsilon: string, unit = 'u') =>
  ledger.spend({ id: `m${offset}`, unit, ...pure(epsilon) }, { ...trainer, token: '' }, messageAt(offset))

test('what a recovery charges beyond a cap is no violation, but a condition', async () => {
  const ledger = await charged(person('1'), '0.8')
  await ledger.declareGap({ before: 10 })
  for (const [offset, epsilon] of ['0.1', '0.5', '0.5'].entries()) await messageOf(ledger, offset, epsilon)
  await messageOf(ledger, 5, '0.2', 'v')
  const { conditions, verdict, notices, checks } = await said(ledger)
  expect(conditions).toEqual([
    [
      '1 budget went beyond the cap, up to 1.9 times the cap, by what a recovery charged because its decision is lost: the statement holds there if the lost decisions kept to the cap',
    ],
  ])
  expect(verdict).toMatchObject({ code: 'verified', conditional: 1 })
  expect(notices).toMatchObject([{ code: 'OVERCHARGED', seq: 8 }])
  expect(partOf(checks, 'over-charge').figures).toEqual({ expiredReservations: 0, undecided: 4, budgetsBeyondCap: 1 })
})

test('what is reported beyond a cap after that is a violation', async () => {
  const ledger = await charged(person('1'), '0.8')
  await ledger.declareGap({ before: 10 })
  await messageOf(ledger, 0, '0.5')
  await ledger.report({ id: 'r', unit: 'v', ...pure('1.5') })
  const { conditions, verdict } = await said(ledger)
  expect(verdict).toMatchObject({ code: 'violated', violations: 1 })
  expect(conditions[0]?.[1]).toBe(
    '1 budget went beyond the cap, up to 1.5 times the cap: the statement does not hold there',
  )
})

test('a smaller cap over budgets that a recovery had charged counts them once', async () => {
  const ledger = await charged(person('1'), '0.8')
  await ledger.declareGap({ before: 10 })
  await messageOf(ledger, 0, '0.5')
  await change(ledger, person('0.9'), 1)
  await ledger.report({ id: 'r', unit: 'v', ...pure('1') })
  const { conditions } = await said(ledger)
  expect(conditions[0]).toHaveLength(2)
  expect(conditions[0]?.[0]).toMatch(/^1 budget had taken more than this cap before record 8 set it/)
  expect(conditions[0]?.[1]).toMatch(/^1 budget went beyond the cap, .*: the statement does not hold there$/)
})
