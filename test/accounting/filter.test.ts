import fc from 'fast-check'
import { expect, test } from 'vitest'
import { admits, type Filter } from '../../src/accounting/filter.js'
import type { Cost, Row } from '../../src/accounting/units.js'

const budget: Filter = { and: ['delta'], or: ['rdp:inf', 'rdp:8'], caps: { delta: 5n, 'rdp:inf': 100n, 'rdp:8': 50n } }

const decide = (filter: Filter, taken: Partial<Record<Row, Cost>>, costs: Partial<Record<Row, Cost>>) =>
  admits(
    filter,
    (row) => taken[row] ?? 0n,
    (row) => costs[row] ?? 0n,
  )

test('a cost that fills the cap exactly is admitted, and one unit more is not', () => {
  const filter: Filter = { and: ['eps'], or: [], caps: { eps: 10n } }
  expect(decide(filter, { eps: 7n }, { eps: 3n })).toBe(true)
  expect(decide(filter, { eps: 7n }, { eps: 4n })).toBe(false)
  expect(decide(filter, { eps: 11n }, { eps: 0n })).toBe(false)
})

test('one order with room is enough, beside rows that must all hold', () => {
  expect(decide(budget, {}, { 'rdp:inf': 100n, 'rdp:8': 51n })).toBe(true)
  expect(decide(budget, {}, { 'rdp:inf': 101n, 'rdp:8': 50n })).toBe(true)
  expect(decide(budget, {}, { 'rdp:inf': 101n, 'rdp:8': 51n })).toBe(false)
  expect(decide(budget, {}, { delta: 6n, 'rdp:8': 50n })).toBe(false)
})

test('a row with an infinite cost stays spent out, even for a cost of 0', () => {
  expect(decide(budget, { 'rdp:8': 'INF', 'rdp:inf': 'INF' }, {})).toBe(false)
  expect(decide(budget, { 'rdp:8': 'INF' }, {})).toBe(true)
  expect(decide(budget, { delta: 'INF' }, {})).toBe(false)
  expect(decide(budget, {}, { 'rdp:inf': 'INF', 'rdp:8': 'INF' })).toBe(false)
})

test('a dead order never admits, and a dead row that must hold admits only what costs nothing', () => {
  const dead: Filter = { and: [], or: ['rdp:2'], caps: { 'rdp:2': 'DEAD' } }
  expect(decide(dead, {}, {})).toBe(false)
  const zcdp: Filter = { and: ['rho'], or: [], caps: { rho: 'DEAD' } }
  expect(decide(zcdp, {}, { rho: 0n })).toBe(true)
  expect(decide(zcdp, {}, { rho: 1n })).toBe(false)
})

test('whatever is asked, in whatever order, what was admitted stays within the caps', () => {
  const cost = fc.oneof(fc.bigInt({ min: 0n, max: 60n }), fc.constant<Cost>('INF'))
  const spend = fc.record({ delta: fc.bigInt({ min: 0n, max: 3n }), 'rdp:inf': cost, 'rdp:8': cost })
  fc.assert(
    fc.property(fc.array(spend, { maxLength: 20 }), (spends) => {
      const taken: Partial<Record<Row, Cost>> = {}
      for (const costs of spends) {
        if (!decide(budget, taken, costs)) continue
        for (const [row, units] of Object.entries(costs) as [Row, Cost][]) {
          const sum = taken[row] ?? 0n
          taken[row] = units === 'INF' || sum === 'INF' ? 'INF' : sum + units
        }
      }
      const within = (row: Row): boolean => {
        const sum = taken[row] ?? 0n
        return sum !== 'INF' && sum <= (budget.caps[row] as bigint)
      }
      expect(within('delta') && (within('rdp:inf') || within('rdp:8'))).toBe(true)
    }),
  )
})
