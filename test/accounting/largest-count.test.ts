import fc from 'fast-check'
import { expect, test } from 'vitest'
import { costOf, largestCount } from '../../src/accounting/cost.js'
import { pricesOf } from '../../src/accounting/price.js'
import { parseRelease, type Release, withCount } from '../../src/accounting/release.js'
import type { Row } from '../../src/accounting/units.js'

const MOST = 10n ** 12n

const bodies = fc.oneof(
  fc.record({ mechanism: fc.constant('laplace'), noiseMultiplier: decimal(-2, 9) }),
  fc.record({ mechanism: fc.constantFrom('declared_pure', 'exponential'), epsilon: decimal(-20, 1) }),
  fc.record({ mechanism: fc.constant('declared_approx'), epsilon: decimal(-6, 0), delta: decimal(-20, -2) }),
  fc.record({
    mechanism: fc.constant('gaussian'),
    noiseMultiplier: decimal(-1, 6),
    sampling: fc.record({ method: fc.constant('poisson'), probability: decimal(-9, -2) }),
  }),
)
const rows = fc.constantFrom<Row>('eps', 'rho', 'delta', 'rdp:2', 'rdp:16', 'rdp:inf')
const remainders = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 62n }), fc.bigInt({ min: 0n, max: 1_000n }))

test('the largest count passes and one more does not', () => {
  fc.assert(
    fc.property(bodies, rows, remainders, (body, row, remaining) => {
      expectLargest(parseRelease(body, 'add_or_remove_one'), row, remaining)
    }),
    { numRuns: 300 },
  )
})

test('of several parts as many whole repetitions as pass', () => {
  const parts = fc.array(fc.tuple(bodies, fc.integer({ min: 1, max: 1_000 })), { minLength: 2, maxLength: 4 })
  fc.assert(
    fc.property(parts, rows, remainders, (list, row, remaining) => {
      const body = { parts: list.map(([part, count]) => ({ ...part, count })) }
      expectLargest(parseRelease(body, 'add_or_remove_one'), row, remaining)
    }),
    { numRuns: 100 },
  )
})

test('the price of one run gives the same answer, or one below it', () => {
  fc.assert(
    fc.property(bodies, rows, remainders, (body, row, remaining) => {
      const release = parseRelease(body, 'add_or_remove_one')
      const [part] = release.parts
      const price = pricesOf(part!.mechanism, release.relation, [row]).get(row)!
      if (price === 'INF') {
        expect(costOf(release, row)).toBe('INF')
        return
      }
      const units = price.hi
      const quotient = units.num === 0n ? MOST : (remaining * units.den) / units.num
      const count = quotient < MOST ? quotient : MOST
      const largest = largestCount(release, row, remaining)
      expect(count <= largest && largest - count <= 1n).toBe(true)
    }),
    { numRuns: 100 },
  )
})

test('nothing fits where nothing is left, and everything where nothing is charged', () => {
  const laplace = parseRelease({ mechanism: 'laplace', noiseMultiplier: '10' }, 'add_or_remove_one')
  expect(largestCount(laplace, 'eps', -1n)).toBe(0n)
  expect(largestCount(laplace, 'eps', 0n)).toBe(0n)
  expect(largestCount(laplace, 'delta', 0n)).toBe(MOST)
  expect(largestCount(laplace, 'mu2', 10n ** 18n)).toBe(0n)
  expect(largestCount(parseRelease({ mechanism: 'no_op' }, 'add_or_remove_one'), 'eps', 0n)).toBe(MOST)
})

function expectLargest(release: Release, row: Row, remaining: bigint): void {
  const count = largestCount(release, row, remaining)
  expect(passes(release, row, count, remaining)).toBe(true)
  if (count < MOST) expect(passes(release, row, count + 1n, remaining)).toBe(false)
}

function passes(release: Release, row: Row, count: bigint, remaining: bigint): boolean {
  const cost = costOf(withCount(release, count), row)
  return cost !== 'INF' && cost <= remaining
}

function decimal(least: number, most: number): fc.Arbitrary<string> {
  const mantissas = fc.integer({ min: 1, max: 9_999 })
  return fc
    .tuple(mantissas, fc.integer({ min: least, max: most }))
    .map(([mantissa, power]) => `${mantissa}e${power - 3}`)
}
