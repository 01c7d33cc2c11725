import fc from 'fast-check'
import { expect, test } from 'vitest'
import { comparable, exchanged, lossByEnds, START } from '../../src/kafka/lost-range.js'

const applied = (next: bigint, digest: string | null = null) => ({ next, digest })

test('the offset that is needed lies within the ends, or what is missing is named', () => {
  const offset = fc.bigInt({ min: 0n, max: 60n })
  fc.assert(
    fc.property(offset, offset, offset, (next, one, other) => {
      const ends = one <= other ? { low: one, high: other } : { low: other, high: one }
      const loss = lossByEnds(applied(next), ends)
      expect(loss === undefined).toBe(ends.low <= next && next <= ends.high)
      if (loss !== undefined) expect(loss.from <= loss.to).toBe(true)
    }),
  )
})

test('messages that were deleted before they were applied are named', () => {
  expect(lossByEnds(applied(5n), { low: 8n, high: 20n })).toMatchObject({ code: 'LOG_START_BEYOND', from: 5n, to: 7n })
})

test('a ledger that has applied nothing needs a topic from its beginning', () => {
  expect(lossByEnds(START, { low: 0n, high: 0n })).toBeUndefined()
  expect(lossByEnds(START, { low: 3n, high: 9n })).toMatchObject({ code: 'LOG_START_BEYOND', from: 0n, to: 2n })
})

test('a topic that is shorter than what was applied is named', () => {
  expect(lossByEnds(applied(9n), { low: 0n, high: 4n })).toMatchObject({ code: 'TOPIC_SHORTER', from: 4n, to: 8n })
})

test('an emptied topic that lost nothing unapplied goes on; one that lost something does not', () => {
  expect(lossByEnds(applied(9n), { low: 9n, high: 9n })).toBeUndefined()
  expect(lossByEnds(applied(7n), { low: 9n, high: 9n })).toMatchObject({ from: 7n, to: 8n })
})

test('the last applied message is compared where it is still there', () => {
  expect(comparable(applied(9n, 'ab'), { low: 8n, high: 9n })).toBe(true)
  expect(comparable(applied(9n, 'ab'), { low: 9n, high: 9n })).toBe(false)
  expect(comparable(applied(9n), { low: 0n, high: 9n })).toBe(false)
})

test('another message in its place says that the topic was exchanged', () => {
  expect(exchanged(applied(9n, 'ab'), 'ab')).toBeUndefined()
  expect(exchanged(applied(9n, 'ab'), 'cd')).toMatchObject({ code: 'TOPIC_EXCHANGED', from: 0n, to: 8n })
  expect(exchanged(applied(9n, 'ab'), undefined)).toMatchObject({ code: 'TOPIC_EXCHANGED' })
})
