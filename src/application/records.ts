import { recordBytes } from '../budget/priors.js'
import { type Block, recordsOf } from '../ledger/block.js'
import type { EventStore } from '../ledger/event-store.js'
import { decodeRecord, type LedgerRecord } from '../ledger/record.js'

/**
 * The stored bytes of records `from` and up as NDJSON, at most `limit` of them, a block at a time: whoever reads
 * slowly holds up nothing but this.
 */
export async function* recordLines(store: EventStore, from: number, limit = Number.POSITIVE_INFINITY) {
  let left = limit
  if (left === 0) return
  for await (const block of store.read(from)) {
    const bytes = linesOf(block, from, left)
    left -= Math.min(left, block.last - Math.max(block.first, from) + 1)
    yield bytes
    if (left === 0) return
  }
}

/** The lines of a block from record `from` on, at most `most`. */
const linesOf = (block: Block, from: number, most: number): Uint8Array => {
  if (block.first >= from && block.last - block.first < most) return block.bytes
  let start = block.bytes.length
  let end = start
  for (const { seq, bytes } of recordsOf(block)) {
    if (seq < from || seq - Math.max(from, block.first) >= most) continue
    const offset = bytes.byteOffset - block.bytes.byteOffset
    start = Math.min(start, offset)
    end = offset + bytes.length + 1
  }
  return block.bytes.subarray(start, end)
}

/** One record, read; undefined where there is none. */
export const readRecord = async (store: EventStore, seq: number): Promise<LedgerRecord | undefined> => {
  const bytes = await recordBytes(store, seq)
  return bytes === undefined ? undefined : decodeRecord(bytes, 'trusted')
}
