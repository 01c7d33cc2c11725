import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { epsilonOfRdp } from '../../src/accounting/convert.js'
import { type Costs, costsOf } from '../../src/accounting/cost.js'
import { ceilDivide, parseRational, rational } from '../../src/accounting/rational.js'
import { parseRelease } from '../../src/accounting/release.js'
import { INFINITE_FROM, type Relation, rdpRow, SCALE_LOSS } from '../../src/accounting/units.js'
import { type Python, pythonWith } from '../support/python.js'
import { REQUIREMENTS, runScript } from './python.js'

/** An event of dp_accounting, in the JSON form that `to_named_tuple` has; both sides read the same one. */
interface Asked {
  readonly event: { readonly class_name: string }
  readonly relation: Relation
  readonly count: number
  readonly orders: readonly number[]
}

interface Answer {
  readonly theirs: readonly string[]
  readonly exact: readonly string[]
}

const EVENTS = 400
const SEED = 20_260_901

let python: Python = { missing: 'not looked for' }
beforeAll(() => {
  python = pythonWith(REQUIREMENTS)
})

const oracleTest = (name: string, body: (path: string) => void): void =>
  test(name, ({ skip }) => {
    if ('path' in python) return body(python.path)
    if (process.env.REQUIRE_ALL === '1') throw new Error(python.missing)
    skip(python.missing)
  })

const ask = <Out>(path: string, asked: readonly unknown[]): readonly Out[] =>
  runScript(path, 'dp_accounting_oracle.py', asked.map((one) => JSON.stringify(one)).join('\n'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

describe('dp_accounting 0.6.0, event by event and order by order', () => {
  let events: readonly Asked[] = []
  let answers: readonly Answer[] = []
  let costs: readonly Costs[] = []

  oracleTest('answers for some hundred random events', (path) => {
    events = fc.sample(asked(), { numRuns: EVENTS, seed: SEED })
    answers = ask<Answer>(path, events)
    costs = events.map(({ event, relation, count, orders }) => {
      const dpEvent = { class_name: 'SelfComposedDpEvent', count, event }
      return costsOf(parseRelease({ dpEvent }, relation), orders.map(rdpRow))
    })
    expect(answers).toHaveLength(EVENTS)
    expect(new Set(events.map(({ event }) => event.class_name)).size).toBe(6)
  })

  oracleTest('every cost is the real number with 60 digits, rounded up: never below it, never a unit above', () => {
    for (const [index, { event, orders }] of events.entries()) {
      for (const [position, order] of orders.entries()) {
        const { num, den } = parseRational(answers[index]!.exact[position])
        const units = ceilDivide(num * SCALE_LOSS, den)
        const place = `${JSON.stringify(event)} at ${order}`
        expect(costs[index]![rdpRow(order)], place).toBe(units >= INFINITE_FROM ? 'INF' : units)
      }
    }
  })

  oracleTest('their doubles agree as far as doubles go', () => {
    let compared = 0
    for (const [index, { event, orders, count }] of events.entries()) {
      for (const [position, order] of orders.entries()) {
        const cost = costs[index]![rdpRow(order)]!
        if (cost === 'INF') continue
        const ours = Number(cost) / 1e15
        const theirs = Number(answers[index]!.theirs[position])
        const tolerance = count * 3e-15 + 5e-13 * ours + 1e-15
        const place = `${JSON.stringify(event)} x ${count} at ${order}: ours ${ours}, theirs ${theirs}`
        expect(Math.abs(theirs - ours), place).toBeLessThanOrEqual(tolerance)
        compared++
      }
    }
    expect(compared).toBeGreaterThan(EVENTS)
  })
})

describe('dp_accounting 0.6.0, from divergences to epsilon', () => {
  oracleTest('agrees wherever it does not call the loss nothing', (path) => {
    const cases = fc.sample(
      fc.record({
        rdp: fc.integer({ min: 1, max: 9_999 }).map((value) => [value / 1_000]),
        orders: fc.integer({ min: 2, max: 256 }).map((order) => [order]),
        delta: fc.integer({ min: 2, max: 12 }).map((power) => 10 ** -power),
      }),
      { numRuns: 300, seed: SEED },
    )
    const theirs = ask<{ epsilon: string }>(path, cases).map(({ epsilon }) => Number(epsilon))
    for (const [index, { rdp, orders, delta }] of cases.entries()) {
      const ours =
        Number(epsilonOfRdp(parseRational(rdp[0]), rational(BigInt(orders[0]!)), parseRational(delta))) / 1e15
      if (theirs[index] === 0) continue
      expect(Math.abs(ours - theirs[index]!), JSON.stringify(cases[index])).toBeLessThanOrEqual(1e-12 * ours + 1e-14)
    }
  })
})

function asked(): fc.Arbitrary<Asked> {
  const orders = fc.constant([2, 3, 4, 8, 16, 32, 64])
  const counts = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 100_000 }))
  const sigmas = fc.integer({ min: 30, max: 2_000 }).map((hundredths) => hundredths / 100)
  const gaussian = sigmas.map((noise_multiplier) => ({ class_name: 'GaussianDpEvent', noise_multiplier }))
  const composed = fc.tuple(gaussian, gaussian, fc.integer({ min: 1, max: 4 })).map(([one, other, count]) => ({
    class_name: 'ComposedDpEvent',
    events: [one, { class_name: 'SelfComposedDpEvent', event: other, count }],
  }))
  const sampled = fc
    .tuple(fc.integer({ min: 1, max: 5_000 }), fc.oneof(gaussian, composed))
    .map(([q, event]) => ({ class_name: 'PoissonSampledDpEvent', sampling_probability: q / 10_000, event }))
  const laplace = sigmas.map((noise_multiplier) => ({ class_name: 'LaplaceDpEvent', noise_multiplier }))
  const response = fc
    .tuple(fc.integer({ min: 1, max: 990 }), fc.integer({ min: 2, max: 40 }))
    .map(([p, num_buckets]) => ({ class_name: 'RandomizedResponseDpEvent', noise_parameter: p / 1_000, num_buckets }))
  const zcdp = fc
    .tuple(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 0, max: 100 }))
    .map(([rho, xi]) => ({ class_name: 'ZCDpEvent', rho: rho / 1_000, xi: xi / 1_000 }))
  const tree = fc
    .tuple(sigmas, fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 3 }))
    .map(([noise_multiplier, step_counts]) => ({
      class_name: 'SingleEpochTreeAggregationDpEvent',
      noise_multiplier,
      step_counts,
    }))
  const under = (event: fc.Arbitrary<{ class_name: string }>, ...relations: Relation[]): fc.Arbitrary<Asked> =>
    fc.record({ event, relation: fc.constantFrom(...relations), count: counts, orders })
  return fc.oneof(
    { weight: 2, arbitrary: under(gaussian, 'add_or_remove_one', 'replace_special') },
    { weight: 5, arbitrary: under(sampled, 'add_or_remove_one', 'replace_special') },
    { weight: 3, arbitrary: under(laplace, 'add_or_remove_one', 'replace_special') },
    { weight: 3, arbitrary: under(response, 'replace_one', 'replace_special') },
    { weight: 1, arbitrary: under(zcdp, 'add_or_remove_one', 'replace_one', 'replace_special') },
    { weight: 1, arbitrary: under(tree, 'replace_special') },
  )
}
