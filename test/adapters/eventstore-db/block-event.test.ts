import fc from 'fast-check'
import { expect, test } from 'vitest'
import { blockOf, eventId, eventOf, streamName } from '../../../src/adapters/eventstore-db/block-event.js'
import { between, SeenBlocks } from '../../../src/adapters/eventstore-db/seen-blocks.js'
import type { Block } from '../../../src/ledger/block.js'
import { blocksOf } from '../../support/logs.js'

const block: Block = { number: 3, first: 7, last: 9, leaf: 'ab'.repeat(32), bytes: Buffer.from('{}\n{}\n{}\n') }

test('the id of an event is the SHA-256 over stream, number and bytes, as a UUID of version 8', () => {
  // printf 'epsilon-l-0\n3\n{}\n{}\n{}\n' | sha256sum
  expect(eventId('epsilon-l-0', block)).toBe('4df86a06-5470-8070-9596-d28747a35548')
})

test('another stream, number or bit of the bytes is another id, and the same is the same', () => {
  const ids = [
    eventId('epsilon-l-0', block),
    eventId('epsilon-l-1', block),
    eventId('epsilon-l-0', { ...block, number: 30 }),
    eventId('epsilon-l-0', { ...block, bytes: Buffer.from('{}\n{}\n{]\n') }),
    // The parts are kept apart.
    eventId('epsilon-l-0\n3', { ...block, number: 0 }),
  ]
  expect(new Set(ids).size).toBe(ids.length)
  expect(eventId('epsilon-l-0', { ...block, bytes: new Uint8Array(block.bytes) })).toBe(ids[0])
  for (const id of ids) expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
})

test('the name of a stream says ledger and shard', () => {
  expect(streamName('a-1', 0)).toBe('epsilon-a-1-0')
  expect(streamName('a', 10)).not.toBe(streamName('a-1', 0))
})

const event = {
  ...eventOf('epsilon-l-0', block),
  streamId: 'epsilon-l-0',
  revision: 3n,
  isJson: false,
  created: new Date(0),
}

test('a block comes back from its event as it was', () => {
  expect(blockOf(event as never)).toEqual(block)
})

test.each([
  ['another type', { type: '$>' }],
  ['no metadata', { metadata: undefined }],
  ['a number missing', { metadata: { first: 7, leaf: 'x' } }],
  ['numbers that are none', { metadata: { first: '7', last: 9, leaf: 'x' } }],
  ['numbers the wrong way round', { metadata: { first: 9, last: 7, leaf: 'x' } }],
  ['no bytes', { data: { json: true } }],
])('an event with %s is no block', (_, change) => {
  expect(() => blockOf({ ...event, ...change } as never)).toThrow(expect.objectContaining({ code: 'STORE_UNREADABLE' }))
})

test('for every set of blocks that was seen, the search between them ends at the right one, in few steps', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 200 }),
      fc.array(fc.nat(199), { maxLength: 20 }),
      fc.nat(40_000),
      (sizes, seen, seq) => {
        let first = 0
        const spans = sizes.map((size, number) => {
          const span = { number, first, last: first + size - 1 }
          first += size + (size % 3)
          return span
        })
        const known = new SeenBlocks(8)
        for (const number of seen) {
          const span = spans[number]
          if (span !== undefined) known.note(span)
        }
        const wanted = spans.find(({ last }) => last >= seq)
        if (wanted === undefined) return
        let { below, above = spans.at(-1) } = known.around(seq)
        let step = 0
        while (above !== undefined && above.number > (below?.number ?? -1) + 1) {
          const span = spans[between(seq, below, above, step++)]
          if (span === undefined) throw new Error('looked outside')
          expect(span.number).toBeGreaterThan(below?.number ?? -1)
          expect(span.number).toBeLessThan(above.number)
          if (span.last < seq) below = span
          else above = span
        }
        expect(above).toEqual(wanted)
        expect(step).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(sizes.length + 1)) + 1)
      },
    ),
  )
})

test('the spans that are kept stay few, however many blocks are seen', () => {
  const known = new SeenBlocks(64)
  for (const { number, first, last } of blocksOf(...Array.from({ length: 300 }, () => 1)))
    known.note({ number, first, last })
  const { below, above } = known.around(150)
  expect(below?.number).toBeLessThan(150)
  expect(above?.number).toBeGreaterThanOrEqual(150)
  expect((above?.number ?? 0) - (below?.number ?? 0)).toBeLessThanOrEqual(32)
})
