import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Cost } from '../../../src/accounting/units.js'
import { LedgerState } from '../../../src/adapters/state/ledger-state.js'
import type { Held } from '../../../src/budget/state.js'
import { NaiveState } from '../../support/naive-state.js'

const KEYS = ['ada', 'bob'] as const
const WINDOWS = ['2026-01-05', '2026-01-06', '2026-01-07']

const cost: fc.Arbitrary<Cost> = fc.oneof(
  fc.constantFrom<Cost>(0n, 1n, 10n ** 15n - 1n, 10n ** 15n, 2n ** 63n - 2n, 'INF'),
  fc.bigInt(0n, 2n ** 63n - 2n),
)

const moves = fc.array(
  fc.record({
    movement: fc.constantFrom('spend' as const, 'reserve' as const, 'unreserve' as const),
    window: fc.constantFrom(...WINDOWS),
    cost: fc.tuple(cost, cost),
    keys: fc.subarray([...KEYS], { minLength: 1 }),
  }),
  { maxLength: 25 },
)

for (const windowed of [true, false]) {
  test(`sums in place are those of the pure part, ${windowed ? 'window by window' : 'for life'}`, () => {
    fc.assert(
      fc.property(moves, (sequence) => {
        const state = LedgerState.memory()
        const naive = new NaiveState()
        for (const { movement, window, cost: asked, keys } of sequence) {
          const charge = { ...CHARGE, window: windowed ? window : 'lifetime', cost: asked, keys }
          const possible = movement === 'unreserve' ? keys.flatMap((key) => takenBack(naive, charge, key)) : [charge]
          for (const one of possible) {
            state.move(one, movement)
            naive.move(one, movement)
          }
          for (const key of KEYS) expectSame(state, naive, key)
        }
      }),
      { numRuns: 500 },
    )
  })
}

test('what would take out more than was put in breaks, and so does a cost of another structure', () => {
  const state = LedgerState.memory()
  const charge = { ...CHARGE, window: 'lifetime', cost: [3n, 'INF'] as const, keys: ['ada'] }
  state.move(charge, 'reserve')
  expect(() => state.move({ ...charge, cost: [4n, 0n] }, 'unreserve')).toThrow('never negative')
  state.move({ ...charge, cost: [0n, 'INF'] }, 'unreserve')
  expect(() => state.move({ ...charge, cost: [0n, 'INF'] }, 'unreserve')).toThrow('-1 infinite costs')
  expect(() => state.move({ ...charge, cost: [1n] }, 'spend')).toThrow('1 rows')
  expect(() => state.move({ ...charge, window: '2026-01-05' }, 'spend')).toThrow('for life')
})

const CHARGE = { policy: 'p', version: 1, generation: 1 }

/** Half of what is reserved in a budget, with an infinite cost where there is one. */
const takenBack = (naive: NaiveState, charge: Held, key: string): readonly Held[] => {
  const balance = naive.balance({ ...charge, key })
  if (balance === undefined) return []
  const { finite, infinite } = balance.reserved
  const half = finite.map((sum, row): Cost => ((infinite[row] ?? 0) > 0 ? 'INF' : sum / 2n))
  const limited = half.map((amount): Cost => (amount === 'INF' || amount < 2n ** 63n - 2n ? amount : 2n ** 63n - 2n))
  return [{ ...charge, window: balance.window, cost: limited, keys: [key] }]
}

const expectSame = (state: LedgerState, naive: NaiveState, key: string): void => {
  const ref = { ...CHARGE, key }
  expect(state.balance(ref)).toEqual(naive.balance(ref))
  for (const window of ['lifetime', ...WINDOWS]) {
    for (const row of [0, 1]) expect(state.taken(ref, window)(row)).toBe(naive.taken(ref, window)(row))
  }
}
