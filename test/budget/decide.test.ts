import { expect, test } from 'vitest'
import type { Verdict } from '../../src/budget/context.js'
import type { BudgetEvent } from '../../src/budget/events.js'
import { structureOf } from '../../src/budget/policy.js'
import { parsePolicy } from '../../src/budget/policy-request.js'
import { canonicalJson } from '../../src/ledger/canonical.js'
import { approver, operator, system, TestLedger } from './test-ledger.js'

const pure = (epsilon: string) => ({ mechanism: 'declared_pure', epsilon })

const given = (...policies: Parameters<TestLedger['policy']>[0][]): TestLedger => {
  const ledger = new TestLedger()
  for (const policy of policies) ledger.policy(policy)
  return ledger
}

/** The last event of a verdict, which must be of this type. */
const recorded = <Type extends BudgetEvent['type']>(verdict: Verdict, type: Type) => {
  const event = verdict.kind === 'recorded' ? verdict.events.at(-1) : undefined
  if (event?.type !== type) throw new Error(`expected a ${type}, got ${JSON.stringify(verdict)}`)
  return event.data as Extract<BudgetEvent, { readonly type: Type }>['data']
}

const code = (verdict: Verdict): string => (verdict.kind === 'rejected' ? verdict.code : verdict.kind)

test('a spend is charged to each budget whose policy it matches, in one decision', () => {
  const ledger = given(
    { id: 'person' },
    { id: 'set', scope: ['dataset'], epsilon: '5' },
    { id: 'other', match: { dataset: ['x'] } },
  )
  const { charges, after } = recorded(
    ledger.spend({ id: '1', unit: 'u', dataset: 'd', ...pure('0.4') }),
    'SpendAccepted',
  )
  expect(charges.map(({ policy }) => policy)).toEqual(['person', 'set'])
  expect(after?.map(({ policy, key, spent }) => [policy, key, spent['eps']])).toEqual([
    ['person', 'u', '400000000000000'],
    ['set', 'd', '400000000000000'],
  ])
})

test('a refused spend leaves every budget as it was and says what would have passed', () => {
  const ledger = given({ id: 'person' }, { id: 'set', scope: ['dataset'], epsilon: '5' })
  ledger.spend({ id: '1', unit: 'u', dataset: 'd', ...pure('0.7') })
  const refusal = recorded(ledger.spend({ id: '2', unit: 'u', dataset: 'd', ...pure('0.1'), count: 5 }), 'SpendRefused')
  expect(refusal).toMatchObject({ code: 'BUDGET_EXHAUSTED', failingCount: 1, largestCount: '3' })
  expect(refusal.failing[0]).toMatchObject({
    policy: 'person',
    key: 'u',
    spent: { eps: '700000000000000' },
    requested: { eps: '500000000000000' },
  })
  recorded(ledger.spend({ id: '3', unit: 'u', dataset: 'd', ...pure('0.1'), count: 3 }), 'SpendAccepted')
})

test('three spends of a third do not fit a budget of one, one spend with count three does', () => {
  const thirds = given({ id: 'person' })
  for (const id of ['1', '2']) recorded(thirds.spend({ id, unit: 'u', ...pure('1/3') }), 'SpendAccepted')
  expect(recorded(thirds.spend({ id: '3', unit: 'u', ...pure('1/3') }), 'SpendRefused').largestCount).toBe('0')
  recorded(given({ id: 'person' }).spend({ id: '1', unit: 'u', ...pure('1/3'), count: 3 }), 'SpendAccepted')
})

test('a cost that no budget could ever admit is refused as infinite', () => {
  const ledger = given({ id: 'person', metric: 'zcdp' })
  const sampled = { mechanism: 'gaussian', noiseMultiplier: '1', sampling: { method: 'poisson', probability: '0.01' } }
  expect(recorded(ledger.spend({ id: '1', unit: 'u', ...sampled }), 'SpendRefused').code).toBe('COST_INFINITE')
})

test('a guarantee decides nothing without the attributes that it names', () => {
  const ledger = given({ id: 'g', scope: ['unit', 'analyst'] }, { id: 'q', scope: ['purpose'], role: 'quota' })
  expect(code(ledger.spend({ id: '1', unit: 'u', ...pure('0.1') }))).toBe('ATTRIBUTE_REQUIRED')
  recorded(ledger.spend({ id: '1', unit: 'u', analyst: 'a', ...pure('0.1') }), 'SpendAccepted')
})

test('a guarantee with a match asks for the matched attribute before it lets a spend pass by', () => {
  const ledger = given({ id: 'g', match: { dataset: ['x'] } }, { id: 'all' })
  expect(code(ledger.spend({ id: '1', unit: 'u', ...pure('0.1') }))).toBe('ATTRIBUTE_REQUIRED')
  expect(
    recorded(ledger.spend({ id: '1', unit: 'u', dataset: 'y', ...pure('0.1') }), 'SpendAccepted').charges,
  ).toHaveLength(1)
})

test('a spend that no policy covers is not decided, nor one with a unit that none covers', () => {
  expect(code(new TestLedger().spend({ id: '1', unit: 'u', ...pure('0.1') }))).toBe('NO_POLICY')
  const ledger = given({ id: 'g', match: { unit: ['ada'] } })
  expect(code(ledger.spend({ id: '1', units: ['ada', 'bob'], ...pure('0.1') }))).toBe('NO_POLICY')
})

test('costs are never converted from one neighbouring relation to another', () => {
  const ledger = given({ id: 'g' })
  expect(code(ledger.spend({ id: '1', unit: 'u', neighboring: 'replace_one', ...pure('0.1') }))).toBe(
    'RELATION_MISMATCH',
  )
})

test('policies that one spend could meet agree on the neighbouring relation', () => {
  const ledger = given({ id: 'a', match: { dataset: ['x', 'y'] } })
  expect(code(ledger.policy({ id: 'b', neighboring: 'replace_one' }))).toBe('RELATION_CONFLICT')
  expect(code(ledger.policy({ id: 'b', neighboring: 'replace_one', match: { dataset: ['y'] } }))).toBe(
    'RELATION_CONFLICT',
  )
  recorded(ledger.policy({ id: 'b', neighboring: 'replace_one', match: { dataset: ['z'] } }), 'PolicySet')
})

test('the same request gets the same record, another one under the same id is a conflict', () => {
  const ledger = given({ id: 'g' })
  ledger.spend({ id: '1', unit: 'u', ...pure('0.10') })
  const again = ledger.spend({ id: '1', unit: 'u', ...pure('0.1') })
  expect(again).toMatchObject({ kind: 'replayed', prior: { seq: ledger.log.length - 1 } })
  expect(code(ledger.spend({ id: '1', unit: 'u', ...pure('0.2') }))).toBe('IDEMPOTENCY_CONFLICT')
})

test('a spend over several units is all or nothing', () => {
  const ledger = given({ id: 'g' })
  ledger.spend({ id: '1', unit: 'bob', ...pure('0.9') })
  const refusal = recorded(ledger.spend({ id: '2', units: ['ada', 'bob'], ...pure('0.2') }), 'SpendRefused')
  expect(refusal.failing.map(({ key }) => key)).toEqual(['bob'])
  expect(ledger.state.balance({ policy: 'g', generation: 1, key: 'ada' })).toBeUndefined()
})

test('units that cannot pay are dropped where the request says so, and named', () => {
  const ledger = given({ id: 'g' })
  ledger.spend({ id: '1', unit: 'bob', ...pure('0.9') })
  const accepted = recorded(
    ledger.spend({ id: '2', units: ['ada', 'bob'], onExhausted: 'drop', ...pure('0.2') }),
    'SpendAccepted',
  )
  expect(accepted.dropped).toEqual(['bob'])
  expect(accepted.after?.map(({ key }) => key)).toEqual(['ada'])
  recorded(ledger.spend({ id: '3', units: ['bob'], onExhausted: 'drop', ...pure('0.2') }), 'SpendRefused')
})

test('many units go into parts that carry a digest, and count as one decision', () => {
  const ledger = given({ id: 'g' })
  const units = Array.from({ length: 20_000 }, (_, number) => `unit-${number}`)
  const verdict = ledger.spend({ id: '1', units, ...pure('0.2') })
  const { parts, charges } = recorded(verdict, 'SpendAccepted')
  expect(parts?.units).toBe(20_000)
  expect(verdict.kind === 'recorded' && verdict.events.length).toBe((parts?.count ?? 0) + 1)
  expect(charges[0]?.cost).toEqual({ eps: '200000000000000', delta: '0' })
  expect(ledger.state.balance({ policy: 'g', generation: 1, key: 'unit-19999' })?.spent.finite[0]).toBe(
    200_000_000_000_000n,
  )
})

test('a day quota opens again with the next day, while the lifetime total stays', () => {
  const ledger = given({ id: 'q', role: 'quota', window: 'day', epsilon: '8' })
  ledger.at = '2026-01-05T23:59:59.999Z'
  for (const id of ['1', '2']) recorded(ledger.spend({ id, unit: 'device', ...pure('4') }), 'SpendAccepted')
  recorded(ledger.spend({ id: '3', unit: 'device', ...pure('4') }), 'SpendRefused')
  ledger.at = '2026-01-06T00:00:00.000Z'
  recorded(ledger.spend({ id: '4', unit: 'device', ...pure('4') }), 'SpendAccepted')
  const balance = ledger.state.balance({ policy: 'q', generation: 1, key: 'device' })
  expect([balance?.spent.finite[0], balance?.lifetime.finite[0]]).toEqual([4n * 10n ** 15n, 12n * 10n ** 15n])
})

test('while the clock is in doubt, windows are not decided and lifetimes are', () => {
  const ledger = given(
    { id: 'g', match: { dataset: ['x'] } },
    { id: 'q', role: 'quota', window: 'day', match: { dataset: ['y'] } },
  )
  ledger.clockDoubt = true
  recorded(ledger.spend({ id: '1', unit: 'u', dataset: 'x', ...pure('0.1') }), 'SpendAccepted')
  expect(code(ledger.spend({ id: '2', unit: 'u', dataset: 'y', ...pure('0.1') }))).toBe('CLOCK_UNCERTAIN')
})

test('a report is recorded even beyond a cap, and is a violation of a guarantee only', () => {
  const ledger = given({ id: 'g' }, { id: 'q', role: 'quota', epsilon: '0.1' })
  expect(
    recorded(ledger.request('report', { id: '1', unit: 'u', ...pure('0.5') }), 'SpendReported').violations,
  ).toEqual([])
  const { registry } = ledger.state
  const beyond = recorded(ledger.request('report', { id: '2', unit: 'u', ...pure('0.6') }), 'SpendReported')
  expect(beyond.violations.map(({ policy }) => policy)).toEqual(['g'])
  expect(ledger.state.violations({ limit: 9 })).toEqual([ledger.log.length - 1])
  // There may be many: what is copied whole with each change of it must not hold them.
  expect(ledger.state.registry).toBe(registry)
})

test('an infinite report spends a budget out, whatever its sum says', () => {
  const ledger = given({ id: 'g' })
  recorded(
    ledger.request('report', { id: '1', unit: 'u', mechanism: 'gaussian', noiseMultiplier: '1' }),
    'SpendReported',
  )
  recorded(ledger.spend({ id: '2', unit: 'u', ...pure('0.0001') }), 'SpendRefused')
})

test('a reservation holds its cost, settles for less, and frees the rest', () => {
  const ledger = given({ id: 'g' })
  recorded(
    ledger.request('reserve', { id: 'r', unit: 'u', ...pure('0.1'), count: 8, expiresInSeconds: 60 }),
    'ReservationOpened',
  )
  recorded(ledger.spend({ id: '1', unit: 'u', ...pure('0.3') }), 'SpendRefused')
  expect(code(ledger.settle('r', { count: 9 }))).toBe('RESERVATION_EXCEEDED')
  recorded(ledger.settle('r', { count: 5 }), 'ReservationSettled')
  recorded(ledger.spend({ id: '2', unit: 'u', ...pure('0.5') }), 'SpendAccepted')
  expect(ledger.settle('r', { count: 5 }).kind).toBe('replayed')
  expect(code(ledger.release('r'))).toBe('RESERVATION_CLOSED')
})

test('a reservation is charged in full from the instant it expires, recorded or not', () => {
  const ledger = given({ id: 'g' })
  ledger.request('reserve', { id: 'r', unit: 'u', ...pure('0.8'), expiresInSeconds: 60 })
  ledger.at = '2026-01-05T00:01:00.000Z'
  expect(code(ledger.release('r'))).toBe('RESERVATION_CLOSED')
  recorded(ledger.spend({ id: '1', unit: 'u', ...pure('0.3') }), 'SpendRefused')
  recorded(ledger.submit({ kind: 'expire', actor: system, cause: { kind: 'system' } }), 'ReservationExpired')
  expect(ledger.state.balance({ policy: 'g', generation: 1, key: 'u' })?.spent.finite[0]).toBe(8n * 10n ** 14n)
})

test('no decision expires more budgets than one spend may touch, unless one reservation alone has them', () => {
  const ledger = given({ id: 'g' }, { id: 'h' })
  const units = (count: number) => Array.from({ length: count }, (_, number) => `unit-${number}`)
  for (const [id, count] of [
    ['a', 15_000],
    ['b', 6_000],
    ['c', 4_000],
    ['d', 1],
  ] as const) {
    const asked = { id, units: units(count), ...pure('0.1'), expiresInSeconds: 60 }
    recorded(ledger.request('reserve', asked), 'ReservationOpened')
  }
  ledger.at = '2026-01-05T00:01:00.000Z'
  const expired = () => {
    const verdict = ledger.submit({ kind: 'expire', actor: system, cause: { kind: 'system' } })
    return verdict.kind === 'recorded' ? verdict.events.map(({ data }) => 'id' in data && data.id) : []
  }
  expect([expired(), expired(), expired()]).toEqual([['a'], ['b', 'c'], ['d']])
})

test('a spend with a delta of its own cannot be reserved where composition must be one-shot', () => {
  const ledger = given({ id: 'g', metric: 'zcdp', deltaForSpends: '1e-7' })
  const wire = { id: 'r', unit: 'u', mechanism: 'declared_approx', epsilon: '0.1', delta: '1e-9', expiresInSeconds: 60 }
  expect(code(ledger.request('reserve', wire))).toBe('DELTA_NOT_RESERVABLE')
})

test('lowering a cap holds at once, raising it waits for a second person', () => {
  const ledger = given({ id: 'g', epsilon: '1' })
  expect(code(ledger.policy({ id: 'g', epsilon: '0.5' }))).toBe('VERSION_MISMATCH')
  recorded(ledger.policy({ id: 'g', epsilon: '0.5' }, 1), 'PolicySet')
  recorded(ledger.policy({ id: 'g', epsilon: '2' }, 2), 'PolicyProposed')
  recorded(ledger.spend({ id: '1', unit: 'u', ...pure('0.6') }), 'SpendRefused')
  expect(code(ledger.approve('g', 3, operator))).toBe('FORBIDDEN')
  expect(code(ledger.approve('g', 2))).toBe('VERSION_MISMATCH')
  recorded(ledger.approve('g', 3, approver), 'PolicyApproved')
  recorded(ledger.spend({ id: '2', unit: 'u', ...pure('0.6') }), 'SpendAccepted')
})

test('a policy that changed its structure begins new budgets, and finds the old ones when it changes back', () => {
  const ledger = given({ id: 'g', epsilon: '1' })
  ledger.spend({ id: '1', unit: 'u', dataset: 'd', ...pure('0.9') })
  ledger.policy({ id: 'g', scope: ['dataset'] }, 1)
  ledger.approve('g', 2)
  recorded(ledger.spend({ id: '2', unit: 'u', dataset: 'd', ...pure('0.9') }), 'SpendAccepted')
  ledger.policy({ id: 'g', scope: ['unit'] }, 2)
  ledger.approve('g', 3)
  recorded(ledger.spend({ id: '3', unit: 'u', dataset: 'd', ...pure('0.2') }), 'SpendRefused')
})

test('a removed policy waits for approval, and its id is never given an old version number', () => {
  const ledger = given({ id: 'g' })
  const removal = { kind: 'remove-policy', actor: operator, cause: { kind: 'http' }, id: 'g' } as const
  expect(recorded(ledger.submit(removal), 'PolicyRemovalProposed').version).toBe(2)
  recorded(ledger.spend({ id: '1', unit: 'u', ...pure('0.6') }), 'SpendAccepted')
  recorded(ledger.approve('g', 2), 'PolicyApproved')
  expect(code(ledger.spend({ id: '2', unit: 'u', ...pure('0.1') }))).toBe('NO_POLICY')
  expect(recorded(ledger.policy({ id: 'g' }), 'PolicySet').policy).toMatchObject({ version: 3, generation: 1 })
  recorded(ledger.spend({ id: '3', unit: 'u', ...pure('0.6') }), 'SpendRefused')
})

test('a halt stops permits and nothing else, until exactly it is resumed', () => {
  const ledger = given({ id: 'g' })
  ledger.request('reserve', { id: 'r', unit: 'u', ...pure('0.1'), expiresInSeconds: 60 })
  const scope = { unit: ['u'] }
  ledger.submit({ kind: 'halt', actor: operator, cause: { kind: 'http' }, scope, reason: 'audit' })
  expect(code(ledger.spend({ id: '1', unit: 'u', ...pure('0.1') }))).toBe('HALTED')
  recorded(ledger.spend({ id: '2', unit: 'v', ...pure('0.1') }), 'SpendAccepted')
  recorded(ledger.request('report', { id: '3', unit: 'u', ...pure('0.1') }), 'SpendReported')
  recorded(ledger.settle('r', { count: 1 }), 'ReservationSettled')
  expect(
    code(ledger.submit({ kind: 'resume', actor: operator, cause: { kind: 'http' }, scope: null, reason: 'done' })),
  ).toBe('NOT_FOUND')
  recorded(
    ledger.submit({ kind: 'resume', actor: operator, cause: { kind: 'http' }, scope, reason: 'done' }),
    'Resumed',
  )
  recorded(ledger.spend({ id: '1', unit: 'u', ...pure('0.1') }), 'SpendAccepted')
})

test('a raise that names no orders keeps the orders, and with them what was spent', () => {
  const wire = {
    id: 'g',
    scope: ['unit'],
    metric: 'rdp',
    epsilon: '3',
    delta: '1e-5',
    neighboring: 'add_or_remove_one',
    window: 'lifetime',
    role: 'guarantee',
  }
  const ledger = new TestLedger()
  const first = parsePolicy(wire).terms
  ledger.submit({ kind: 'set-policy', actor: operator, cause: { kind: 'http' }, terms: first })
  const { terms } = parsePolicy({ ...wire, epsilon: '4' }, first)
  const raised = ledger.submit({ kind: 'set-policy', actor: operator, cause: { kind: 'http' }, terms, replaces: 1 })
  expect(recorded(raised, 'PolicyProposed').policy.generation).toBe(1)
  expect(structureOf(parsePolicy({ ...wire, epsilon: '4' }).terms)).not.toBe(structureOf(first))
})

test('a removed policy comes back at once only where it is as tight as it was', () => {
  const ledger = given({ id: 'g', epsilon: '1' })
  ledger.submit({ kind: 'remove-policy', actor: operator, cause: { kind: 'http' }, id: 'g' })
  ledger.approve('g', 2)
  recorded(ledger.policy({ id: 'g', epsilon: '50' }), 'PolicyProposed')
  expect(code(ledger.spend({ id: '1', unit: 'u', ...pure('0.1') }))).toBe('NO_POLICY')
  recorded(ledger.approve('g', 3), 'PolicyApproved')
  recorded(ledger.spend({ id: '1', unit: 'u', ...pure('9') }), 'SpendAccepted')
})

test('a halt is not evaded by leaving out what it names', () => {
  const ledger = given({ id: 'g' })
  const scope = { dataset: ['x'] }
  ledger.submit({ kind: 'halt', actor: operator, cause: { kind: 'http' }, scope, reason: 'audit' })
  expect(code(ledger.spend({ id: '1', unit: 'u', ...pure('0.1') }))).toBe('HALTED')
  recorded(ledger.spend({ id: '1', unit: 'u', dataset: 'y', ...pure('0.1') }), 'SpendAccepted')
})

test('the longest names that a request may have still fit into records', () => {
  const ledger = given({ id: 'g' })
  const units = Array.from({ length: 100 }, (_, number) => `${'"'.repeat(250)}${number}`)
  const verdict = ledger.request('report', { id: '1', units, ...pure('5') })
  recorded(verdict, 'SpendReported')
  for (const event of verdict.kind === 'recorded' ? verdict.events : []) {
    expect(Buffer.byteLength(canonicalJson(event.data))).toBeLessThan(65_000)
  }
})
