import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SeqOrder } from '../../../src/adapters/state/seq-order.js'

const steps = fc.array(
  fc.record({
    gap: fc.integer({ min: 1, max: 3 }),
    removes: fc.array(fc.nat(200), { maxLength: 6 }),
    after: fc.integer({ min: -1, max: 200 }),
    limit: fc.nat(20),
  }),
  { minLength: 50, maxLength: 100 },
)

test('for every sequence of additions and removals, a page holds what is there after its record, in order', () => {
  fc.assert(
    fc.property(steps, (sequence) => {
      const order = new SeqOrder<string>()
      let naive: number[] = []
      let seq = -1
      for (const { gap, removes, after, limit } of sequence) {
        seq += gap
        order.add(seq, `item ${seq}`)
        naive.push(seq)
        for (const one of removes) order.remove(one)
        naive = naive.filter((one) => !removes.includes(one))
        const expected = naive.filter((one) => one > after).slice(0, limit)
        expect(order.page(after, limit)).toEqual(expected.map((one) => `item ${one}`))
      }
      expect(order.page(-1, sequence.length)).toHaveLength(naive.length)
    }),
  )
})

test('a page of a million is a page, wherever it begins', () => {
  const order = new SeqOrder<number>()
  for (let seq = 0; seq < 1_000_000; seq++) order.add(seq, seq)
  for (const after of [-1, 0, 499_999, 999_997]) {
    const left = Math.min(1_000, 999_999 - after)
    expect(order.page(after, 1_000)).toEqual(Array.from({ length: left }, (_, index) => after + 1 + index))
  }
  for (let seq = 0; seq < 999_999; seq++) order.remove(seq)
  expect(order.page(-1, 1_000)).toEqual([999_999])
})

test('a record that comes too late is a defect, not a page out of order', () => {
  const order = new SeqOrder<string>()
  order.add(7, 'seven')
  expect(() => order.add(7, 'again')).toThrow(RangeError)
  expect(() => order.add(6, 'six')).toThrow('record 6 came after record 7')
})
