import fc from 'fast-check'
import { expect, test } from 'vitest'
import { admits, type Filter, type Sums } from '../../src/accounting/filter.js'
import type { Cost, Row } from '../../src/accounting/units.js'

const NOTHING: Sums = { finite: 0n, infinite: 0 }

const budget: Filter = { and: ['delta'], or: ['rdp:inf', 'rdp:8'], caps: { delta: 5n, 'rdp:inf': 100n, 'rdp:8': 50n } }

const decide = (filter: Filter, used: Partial<Record<Row, Sums>>, costs: Partial<Record<Row, Cost>>) =>
  admits(
    filter,
    (row) => used[row] ?? NOTHING,
    (row) => costs[row] ?? 0n,
  )

test('a cost that fills the cap exactly is admitted, and one unit more is not', () => {
  const filter: Filter = { and: ['eps'], or: [], caps: { eps: 10n } }
  const used = { eps: { finite: 7n, infinite: 0 } }
  expect(decide(filter, used, { eps: 3n })).toEqual({ ok: true, live: [] })
  expect(decide(filter, used, { eps: 4n })).toEqual({ ok: false, failing: ['eps'] })
  expect(decide(filter, { eps: { finite: 11n, infinite: 0 } }, { eps: 0n })).toEqual({ ok: false, failing: ['eps'] })
})

test('one order with room is enough, and those without are named when there is none', () => {
  expect(decide(budget, {}, { 'rdp:inf': 100n, 'rdp:8': 51n })).toEqual({ ok: true, live: ['rdp:inf'] })
  expect(decide(budget, {}, { 'rdp:inf': 101n, 'rdp:8': 50n })).toEqual({ ok: true, live: ['rdp:8'] })
  expect(decide(budget, {}, { 'rdp:inf': 101n, 'rdp:8': 51n })).toEqual({ ok: false, failing: ['rdp:inf', 'rdp:8'] })
  expect(decide(budget, {}, { delta: 6n, 'rdp:8': 51n })).toEqual({ ok: false, failing: ['delta'] })
})

test('a row with an infinite cost stays spent out, even for a cost of 0', () => {
  const used = { 'rdp:8': { finite: 0n, infinite: 1 }, 'rdp:inf': { finite: 0n, infinite: 1 } }
  expect(decide(budget, used, {})).toEqual({ ok: false, failing: ['rdp:inf', 'rdp:8'] })
  expect(decide(budget, { delta: { finite: 0n, infinite: 1 } }, {})).toEqual({ ok: false, failing: ['delta'] })
  expect(decide(budget, {}, { 'rdp:inf': 'INF', 'rdp:8': 'INF' })).toEqual({ ok: false, failing: ['rdp:inf', 'rdp:8'] })
})

test('a dead order never admits, and a dead row that must hold admits only what costs nothing', () => {
  const dead: Filter = { and: [], or: ['rdp:2'], caps: { 'rdp:2': 'DEAD' } }
  expect(decide(dead, {}, {}).ok).toBe(false)
  const zcdp: Filter = { and: ['rho'], or: [], caps: { rho: 'DEAD' } }
  expect(decide(zcdp, {}, { rho: 0n }).ok).toBe(true)
  expect(decide(zcdp, {}, { rho: 1n }).ok).toBe(false)
})

test('whatever is asked, in whatever order, what was admitted stays within the caps', () => {
  const cost = fc.oneof(fc.bigInt({ min: 0n, max: 60n }), fc.constant<Cost>('INF'))
  const spend = fc.record({ delta: fc.bigInt({ min: 0n, max: 3n }), 'rdp:inf': cost, 'rdp:8': cost })
  fc.assert(
    fc.property(fc.array(spend, { maxLength: 20 }), (spends) => {
      const used: Partial<Record<Row, Sums>> = {}
      for (const costs of spends) {
        if (!decide(budget, used, costs).ok) continue
        for (const [row, units] of Object.entries(costs) as [Row, Cost][]) {
          const { finite, infinite } = used[row] ?? NOTHING
          used[row] = units === 'INF' ? { finite, infinite: infinite + 1 } : { finite: finite + units, infinite }
        }
      }
      const within = (row: Row): boolean => {
        const { finite, infinite } = used[row] ?? NOTHING
        return infinite === 0 && finite <= (budget.caps[row] as bigint)
      }
      expect(within('delta') && (within('rdp:inf') || within('rdp:8'))).toBe(true)
    }),
  )
})
