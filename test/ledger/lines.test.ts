import { expect, test } from 'vitest'
import { ChainCheck } from '../../src/ledger/chain.js'
import { wholeLines } from '../../src/ledger/lines.js'
import { blocksOf, collect } from '../support/logs.js'

async function* piecesOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size)
}

test('a log file is checked in the same way, whatever the pieces it is read in', async () => {
  const [block] = blocksOf(5)
  if (block === undefined) throw new Error('no block')
  for (const size of [1, 7, 300, 1_000, 100_000]) {
    const chain = new ChainCheck()
    for await (const lines of wholeLines(piecesOf(block.bytes, size))) chain.addLines(lines)
    chain.end(block.leaf)
    expect(chain.state?.position.seq).toBe(4)
  }
})

test('what follows the last line feed comes too', async () => {
  const runs = await collect(wholeLines(piecesOf(Buffer.from('a\nb\nhalf'), 3)))
  expect(runs.map((run) => Buffer.from(run).toString())).toEqual(['a\n', 'b\n', 'half'])
  expect(await collect(wholeLines(piecesOf(new Uint8Array(), 3)))).toEqual([])
})

test('a file without line feeds is given up at the size of a record', async () => {
  const runs = await collect(wholeLines(piecesOf(Buffer.alloc(1_000_000, 'x'), 10_000)))
  expect(runs.map((run) => run.length)).toEqual([70_000])
})
