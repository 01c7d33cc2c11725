import { expect, test } from 'vitest'
import { type Block, BlockBuilder, positionOf, recordsOf } from '../../src/ledger/block.js'
import { ChainCheck, ChainFault, type CheckedRecord } from '../../src/ledger/chain.js'
import { leafHash } from '../../src/ledger/record.js'
import { blockAfter, blocksOf, epochAfter, instant, thrownBy } from '../support/logs.js'

const last = (blocks: readonly Block[]): Block => blocks.at(-1) as Block

const checkBlocks = (blocks: readonly Block[], head = last(blocks).leaf): readonly CheckedRecord[] => {
  const chain = new ChainCheck()
  const records = blocks.flatMap((block) => chain.add(block))
  chain.end(head)
  return records
}

const checkFile = (blocks: readonly Block[], head?: string): void => {
  const chain = new ChainCheck()
  for (const block of blocks) chain.addLines(block.bytes)
  chain.end(head)
}

const faultIn = (action: () => unknown): ChainFault => {
  const error = thrownBy(action)
  if (error instanceof ChainFault) return error
  throw error
}

test('a sound log gives its records and their leaves', () => {
  const blocks = blocksOf(3, 2, 1)
  const records = checkBlocks(blocks)
  expect(records.map(({ record }) => record.seq)).toEqual([0, 1, 2, 3, 4, 5])
  expect(records.map(({ leaf }) => leaf)).toEqual(
    blocks.flatMap((block) => [...recordsOf(block)].map(({ bytes }) => leafHash(bytes))),
  )
  checkFile(blocks, last(blocks).leaf)
  checkFile(blocks)
})

/** Every one-bit change of these bits in every byte, with the number of the record it lies in. */
function* flips(
  blocks: readonly Block[],
  bits: readonly number[],
): Generator<{ seq: number; altered: readonly Block[]; what: string }> {
  for (const block of blocks) {
    let seq = block.first
    for (let place = 0; place < block.bytes.length; place++) {
      for (const bit of bits) {
        const bytes = Uint8Array.from(block.bytes)
        bytes[place] = (bytes[place] as number) ^ (1 << bit)
        const altered = blocks.map((other) => (other === block ? { ...block, bytes } : other))
        yield { seq, altered, what: `block ${block.number} byte ${place} bit ${bit}` }
      }
      if (block.bytes[place] === 0x0a) seq++
    }
  }
}

test('whichever bit of a stored log flips, the record it lies in is named', () => {
  const blocks = blocksOf(3, 1, 2)
  for (const { seq, altered, what } of flips(blocks, [0, 1, 2, 5, 7])) {
    const fault = faultIn(() => checkBlocks(altered, last(blocks).leaf))
    expect([what, fault.seq, fault.exitCode]).toEqual([what, seq, 20])
  }
})

test('whichever bit of a log file flips, the record it lies in is named, if its head is known', () => {
  const blocks = blocksOf(3, 2)
  for (const { seq, altered, what } of flips(blocks, [0, 1, 5])) {
    const fault = faultIn(() => checkFile(altered, last(blocks).leaf))
    expect([what, fault.seq]).toEqual([what, seq])
  }
})

test('without the head of a log file, the same is true of every record but the last', () => {
  const blocks = blocksOf(3, 1)
  for (const { seq, altered, what } of flips(blocks, [0, 4])) {
    if (seq === last(blocks).last) continue
    const fault = faultIn(() => checkFile(altered))
    expect([what, fault.seq]).toEqual([what, seq])
  }
})

test('a log cut at any byte ends in a fault, at the record where it was cut', () => {
  const [block] = blocksOf(4)
  if (block === undefined) throw new Error('no block')
  let seq = 0
  for (let length = 0; length < block.bytes.length; length++) {
    const fault = faultIn(() => checkBlocks([{ ...block, bytes: block.bytes.subarray(0, length) }]))
    expect([length, fault.seq]).toEqual([length, seq])
    if (block.bytes[length] === 0x0a) seq++
  }
})

test('a log file cut at any byte ends in a fault, if its head is known', () => {
  const blocks = blocksOf(3)
  const { bytes, leaf } = last(blocks)
  for (let length = 0; length < bytes.length; length++) {
    const chain = new ChainCheck()
    expect(() => {
      chain.addLines(bytes.subarray(0, length))
      chain.end(leaf)
    }).toThrow(ChainFault)
  }
})

/** Takes blocks apart and puts their lines together in another way, as blocks with the right leaves. */
const relined = (blocks: readonly Block[], arrange: (lines: Uint8Array[]) => Uint8Array[]): Block => {
  const lines = arrange(blocks.flatMap((block) => [...recordsOf(block)].map((record) => record.bytes)))
  const leaf = leafHash(lines.at(-1) as Uint8Array)
  return {
    number: 0,
    first: 0,
    last: lines.length - 1,
    leaf,
    bytes: Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')])),
  }
}

test('a record that was left out, doubled or exchanged is named by its place', () => {
  const blocks = blocksOf(6)
  const [a, b, c, d, e, f] = [...recordsOf(last(blocks))].map((record) => record.bytes) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  const fault = (...lines: Uint8Array[]) => faultIn(() => checkBlocks([relined(blocks, () => lines)]))
  expect(fault(a, b, d, e, f)).toMatchObject({ code: 'SEQ_GAP', seq: 2 })
  expect(fault(b, c, d, e, f)).toMatchObject({ code: 'SEQ_GAP', seq: 0 })
  expect(fault(a, b, b, c, d, e, f)).toMatchObject({ code: 'SEQ_GAP', seq: 2 })
  expect(fault(a, c, b, d, e, f)).toMatchObject({ code: 'SEQ_GAP', seq: 1 })
  expect(fault(a, new Uint8Array(), b, c, d, e, f)).toMatchObject({ code: 'RECORD_UNREADABLE', seq: 1 })
})

test('a record rewritten with the right number but another past is named', () => {
  const ours = [...recordsOf(blockAfter(undefined, 5, 'ours'))].map((record) => record.bytes)
  const theirs = [...recordsOf(blockAfter(undefined, 5, 'theirs'))].map((record) => record.bytes)
  const mixed = relined([], () => [...ours.slice(0, 2), theirs[2] as Uint8Array, ...ours.slice(3)])
  expect(faultIn(() => checkBlocks([mixed]))).toMatchObject({ code: 'CHAIN_BROKEN', seq: 2 })
  const forked = relined([], () => [...ours.slice(0, 3), ...theirs.slice(3)])
  expect(faultIn(() => checkBlocks([forked]))).toMatchObject({ code: 'CHAIN_BROKEN', seq: 2 })
})

test('a message gives both hashes, and the hint the next step', () => {
  const ours = blocksOf(2)
  const theirs = blockAfter({ ...positionOf(last(ours)), leaf: 'a'.repeat(64) }, 2)
  const fault = faultIn(() => checkBlocks([...ours, theirs]))
  expect(fault.message).toContain(
    `record 2 says its predecessor hashes to ${'a'.repeat(64)}, but record 1 hashes to ${last(ours).leaf}`,
  )
  expect(fault.hint).toContain('docs/runbooks/broken-chain.md')
})

test('a missing, doubled or misnumbered block is a fault', () => {
  const [first, second, third] = blocksOf(1, 1, 1) as [Block, Block, Block]
  expect(faultIn(() => checkBlocks([first, third]))).toMatchObject({ code: 'BLOCK_MISSING', seq: 1 })
  expect(faultIn(() => checkBlocks([first, first]))).toMatchObject({ code: 'BLOCK_MISSING', seq: 1 })
  expect(faultIn(() => checkBlocks([second]))).toMatchObject({ code: 'BLOCK_MISSING', seq: 0 })
  expect(faultIn(() => checkBlocks([first, { ...second, last: 2 }, third]))).toMatchObject({
    code: 'RECORD_MISSING',
    seq: 2,
  })
  expect(faultIn(() => checkBlocks([first, { ...second, first: 0 }]))).toMatchObject({ code: 'RECORD_MISSING' })
})

test('a block that gives another leaf than its last record has is a fault there', () => {
  const [first, second] = blocksOf(2, 2) as [Block, Block]
  const altered = { ...first, leaf: 'f'.repeat(64) }
  expect(faultIn(() => checkBlocks([altered, second]))).toMatchObject({ code: 'CHAIN_BROKEN', seq: 1 })
})

test('blocks missing at the end show against the head', () => {
  const blocks = blocksOf(2, 1)
  expect(faultIn(() => checkBlocks(blocks.slice(0, 1), last(blocks).leaf))).toMatchObject({
    code: 'HEAD_MISMATCH',
    seq: 1,
  })
  expect(faultIn(() => new ChainCheck().end(last(blocks).leaf))).toMatchObject({ code: 'HEAD_MISMATCH', seq: 0 })
  new ChainCheck().end()
})

const noted = (builder: BlockBuilder, at: string, epoch = 0): void =>
  builder.add({ at, by: 'system', cause: { kind: 'system' }, data: {}, epoch, type: 'Noted', v: 1 })

test('time that goes back is a fault, time that stands still is not', () => {
  const builder = new BlockBuilder(undefined)
  for (const index of [1, 1, 0]) noted(builder, instant(index))
  expect(faultIn(() => checkBlocks(builder.blocks()))).toMatchObject({ code: 'TIME_WENT_BACK', seq: 2 })
})

test('a later epoch begins above a gap that its first record declares', () => {
  const before = blocksOf(3)
  const after = epochAfter(positionOf(last(before)), 1, 10)
  expect(checkBlocks([...before, after]).map(({ record }) => record.seq)).toEqual([0, 1, 2, 10, 11])
  checkFile([...before, after], after.leaf)
  const closed = epochAfter(positionOf(last(before)), 4, 3)
  expect(checkBlocks([...before, closed]).map(({ record }) => record.seq)).toEqual([0, 1, 2, 3, 4])
})

test('a bit flipped around a gap is named too', () => {
  const before = blocksOf(2)
  const blocks = [...before, epochAfter(positionOf(last(before)), 1, 10)]
  for (const { seq, altered, what } of flips(blocks, [0, 2])) {
    const fault = faultIn(() => checkBlocks(altered, last(blocks).leaf))
    expect([what, fault.seq]).toEqual([what, seq])
  }
})

test('an epoch that begins in another way is a fault', () => {
  const before = blocksOf(3)
  const position = positionOf(last(before))
  const fault = (block: Block) => faultIn(() => checkBlocks([...before, block]))
  expect(fault(epochAfter(position, 1, 10, { from: 3, to: 8 }))).toMatchObject({ code: 'EPOCH_BROKEN', seq: 10 })
  expect(fault(epochAfter(position, 1, 10, { from: 4, to: 9 }))).toMatchObject({ code: 'EPOCH_BROKEN', seq: 10 })
  expect(fault(epochAfter(position, 1, 2, { from: 3, to: 1 }))).toMatchObject({ code: 'EPOCH_BROKEN' })
  expect(fault(epochAfter(position, 0, 10))).toMatchObject({ code: 'SEQ_GAP', seq: 10 })
  const undeclared = new BlockBuilder(position)
  noted(undeclared, instant(3), 1)
  expect(fault(undeclared.blocks()[0] as Block)).toMatchObject({ code: 'EPOCH_BROKEN', seq: 3 })
  const back = new BlockBuilder(positionOf(epochAfter(position, 1, 10)))
  noted(back, instant(12), 0)
  expect(faultIn(() => checkBlocks([...before, epochAfter(position, 1, 10), ...back.blocks()]))).toMatchObject({
    code: 'EPOCH_BROKEN',
    seq: 12,
  })
})

test('a check goes on from a trusted state', () => {
  const [first, second, third] = blocksOf(2, 2, 1) as [Block, Block, Block]
  const chain = new ChainCheck()
  chain.add(first)
  const resumed = new ChainCheck(chain.state)
  resumed.add(second)
  resumed.add(third)
  expect(resumed.state).toEqual({ position: positionOf(third), epoch: 0, at: instant(4) })
  const forged = new ChainCheck({ position: { ...positionOf(first), leaf: 'b'.repeat(64) }, epoch: 0, at: instant(1) })
  expect(faultIn(() => forged.add(second))).toMatchObject({ code: 'CHAIN_BROKEN', seq: 2 })
})
