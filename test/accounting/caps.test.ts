import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BudgetTerms, capsFor } from '../../src/accounting/caps.js'
import { largestDivergence } from '../../src/accounting/conversion.js'
import { costOf } from '../../src/accounting/cost.js'
import { AccountingError } from '../../src/accounting/errors.js'
import { floorScaled } from '../../src/accounting/exact/rounding.js'
import { add, parseRational, rational, rationalText } from '../../src/accounting/rational.js'
import { parseRelease } from '../../src/accounting/release.js'
import { type Metric, rdpRow, SCALE_LOSS } from '../../src/accounting/units.js'

function outcome(terms: BudgetTerms): string {
  try {
    capsFor(terms)
  } catch (error) {
    if (error instanceof AccountingError) return `${error.code} ${error.pointer}`
    throw error
  }
  return 'accepted'
}

const rdp = { metric: 'rdp', epsilon: '3', delta: '1e-5' } as const
const zcdp = { metric: 'zcdp', epsilon: '1', delta: '1e-6' } as const

describe('pure and approx', () => {
  test('hold ε and δ themselves, and pure holds no δ at all', () => {
    expect(capsFor({ metric: 'pure', epsilon: '0.3', delta: '0' })).toEqual({
      and: ['eps', 'delta'],
      or: [],
      caps: { eps: 300_000_000_000_000n, delta: 0n },
      deltaConv: '0',
      deltaExt: '0',
      warnings: [],
    })
    const { caps } = capsFor({ metric: 'approx', epsilon: '1/3', delta: '1/3' })
    expect(caps).toEqual({ eps: 333_333_333_333_333n, delta: 333_333_333_333_333_333n })
    expect(outcome({ metric: 'pure', epsilon: '1', delta: '1e-6' })).toBe('OUT_OF_RANGE /delta')
  })
})

describe('zcdp', () => {
  test('the default order is the best eighth of all', () => {
    const best = (epsilon: string, delta: string): [string, bigint] => {
      let found: [string, bigint] = ['', 0n]
      for (let eighths = 9n; eighths < 1_000n; eighths++) {
        const order = rational(eighths, 8n)
        const largest = floorScaled(largestDivergence(parseRational(epsilon), order, parseRational(delta)), 10n ** 40n)
        const rho = (largest * order.den) / order.num
        if (rho > found[1]) found = [`${eighths}/8`, rho]
      }
      return found
    }
    for (const [epsilon, delta] of [
      ['1', '1e-6'],
      ['8', '1e-5'],
      ['0.5', '1e-9'],
      ['3', '0.3'],
    ] as const) {
      const { alphaStar, caps } = capsFor({ metric: 'zcdp', epsilon, delta })
      const [order, rho] = best(epsilon, delta)
      expect(parseRational(alphaStar)).toEqual(parseRational(order))
      expect(caps.rho).toBe(rho / 10n ** 25n)
    }
  })

  test('keeps the part of δ for spends out of the conversion', () => {
    const { caps, deltaConv, deltaExt } = capsFor({ ...zcdp, deltaForSpends: '1e-7', alphaStar: '24' })
    expect(caps).toEqual({ rho: 23_978_358_493_402n, delta: 100_000_000_000n })
    expect([deltaConv, deltaExt]).toEqual(['0.0000009', '0.0000001'])
  })

  test('says so where nothing fits', () => {
    const { caps, warnings } = capsFor({ ...zcdp, epsilon: '1e-9', delta: '1e-30' })
    expect(caps.rho).toBe('DEAD')
    expect(warnings).toHaveLength(1)
  })
})

describe('rdp', () => {
  test('the automatic orders are those of the published examples', () => {
    const orders = (epsilon: string, delta: string) => capsFor({ metric: 'rdp', epsilon, delta }).orders
    expect(orders('1', '1e-6')?.map(({ alpha }) => alpha)).toEqual(['inf', 14, 16, 20, 24, 28])
    expect(orders('3', '1e-5')?.map(({ alpha }) => alpha)).toEqual(['inf', 5, 6, 8, 10])
    expect(orders('8', '1e-5')?.map(({ alpha }) => alpha)).toEqual(['inf', 3, 4])
    expect(orders('3', '1e-5')?.map(({ deltaShare }) => deltaShare)).toEqual(['0', ...Array(4).fill('0.0000025')])
  })

  test('a planned spend gets the order at which most of it fits', () => {
    const planned = parseRelease(
      {
        mechanism: 'gaussian',
        noiseMultiplier: '1.1',
        sampling: { method: 'poisson', probability: '0.004' },
        count: 9,
      },
      'add_or_remove_one',
    )
    const { orders, caps } = capsFor({ ...rdp, plannedFor: planned })
    expect(orders).toHaveLength(1)
    const chosen = orders![0]!.alpha as number
    const fits = (order: number): number => {
      const cap = capsFor({ ...rdp, orders: [{ alpha: order }] }).caps[rdpRow(order)]
      const cost = costOf(planned, rdpRow(order))
      return cap === 'DEAD' || cost === 'INF' ? 0 : Number(cap) / Number(cost)
    }
    for (const order of [2, 4, 6, 8, 10, 16, 32, 64, 256]) expect(fits(chosen)).toBeGreaterThanOrEqual(fits(order))
    expect(caps.delta).toBe(0n)
    expect(orders![0]!.deltaShare).toBe('0.00001')
  })

  test('orders without shares share δ equally, and the shares never exceed it', () => {
    const { orders } = capsFor({ ...rdp, orders: [{ alpha: 'inf' }, { alpha: 8 }, { alpha: '16' }, { alpha: 32 }] })
    expect(orders?.map(({ deltaShare }) => deltaShare)).toEqual(['0', '1/300000', '1/300000', '1/300000'])
    const over = [
      { alpha: 8, deltaShare: '9e-6' },
      { alpha: 16, deltaShare: '1.1e-6' },
    ]
    expect(outcome({ ...rdp, orders: over })).toBe('OUT_OF_RANGE /orders')
    expect(outcome({ ...rdp, deltaForSpends: '2e-6', orders: [{ alpha: 8, deltaShare: '9e-6' }] })).toBe(
      'OUT_OF_RANGE /orders',
    )
    expect(capsFor({ ...rdp, orders: [{ alpha: 8, deltaShare: '9e-6' }] }).warnings).toHaveLength(1)
  })

  test('wrong orders are refused', () => {
    const at = (...alphas: unknown[]) => outcome({ ...rdp, orders: alphas.map((alpha) => ({ alpha })) })
    expect(at(1)).toBe('OUT_OF_RANGE /orders/0/alpha')
    expect(at(2, 1025)).toBe('OUT_OF_RANGE /orders/1/alpha')
    expect(at('2.5')).toBe('OUT_OF_RANGE /orders/0/alpha')
    expect(at(8, '8')).toBe('INVALID /orders/1/alpha')
    expect(at()).toBe('INVALID /orders')
    expect(at(...Array.from({ length: 65 }, (_, index) => index + 2))).toBe('INVALID /orders')
    expect(outcome({ ...rdp, orders: [{ alpha: 8, deltaShare: '1e-6' }, { alpha: 9 }] })).toBe('INVALID /orders')
    expect(outcome({ ...rdp, orders: [{ alpha: 'inf', deltaShare: '1e-6' }] })).toBe(
      'OUT_OF_RANGE /orders/0/deltaShare',
    )
  })

  test('a tie that no number of digits can tell is told', () => {
    expect(capsFor({ metric: 'rdp', epsilon: '1', delta: '0.25', orders: [{ alpha: 2 }] }).caps['rdp:2']).toBe(
      SCALE_LOSS,
    )
    expect(capsFor({ metric: 'rdp', epsilon: '1', delta: '0.08192', orders: [{ alpha: 5 }] }).caps['rdp:5']).toBe(
      SCALE_LOSS,
    )
  })
})

test('terms that a metric does not use are refused, not ignored', () => {
  const planned = parseRelease({ mechanism: 'no_op' }, 'add_or_remove_one')
  expect(outcome({ metric: 'pure', epsilon: '1', delta: '0', alphaStar: '2' })).toBe('INVALID /alphaStar')
  expect(outcome({ metric: 'approx', epsilon: '1', delta: '0.1', deltaForSpends: '0.1' })).toBe(
    'INVALID /deltaForSpends',
  )
  expect(outcome({ ...zcdp, orders: [{ alpha: 2 }] })).toBe('INVALID /orders')
  expect(outcome({ ...zcdp, plannedFor: planned })).toBe('INVALID /plannedFor')
  expect(outcome({ ...rdp, alphaStar: 3 })).toBe('INVALID /alphaStar')
  expect(outcome({ ...rdp, orders: [{ alpha: 2 }], plannedFor: planned })).toBe('INVALID /plannedFor')
  expect(outcome({ ...rdp, plannedFor: planned })).toBe('INVALID /plannedFor')
})

test('what cannot be a guarantee is refused', () => {
  expect(outcome({ metric: 'pure', epsilon: '4612', delta: '0' })).toBe('OUT_OF_RANGE /epsilon')
  expect(outcome({ metric: 'pure', epsilon: '4611', delta: '0' })).toBe('accepted')
  expect(outcome({ metric: 'rdp', epsilon: '4612', delta: '1e-6' })).toBe('OUT_OF_RANGE /epsilon')
  expect(outcome({ metric: 'approx', epsilon: '1', delta: '1' })).toBe('OUT_OF_RANGE /delta')
  expect(outcome({ metric: 'approx', epsilon: '-1', delta: '0' })).toBe('OUT_OF_RANGE /epsilon')
  expect(outcome({ metric: 'approx', epsilon: 'NaN', delta: '0' })).toBe('INVALID_NUMBER /epsilon')
  expect(outcome({ ...zcdp, delta: '0' })).toBe('OUT_OF_RANGE /delta')
  expect(outcome({ ...zcdp, delta: '1e-6', deltaForSpends: '1e-6' })).toBe('OUT_OF_RANGE /delta')
  expect(outcome({ ...zcdp, deltaForSpends: '2e-6' })).toBe('OUT_OF_RANGE /deltaForSpends')
  expect(outcome({ ...zcdp, epsilon: '0' })).toBe('OUT_OF_RANGE /epsilon')
  expect(outcome({ ...zcdp, alphaStar: '1' })).toBe('OUT_OF_RANGE /alphaStar')
})

test('the terms that are kept give the same caps again', () => {
  const amounts = fc.tuple(fc.integer({ min: 1, max: 9_999 }), fc.integer({ min: 1, max: 9_999 }))
  fc.assert(
    fc.property(
      amounts,
      fc.integer({ min: 3, max: 12 }),
      fc.constantFrom<Metric>('zcdp', 'rdp'),
      ([e, d], power, metric) => {
        const delta = `${d}e-${power + 4}`
        const terms = { metric, epsilon: `${e}/997`, deltaForSpends: `1e-${power + 5}` } as const
        const first = capsFor({ ...terms, delta })
        const { alphaStar, orders, deltaConv, deltaExt } = first
        const again = rationalText(add(parseRational(deltaConv), parseRational(deltaExt)))
        const kept = capsFor({ ...terms, delta: again, deltaForSpends: deltaExt, alphaStar, orders })
        expect(kept).toEqual({ ...first, warnings: kept.warnings })
      },
    ),
    { numRuns: 60 },
  )
  const seventh = { ...rdp, orders: [2, 3, 4, 5, 6, 7, 8].map((alpha) => ({ alpha })) }
  expect(outcome({ ...seventh, delta: `0.${'1'.repeat(60)}` })).toBe('accepted')
  expect(outcome({ ...seventh, delta: `0.${'1'.repeat(59)}3` })).toBe('OUT_OF_RANGE /delta')
})

test('a larger ε or δ never gives a smaller cap', () => {
  const amounts = fc.tuple(fc.integer({ min: 1, max: 999 }), fc.integer({ min: 1, max: 9 }))
  fc.assert(
    fc.property(amounts, fc.constantFrom('zcdp', 'rdp:8', 'rdp:64'), ([mantissa, power], kind) => {
      const cap = (epsilon: string, delta: string): bigint => {
        const terms = { epsilon, delta }
        const { caps } =
          kind === 'zcdp'
            ? capsFor({ metric: 'zcdp', ...terms })
            : capsFor({ metric: 'rdp', ...terms, orders: [{ alpha: kind.slice(4) }] })
        const found = kind === 'zcdp' ? caps.rho : caps[rdpRow(Number(kind.slice(4)))]
        return found === 'DEAD' || found === undefined ? 0n : found
      }
      const delta = `1e-${power}`
      const here = cap(`${mantissa / 100}`, delta)
      expect(cap(`${(mantissa + 1) / 100}`, delta)).toBeGreaterThanOrEqual(here)
      expect(cap(`${mantissa / 100}`, `2e-${power}`)).toBeGreaterThanOrEqual(here)
    }),
    { numRuns: 60 },
  )
})
