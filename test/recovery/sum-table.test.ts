import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Cost } from '../../src/accounting/units.js'
import { type Balance, emptyBalance, inWindow, reserve, spend, unreserve } from '../../src/budget/balance.js'
import { SumTable } from '../../src/recovery/sum-table.js'

const cost: fc.Arbitrary<Cost> = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 62n }),
  fc.bigInt({ min: 2n ** 61n, max: 2n ** 63n - 2n }),
  fc.constant('INF' as const),
)
const step = fc.record({
  key: fc.constantFrom('a', 'b', 'c', '__proto__'),
  window: fc.constantFrom('lifetime', '2026-01-01', '2026-01-02'),
  move: fc.constantFrom('spend', 'reserve', 'unreserve'),
  costs: fc.tuple(cost, cost),
})

test('the table keeps every balance as it was put in, however large its sums', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const table = new SumTable(2)
      const plain = new Map<string, Balance>()
      for (const { key, window, move, costs } of steps) {
        const before = plain.get(key) ?? emptyBalance(window, 2)
        const balance = window > before.window ? inWindow(before, window) : before
        const after = moved(balance, window, move, costs)
        plain.set(key, after)
        table.set(key, after)
        for (const [name, kept] of plain) expect(table.get(name)).toEqual(kept)
      }
      expect(new Map(table)).toEqual(plain)
    }),
  )
})

/** What cannot be taken back was never set aside: then nothing moves. */
const moved = (balance: Balance, window: string, move: string, costs: readonly Cost[]): Balance => {
  if (move === 'spend') return spend(balance, window, costs)
  if (move === 'reserve') return reserve(balance, window, costs)
  try {
    return unreserve(balance, window, costs)
  } catch {
    return balance
  }
}
