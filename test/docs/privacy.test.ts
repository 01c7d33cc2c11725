import { expect, test } from 'vitest'
import { type BudgetTerms, capsFor } from '../../src/accounting/caps.js'
import { costsOf } from '../../src/accounting/cost.js'
import { parseRelease } from '../../src/accounting/release.js'
import { readPage } from './markdown.js'

const PAGE = () => readPage('privacy.md').replace(/\s+/g, ' ')

const capAt = (order: number, share: string): number => {
  const terms: BudgetTerms = {
    metric: 'rdp',
    epsilon: '3',
    delta: '1e-6',
    orders: [{ alpha: order, deltaShare: share }],
  }
  return Number(capsFor(terms).caps[`rdp:${order}`]) / 1e15
}

/** Cut, not rounded: caps are rounded down. */
const shown = (value: number): string => String(Math.floor(value * 1e6) / 1e6)

/** A release with one rare output of this probability and loss, and one other. */
const twoPoint = (rare: number, loss: number) => {
  const likely = Math.log1p(-rare) - Math.log1p(-rare * Math.exp(-loss))
  const divergence = (order: number): number => {
    const rareQ = rare * Math.exp(-loss)
    const there = rare * Math.exp((order - 1) * loss) + (1 - rare) * Math.exp((order - 1) * likely)
    const back = rareQ * Math.exp(-(order - 1) * loss) + (1 - rareQ) * Math.exp(-(order - 1) * likely)
    return Math.log(Math.max(there, back)) / (order - 1)
  }
  return { rare, loss, likely, divergence }
}

const FIRST = twoPoint(0.0001, 0.3)
const AFTER_RARE = twoPoint(0.641913047184708, 2.7157)
const AFTER_OTHER = twoPoint(0.00000799718005, 3.1335)

test('the caps of the counterexample are those of the program, with the full delta and with shares', () => {
  for (const [order, share] of [
    [8, '1e-6'],
    [64, '1e-6'],
    [8, '5e-7'],
    [64, '5e-7'],
  ] as const) {
    expect(PAGE()).toContain(shown(capAt(order, share)))
  }
})

test('every path of the counterexample is within the full-delta cap of some order', () => {
  expect(FIRST.divergence(64) + AFTER_RARE.divergence(64)).toBeLessThanOrEqual(capAt(64, '1e-6') + 1e-12)
  expect(FIRST.divergence(8) + AFTER_OTHER.divergence(8)).toBeLessThanOrEqual(capAt(8, '1e-6') + 1e-12)
  for (const divergence of [FIRST.divergence(8), FIRST.divergence(64)]) expect(PAGE()).toContain(divergence.toFixed(6))
})

test('and yet its true delta is twice the budget, as the page says', () => {
  const above = (probability: number, loss: number) => Math.max(0, probability * -Math.expm1(3 - loss))
  const delta =
    above(FIRST.rare * AFTER_RARE.rare, FIRST.loss + AFTER_RARE.loss) +
    above(FIRST.rare * (1 - AFTER_RARE.rare), FIRST.loss + AFTER_RARE.likely) +
    above((1 - FIRST.rare) * AFTER_OTHER.rare, FIRST.likely + AFTER_OTHER.loss) +
    above((1 - FIRST.rare) * (1 - AFTER_OTHER.rare), FIRST.likely + AFTER_OTHER.likely)
  expect(delta).toBeCloseTo(1.99908e-6, 11)
  expect(PAGE()).toContain(delta.toFixed(12))
})

test('with shares of delta the second releases of the counterexample are refused at every order', () => {
  for (const second of [AFTER_RARE, AFTER_OTHER]) {
    for (const order of [8, 64]) {
      expect(FIRST.divergence(order) + second.divergence(order)).toBeGreaterThan(capAt(order, '5e-7'))
    }
  }
})

test('three spends of a third cost what the page says, and one spend of count 3 costs 1', () => {
  const third = (count: string) =>
    costsOf(parseRelease({ mechanism: 'declared_pure', epsilon: '1/3', count }, 'add_or_remove_one'), ['eps']).eps
  expect(PAGE()).toContain(`${third('1')} units each`)
  expect(3n * (third('1') as bigint)).toBe(10n ** 15n + 2n)
  expect(third('3')).toBe(10n ** 15n)
})

test('a Gaussian has no finite cost in a pure budget', () => {
  const release = parseRelease({ mechanism: 'gaussian', noiseMultiplier: '100' }, 'add_or_remove_one')
  expect(costsOf(release, ['eps']).eps).toBe('INF')
})
