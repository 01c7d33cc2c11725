import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { capsFor } from '../../src/accounting/caps.js'
import { costOf, costsOf } from '../../src/accounting/cost.js'
import { costAtPrice, pricesOf } from '../../src/accounting/price.js'
import { parseRational } from '../../src/accounting/rational.js'
import { parseRelease, withCount } from '../../src/accounting/release.js'
import { type Cost, type Relation, type Row, rdpRow, SCALE_LOSS } from '../../src/accounting/units.js'
import * as reference from './reference.js'

const digits = fc.integer({ min: 1, max: 9_999 })
const decimal = (least: number, most: number): fc.Arbitrary<string> =>
  fc.tuple(digits, fc.integer({ min: least, max: most })).map(([mantissa, power]) => `${mantissa}e${power - 3}`)

const epsilons = decimal(-6, 0)
const sigmas = fc.integer({ min: 30, max: 5_000 }).map((hundredths) => `${hundredths / 100}`)
const probabilities = decimal(-8, -1)
const orders = fc.constantFrom(2, 3, 5, 8, 16, 32)
const counts = fc.oneof(fc.constant(1n), fc.bigInt({ min: 1n, max: 10n ** 12n }))
const runs = { numRuns: 100 }

const fixed = (text: string): reference.Fixed => reference.fixed(parseRational(text))

function cost(body: object, row: Row, relation: Relation = 'add_or_remove_one'): Cost {
  return costOf(parseRelease(body, relation), row)
}

/** The cost is the true number rounded up, or infinite where that is beyond 2⁶³ - 2. */
function expectRoundedUp(actual: Cost, real: reference.Fixed, count: bigint): void {
  const units = reference.ceilUnits(real, SCALE_LOSS * count)
  expect(actual).toBe(units >= 2n ** 63n - 1n ? 'INF' : units)
}

describe('every cost is the exact number, rounded up once', () => {
  test('laplace', () => {
    fc.assert(
      fc.property(epsilons, orders, counts, (epsilon, order, count) => {
        const [mantissa, power] = epsilon.split('e')
        const noiseMultiplier = Number(power) < 0 ? `1${'0'.repeat(-Number(power))}/${mantissa}` : `1/${mantissa}`
        const body = { mechanism: 'laplace', noiseMultiplier, count: `${count}` }
        expectRoundedUp(cost(body, 'eps'), fixed(epsilon), count)
        expectRoundedUp(cost(body, 'rho'), reference.laplaceRho(fixed(epsilon)), count)
        expectRoundedUp(cost(body, rdpRow(order)), reference.laplaceRdp(fixed(epsilon), order), count)
      }),
      runs,
    )
  })

  test('declared_pure', () => {
    fc.assert(
      fc.property(epsilons, orders, counts, (epsilon, order, count) => {
        const body = { mechanism: 'declared_pure', epsilon, count: `${count}` }
        expectRoundedUp(cost(body, 'rho'), reference.pureRho(fixed(epsilon)), count)
        expectRoundedUp(cost(body, rdpRow(order)), reference.pureRdp(fixed(epsilon), order), count)
      }),
      runs,
    )
  })

  test('declared_pure on a Poisson sample', () => {
    fc.assert(
      fc.property(epsilons, probabilities, orders, counts, (epsilon, probability, order, count) => {
        const sampling = { method: 'poisson', probability }
        const body = { mechanism: 'declared_pure', epsilon, sampling, count: `${count}` }
        const sampled = reference.sampledEpsilon(fixed(epsilon), fixed(probability))
        expectRoundedUp(cost(body, 'eps'), sampled, count)
        expectRoundedUp(cost(body, 'rho'), reference.pureRho(sampled), count)
        expectRoundedUp(cost(body, rdpRow(order)), reference.pureRdp(sampled, order), count)
      }),
      runs,
    )
  })

  test('exponential', () => {
    fc.assert(
      fc.property(epsilons, orders, counts, (epsilon, order, count) => {
        const value = fixed(epsilon)
        const bounds = [reference.boundedRangeRdp(value, order), value, reference.pureRdp(value, order)]
        const body = { mechanism: 'exponential', epsilon, count: `${count}` }
        expectRoundedUp(cost(body, rdpRow(order)), least(bounds), count)
      }),
      runs,
    )
  })

  test('discrete_laplace', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 60, max: 300 }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom(2, 3, 8),
        (hundredths, sensitivity, order) => {
          const noiseParameter = `${hundredths}/100`
          const body = { mechanism: 'discrete_laplace', noiseParameter, sensitivity }
          const real = reference.discreteLaplaceRdp(fixed(noiseParameter), sensitivity, order)
          expectRoundedUp(cost(body, rdpRow(order)), real, 1n)
        },
      ),
      { numRuns: 6 },
    )
  })

  test('randomized_response', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 999 }),
        fc.integer({ min: 2, max: 50 }),
        orders,
        counts,
        (thousandths, numBuckets, order, count) => {
          const noiseParameter = `${thousandths}/1000`
          const noise = fixed(noiseParameter)
          const body = { mechanism: 'randomized_response', noiseParameter, numBuckets, count: `${count}` }
          const replaced = reference.responseRdp(noise, numBuckets, order)
          expectRoundedUp(cost(body, rdpRow(order), 'replace_one'), replaced, count)
          const zeroed = reference.zeroedResponseRdp(noise, numBuckets, order)
          expectRoundedUp(cost(body, rdpRow(order), 'replace_special'), zeroed, count)
        },
      ),
      runs,
    )
  })

  test('gaussian on a Poisson sample', () => {
    fc.assert(
      fc.property(sigmas, probabilities, orders, counts, (noiseMultiplier, probability, order, count) => {
        const body = {
          mechanism: 'gaussian',
          noiseMultiplier,
          sampling: { method: 'poisson', probability },
          count: `${count}`,
        }
        const variance = reference.fixed(parseRational(noiseMultiplier))
        const squared = reference.times(variance, variance)
        const real = reference.subsampledGaussianRdp(squared, fixed(probability), order)
        expectRoundedUp(cost(body, rdpRow(order)), real, count)
      }),
      runs,
    )
  })
})

test('a loss that lies below a whole number by less than digits can tell is that number, and every count of it is known', () => {
  const bodies = (epsilon: string) => [
    { mechanism: 'declared_pure', epsilon },
    { mechanism: 'permute_and_flip', epsilon },
    { mechanism: 'declared_approx', epsilon, delta: '1e-9' },
    { mechanism: 'discrete_laplace', noiseParameter: epsilon, sensitivity: 1 },
  ]
  for (const epsilon of ['60.1', '100', '700.5', '2000.3', '4000.1']) {
    const units = parseRational(epsilon).num * (SCALE_LOSS / parseRational(epsilon).den)
    for (const body of bodies(epsilon)) {
      const [part] = parseRelease(body, 'add_or_remove_one').parts
      const rows: readonly Row[] = ['rho', rdpRow(64), rdpRow(1_024)]
      const prices = pricesOf(part!.mechanism, 'add_or_remove_one', rows)
      for (const row of rows) {
        const price = prices.get(row)!
        expect([row, cost(body, row), costAtPrice(price, 1n), costAtPrice(price, 2n)]).toEqual([
          row,
          units,
          units,
          2n * units,
        ])
      }
    }
  }
})

test('every cap is the exact number, rounded down', () => {
  fc.assert(
    fc.property(decimal(-3, 2), decimal(-12, -1), orders, (epsilon, delta, order) => {
      const units = reference.floorUnits(reference.largestDivergence(fixed(epsilon), fixed(delta), order), SCALE_LOSS)
      const { caps } = capsFor({ metric: 'rdp', epsilon, delta, orders: [{ alpha: order }] })
      expect(caps[rdpRow(order)]).toBe(units > 0n ? units : 'DEAD')
    }),
    runs,
  )
})

test('the price of one run gives the cost of any count', () => {
  const rows: readonly Row[] = ['eps', 'rho', 'rdp:2', 'rdp:32']
  fc.assert(
    fc.property(epsilons, probabilities, counts, (epsilon, probability, count) => {
      const sampling = { method: 'poisson', probability }
      for (const body of [
        { mechanism: 'exponential', epsilon },
        { mechanism: 'declared_pure', epsilon, sampling },
      ]) {
        const release = withCount(parseRelease(body, 'add_or_remove_one'), count)
        const prices = pricesOf(release.parts[0]!.mechanism, release.relation, rows)
        for (const row of rows) expect(costAtPrice(prices.get(row)!, count)).toBe(costOf(release, row))
      }
    }),
    runs,
  )
})

describe('costs move the right way', () => {
  const rows: readonly Row[] = ['eps', 'rho', 'delta', 'rdp:2', 'rdp:8', 'rdp:256', 'rdp:inf']
  const bodies = fc.oneof(
    fc.record({ mechanism: fc.constant('laplace'), noiseMultiplier: decimal(-2, 4) }),
    fc.record({ mechanism: fc.constantFrom('declared_pure', 'exponential', 'permute_and_flip'), epsilon: epsilons }),
    fc.record({ mechanism: fc.constant('declared_approx'), epsilon: epsilons, delta: decimal(-12, -2) }),
    fc.record({
      mechanism: fc.constant('gaussian'),
      noiseMultiplier: sigmas,
      sampling: fc.record({ method: fc.constant('poisson'), probability: probabilities }),
    }),
  )

  test('more runs never cost less, and never more than each run on its own', () => {
    fc.assert(
      fc.property(bodies, fc.integer({ min: 2, max: 50 }), (body, count) => {
        const once = parseRelease(body, 'add_or_remove_one')
        for (const row of rows) {
          const single = costOf(once, row)
          const fewer = costOf(withCount(once, BigInt(count - 1)), row)
          const all = costOf(withCount(once, BigInt(count)), row)
          if (fewer === 'INF' || single === 'INF') expect(all).toBe('INF')
          else if (all !== 'INF') {
            expect(all).toBeGreaterThanOrEqual(fewer)
            expect(all).toBeLessThanOrEqual(fewer + single)
          }
        }
      }),
      runs,
    )
  })

  test('less noise, a larger sample and a larger order never cost less', () => {
    fc.assert(
      fc.property(sigmas, decimal(-8, -2), orders, (sigma, probability, order) => {
        const at = (noiseMultiplier: string, q: string, alpha: number): bigint => {
          const sampling = { method: 'poisson', probability: q }
          const units = cost({ mechanism: 'gaussian', noiseMultiplier, sampling }, rdpRow(alpha))
          return units === 'INF' ? 2n ** 64n : units
        }
        const here = at(sigma, probability, order)
        expect(at(`${Number(sigma) * 0.9}`, probability, order)).toBeGreaterThanOrEqual(here)
        expect(at(sigma, `${(Number(probability) * 11) / 10}`, order)).toBeGreaterThanOrEqual(here)
        expect(at(sigma, probability, order + 1)).toBeGreaterThanOrEqual(here)
      }),
      runs,
    )
  })

  test('a composition costs the sum of its parts in any order', () => {
    fc.assert(
      fc.property(fc.array(bodies, { minLength: 1, maxLength: 5 }), (parts) => {
        const forward = costsOf(parseRelease({ parts }, 'add_or_remove_one'), rows)
        expect(costsOf(parseRelease({ parts: parts.toReversed() }, 'add_or_remove_one'), rows)).toEqual(forward)
        for (const row of rows) {
          const costs = parts.map((part) => cost(part, row))
          const sum = costs.reduce<bigint>((all, one) => all + (one === 'INF' ? 2n ** 63n : one), 0n)
          expect(forward[row]).toBe(sum >= 2n ** 63n - 1n ? 'INF' : sum)
        }
      }),
      runs,
    )
  })
})

const least = (values: readonly bigint[]): bigint => values.reduce((a, b) => (b < a ? b : a))
