import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NoiseIndex } from '../../src/recovery/noise-index.js'

const range = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 12 }))

test('a range is found to be reused exactly where one of its counters was used before', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 40 }), (ranges) => {
      const index = new NoiseIndex()
      const used = new Set<number>()
      for (const [seq, [from, length]] of ranges.entries()) {
        const counters = Array.from({ length: length + 1 }, (_, place) => from + place)
        const reused = index.use('s', { from: BigInt(from), to: BigInt(from + length), seq }) !== undefined
        expect(reused).toBe(counters.some((counter) => used.has(counter)))
        for (const counter of counters) used.add(counter)
      }
    }),
  )
})

test('streams do not meet', () => {
  const index = new NoiseIndex()
  index.use('a', { from: 0n, to: 9n, seq: 1 })
  expect(index.use('b', { from: 0n, to: 9n, seq: 2 })).toBeUndefined()
  expect(index.use('a', { from: 9n, to: 9n, seq: 3 })).toMatchObject({ seq: 1 })
})
