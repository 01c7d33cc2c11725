import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/ledger/record.js'
import { Oracle } from './oracle.js'
import { system, TestLedger, type TestPolicy } from './test-ledger.js'

/** `RUNS=10000 npx vitest run test/budget/model.test.ts` is the long form. */
const RUNS = Number(process.env['RUNS'] ?? 300)

const POLICIES: readonly TestPolicy[] = [
  { id: 'unit-pure', metric: 'pure', epsilon: '3' },
  { id: 'dataset-approx', metric: 'approx', epsilon: '8', delta: '1e-6', scope: ['dataset'] },
  { id: 'unit-zcdp', metric: 'zcdp', epsilon: '6', delta: '1e-5', deltaForSpends: '1e-6' },
  {
    id: 'unit-rdp',
    metric: 'rdp',
    epsilon: '6',
    delta: '1e-5',
    deltaForSpends: '1e-6',
    orders: [
      { alpha: 4, deltaShare: '4e-6' },
      { alpha: 8, deltaShare: '5e-6' },
      { alpha: 'inf', deltaShare: '0' },
    ],
  },
  { id: 'unit-day', metric: 'pure', epsilon: '1.5', window: 'day', role: 'quota' },
]

const BODIES: readonly JsonObject[] = [
  { mechanism: 'declared_pure', epsilon: '0.5' },
  { mechanism: 'declared_pure', epsilon: '1/3', count: '3' },
  { mechanism: 'laplace', noiseMultiplier: '2' },
  { mechanism: 'declared_approx', epsilon: '0.25', delta: '4e-7' },
  { mechanism: 'gaussian', noiseMultiplier: '3' },
  { mechanism: 'declared_zcdp', rho: '0.05' },
  { mechanism: 'declared_rdp', curve: { '4': '0.2', '8': '0.5', inf: '2' } },
  { mechanism: 'no_op' },
]

const unit = fc.constantFrom('ada', 'bob', 'cyd')
const who = fc.oneof(
  fc.record({ unit }),
  fc.record({ units: fc.uniqueArray(unit, { minLength: 1 }), onExhausted: fc.constantFrom('refuse', 'drop') }),
)
const body = fc.constantFrom(...BODIES)
const id = fc.integer({ min: 0, max: 12 }).map((number) => `r${number}`)

type Step = (ledger: TestLedger, model: { spends: number }) => void

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(who, body).map(
      ([units, sent]): Step =>
        (ledger, model) => {
          ledger.spend({ id: `s${model.spends++}`, dataset: 'd', ...units, ...sent })
        },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(unit, body).map(
      ([name, sent]): Step =>
        (ledger, model) => {
          ledger.request('report', { id: `s${model.spends++}`, dataset: 'd', unit: name, ...sent })
        },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(id, who, body).map(
      ([name, units, sent]): Step =>
        (ledger) => {
          ledger.request('reserve', { id: name, dataset: 'd', expiresInSeconds: 3600, ...units, ...sent })
        },
    ),
  },
  {
    weight: 1,
    arbitrary: id.map(
      (name): Step =>
        (ledger) =>
          void ledger.release(name),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(id, body).map(
      ([name, sent]): Step =>
        (ledger) =>
          void ledger.settle(name, sent),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 90_000 }).map(
      (seconds): Step =>
        (ledger) => {
          ledger.at = new Date(Date.parse(ledger.at) + seconds * 1000).toISOString()
        },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constant<Step>((ledger) => {
      ledger.submit({
        kind: 'expire',
        actor: system,
        cause: { kind: 'system' },
      })
    }),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(...POLICIES), fc.constantFrom('0.5', '2', '4', '9'), fc.boolean()).map(
      ([policy, epsilon, approved]): Step =>
        (ledger) => {
          const { active } = ledger.state.registry.policies.get(policy.id) ?? {}
          const verdict = ledger.policy({ ...policy, epsilon }, active ?? undefined)
          const [event] = verdict.kind === 'recorded' ? verdict.events : []
          if (approved && event?.type === 'PolicyProposed') ledger.approve(policy.id, event.data.policy.version)
        },
    ),
  },
)

test('no sequence of spends, reports, reservations, drops, raises and expiries lets a permit pass a cap', () => {
  fc.assert(
    fc.property(
      fc.subarray([...POLICIES], { minLength: 1 }),
      fc.array(steps, { maxLength: 40, size: 'max' }),
      (policies, sequence) => {
        const ledger = new TestLedger()
        const oracle = new Oracle()
        let seen = 0
        const watch = () => {
          for (; seen < ledger.log.length; seen++) oracle.see(ledger.log[seen]!)
        }
        for (const policy of policies) ledger.policy(policy)
        const model = { spends: 0 }
        for (const step of sequence) {
          watch()
          step(ledger, model)
          expectRefusalsToBeRight(ledger, oracle, seen)
        }
        watch()
        expect(oracle.findings).toEqual([])
        expectSumsToAgree(ledger, oracle)
      },
    ),
    { numRuns: RUNS },
  )
})

/** A refusal names budgets that indeed cannot take the cost, and none that can. */
const expectRefusalsToBeRight = (ledger: TestLedger, oracle: Oracle, from: number): void => {
  for (const { event } of ledger.log.slice(from)) {
    if (event.type !== 'SpendRefused' && event.type !== 'ReservationRefused') continue
    for (const { policy, key, window, requested } of event.data.failing) {
      expect(oracle.admits(policy, `${policy}/${key}/${window}`, requested)).toBe(false)
    }
  }
}

/** What the state holds in every budget is what the oracle added up. */
const expectSumsToAgree = (ledger: TestLedger, oracle: Oracle): void => {
  for (const policy of ledger.state.registry.active) {
    for (const key of ['ada', 'bob', 'cyd', 'd']) {
      const balance = ledger.state.balance({ policy: policy.id, generation: policy.generation, key })
      if (balance === undefined) continue
      for (const [index, row] of policy.rows.entries()) {
        const { finite, infinite } = oracle.sum(`${policy.id}/${key}/${balance.window}`, row)
        expect((balance.spent.finite[index] ?? 0n) + (balance.reserved.finite[index] ?? 0n)).toBe(finite)
        expect((balance.spent.infinite[index] ?? 0) + (balance.reserved.infinite[index] ?? 0)).toBe(infinite)
      }
    }
  }
}
