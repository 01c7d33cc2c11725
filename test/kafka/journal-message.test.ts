import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { JournalFault, journalBlock, journalBlockOf, journalMessage } from '../../src/kafka/journal-message.js'
import type { ReceivedMessage } from '../../src/kafka/wire-message.js'
import { type Block, BlockBuilder, MOST_BLOCK_BYTES } from '../../src/ledger/block.js'
import { ChainCheck } from '../../src/ledger/chain.js'
import { LEDGER, run } from '../docs/example-ledger.js'
import { received, type Stored, sentAndReceived } from '../support/client-wire.js'

let blocks: readonly Block[]
beforeAll(async () => {
  ;({ blocks } = await run())
})

const journal = (): readonly ReceivedMessage[] =>
  blocks.map((block, index) => sentAndReceived(journalMessage(LEDGER, block), String(index)))

test('every block of a ledger comes back from the journal as it was, and the blocks chain', () => {
  const check = new ChainCheck()
  for (const [index, message] of journal().entries()) {
    const read = journalBlock(message)
    expect(read).toMatchObject({ ledger: LEDGER, epoch: 0 })
    const { bytes, ...rest } = blocks[index] as Block
    expect(read.block).toMatchObject(rest)
    expect(Buffer.compare(read.block.bytes, bytes)).toBe(0)
    check.add(read.block)
  }
  expect(check.state?.position).toEqual({
    block: blocks.length - 1,
    seq: blocks.at(-1)?.last,
    leaf: blocks.at(-1)?.leaf,
  })
})

test('the epoch is that of the records', () => {
  const builder = new BlockBuilder({ block: 4, seq: 9, leaf: 'a'.repeat(64) }, 1_000)
  builder.add({
    at: '2026-01-01T00:00:00.000Z',
    by: 'system:ledger',
    cause: { kind: 'system' },
    data: {},
    epoch: 3,
    type: 'Noted',
    v: 1,
  })
  const [block] = builder.blocks()
  expect(journalBlock(sentAndReceived(journalMessage(LEDGER, block as Block)))).toEqual({
    ledger: LEDGER,
    epoch: 3,
    block,
  })
})

const middle = (): Stored => {
  const block = blocks.find(({ first, last }) => last > first) as Block
  const { key, value, headers } = journalMessage(LEDGER, block)
  return {
    key: key as null,
    value,
    headers: Object.entries(headers).map(([name, text]) => [name, Buffer.from(text as string)] as const),
  }
}

const changed = (name: string, value: string | null | undefined): Stored => {
  const stored = middle()
  const headers = stored.headers.filter(([header]) => header !== name)
  return {
    ...stored,
    headers: value === undefined ? headers : [...headers, [name, value === null ? null : Buffer.from(value)]],
  }
}

const codeOf = (stored: Stored): string => {
  try {
    journalBlock(received(stored))
    return 'read'
  } catch (error) {
    if (error instanceof JournalFault) return error.code
    throw error
  }
}

test.each(['ledger', 'block', 'first', 'last', 'epoch', 'leaf'])(
  'without the header %s it is no message of the journal',
  (name) => {
    expect(codeOf(changed(name, undefined))).toBe('NOT_JOURNAL')
    expect(codeOf(changed(name, null))).toBe('NOT_JOURNAL')
    const stored = middle()
    expect(codeOf({ ...stored, headers: [...stored.headers, [name, Buffer.from('1')]] })).toBe('NOT_JOURNAL')
  },
)

const belongsTo = (stored: Stored, ledger = LEDGER): unknown => {
  try {
    const found = journalBlockOf(received(stored), ledger)
    return typeof found === 'string' ? found : found.ledger
  } catch (error) {
    return error instanceof JournalFault ? error.code : error
  }
}

test('whatever is wrong with a message that is not of this ledger, it is passed', () => {
  expect(belongsTo(middle())).toBe(LEDGER)
  expect(belongsTo(middle(), 'another')).toBe('other')
  expect(belongsTo({ ...middle(), value: null }, 'another')).toBe('other')
  expect(belongsTo({ key: null, value: Buffer.from('hello'), headers: [] })).toBe('stray')
  expect(belongsTo(changed('ledger', undefined))).toBe('stray')
  expect(belongsTo(changed('ledger', null))).toBe('stray')
})

test('a message that says that it is of this ledger has to be whole', () => {
  expect(belongsTo({ ...middle(), value: null })).toBe('NOT_JOURNAL')
  expect(belongsTo(changed('first', '0'))).toBe('JOURNAL_BLOCK_DAMAGED')
  const named = Buffer.from('ledger')
  const twice = { ...middle(), headers: [['ledger', named], ...middle().headers] as Stored['headers'] }
  expect(belongsTo(twice)).toBe('NOT_JOURNAL')
})

test.each([
  ['block', '-1'],
  ['block', '01'],
  ['first', '1.0'],
  ['last', '9007199254740993'],
  ['epoch', ''],
  ['epoch', '1e3'],
  ['leaf', 'A'.repeat(64)],
  ['leaf', 'a'.repeat(63)],
])('the header %s cannot be %j', (name, value) => {
  expect(codeOf(changed(name, value))).toBe('JOURNAL_HEADER_INVALID')
})

test.each([
  ['first', '0'],
  ['first', '999999'],
  ['last', '0'],
  ['last', '999999'],
  ['epoch', '1'],
  ['leaf', 'a'.repeat(64)],
])('another %s than the bytes have is found', (name, value) => {
  expect(codeOf(changed(name, value))).toBe('JOURNAL_BLOCK_DAMAGED')
})

test('a message without a value, with an empty one, or with more than a block is none', () => {
  expect(codeOf({ ...middle(), value: null })).toBe('NOT_JOURNAL')
  expect(codeOf({ ...middle(), value: Buffer.alloc(0) })).toBe('JOURNAL_BLOCK_DAMAGED')
  expect(codeOf({ ...middle(), value: Buffer.alloc(MOST_BLOCK_BYTES + 1, 0x0a) })).toBe('JOURNAL_BLOCK_DAMAGED')
})

test('for every byte that is altered, the message or the chain of its neighbours is refused, and nothing else is thrown', () => {
  const messages = journal()
  const place = fc.nat({ max: messages.length - 2 })
  fc.assert(
    fc.property(place, fc.nat(), fc.integer({ min: 1, max: 255 }), (index, at, flip) => {
      const message = messages[index] as ReceivedMessage
      const value = Buffer.from(message.value as Buffer)
      const offset = at % value.length
      value[offset] = (value[offset] as number) ^ flip
      const check = new ChainCheck()
      expect(() => {
        for (const [number, other] of messages.entries()) {
          check.add(journalBlock(number === index ? { ...message, value } : other).block)
        }
      }).toThrow(/journal message|record/)
    }),
    { numRuns: 300 },
  )
})

test('for every mutation of headers and bytes, a block is read or a fault is thrown', () => {
  const text = fc.oneof(fc.string(), fc.nat().map(String), fc.constantFrom('0', '-1', 'a'.repeat(64), '__proto__'))
  const mutation = fc.record({
    name: fc.constantFrom('ledger', 'block', 'first', 'last', 'epoch', 'leaf', 'constructor'),
    header: fc.option(text),
    value: fc.option(fc.uint8Array({ maxLength: 200 }), { nil: undefined }),
  })
  fc.assert(
    fc.property(mutation, ({ name, header, value }) => {
      const stored = changed(name, header)
      expect(codeOf(value === undefined ? stored : { ...stored, value: Buffer.from(value) })).toMatch(
        /^[A-Z_]+$|^read$/,
      )
    }),
    { numRuns: 2_000 },
  )
})
