import { expect, test } from 'vitest'
import {
  type Block,
  BlockBuilder,
  MOST_BLOCK_BYTES,
  positionOf,
  recordIn,
  recordsOf,
  samePosition,
} from '../../src/ledger/block.js'
import { decodeRecord, GENESIS_PREV, leafHash } from '../../src/ledger/record.js'
import { blockAfter, instant } from '../support/logs.js'

const record = (data: object) =>
  ({ at: instant(0), by: 'system', cause: { kind: 'system' }, data, epoch: 0, type: 'Noted', v: 1 }) as const

test('a block is its records as lines, each chained to the one before', () => {
  const block = blockAfter(undefined, 3)
  const lines = Buffer.from(block.bytes).toString().split('\n')
  expect(lines.pop()).toBe('')
  const records = lines.map((line) => decodeRecord(Buffer.from(line)))
  expect(records.map(({ seq, prev }) => [seq, prev])).toEqual([
    [0, GENESIS_PREV],
    [1, leafHash(lines[0] as string)],
    [2, leafHash(lines[1] as string)],
  ])
  expect(block).toMatchObject({ number: 0, first: 0, last: 2, leaf: leafHash(lines[2] as string) })
})

test('a builder goes on from a position', () => {
  const first = blockAfter(undefined, 2)
  const second = blockAfter(positionOf(first), 1)
  expect(second).toMatchObject({ number: 1, first: 2, last: 2 })
  expect(decodeRecord(recordIn(second, 2) as Uint8Array).prev).toBe(first.leaf)
})

test('no block is larger than 512 KiB, and together they hold every record once', () => {
  const builder = new BlockBuilder(undefined)
  for (let index = 0; index < 40; index++)
    builder.add(record({ note: 'ü'.repeat(index % 3 === 0 ? 32_000 : 400), index }))
  const blocks = builder.blocks()
  expect(blocks.length).toBeGreaterThan(1)
  expect(Math.max(...blocks.map((block) => block.bytes.length))).toBeLessThanOrEqual(MOST_BLOCK_BYTES)
  expect(blocks.map((block) => block.number)).toEqual(blocks.map((_, number) => number))
  const records = blocks.flatMap((block) => [...recordsOf(block)])
  expect(records.map(({ bytes }) => decodeRecord(bytes).data['index'])).toEqual(
    Array.from({ length: 40 }, (_, index) => index),
  )
  expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length: 40 }, (_, index) => index))
  expect(builder.size).toBe(blocks.reduce((sum, block) => sum + block.bytes.length, 0))
})

test('a record that cannot be written leaves the builder as it was', () => {
  const builder = new BlockBuilder(undefined)
  builder.add(record({ fine: true }))
  const before = [builder.nextSeq, builder.lastLeaf, builder.size]
  expect(() => builder.add(record({ note: 'x'.repeat(70_000) }))).toThrow(
    expect.objectContaining({ code: 'RECORD_TOO_LARGE' }),
  )
  expect([builder.nextSeq, builder.lastLeaf, builder.size]).toEqual(before)
  expect(builder.blocks()).toHaveLength(1)
})

test('one record of a block is found by its number', () => {
  const block = blockAfter(undefined, 3)
  expect(decodeRecord(recordIn(block, 1) as Uint8Array).seq).toBe(1)
  expect(recordIn(block, 3)).toBeUndefined()
})

test.each([
  ['one record fewer', (block: Block) => ({ ...block, last: block.last + 1 })],
  ['one record more', (block: Block) => ({ ...block, last: block.last - 1 })],
  ['half a record at the end', (block: Block) => ({ ...block, bytes: block.bytes.subarray(0, -10) })],
])('a block that holds %s is not read in silence', (_, alter) => {
  expect(() => [...recordsOf(alter(blockAfter(undefined, 3)))]).toThrow(
    expect.objectContaining({ code: 'BLOCK_UNREADABLE', exitCode: 20 }),
  )
})

test('positions are the same only in every part', () => {
  const position = { block: 1, seq: 2, leaf: GENESIS_PREV }
  expect(samePosition(position, { ...position })).toBe(true)
  expect(samePosition(undefined, undefined)).toBe(true)
  expect(samePosition(position, undefined)).toBe(false)
  for (const other of [{ block: 0 }, { seq: 0 }, { leaf: '' }])
    expect(samePosition(position, { ...position, ...other })).toBe(false)
})
