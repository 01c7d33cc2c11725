import { LedgerError } from './errors.js'
import { encodeRecord, GENESIS_PREV, type Leaf, leafHash, type RecordHeader } from './record.js'

/**
 * What one durable append wrote, or a part of it: consecutive records of one epoch as NDJSON, every record followed by a
 * line feed. The blocks of a ledger put together are its log.
 */
export interface Block {
  /** From 0, without gaps. */
  readonly number: number
  /** `seq` of the first and of the last record. */
  readonly first: number
  readonly last: number
  /** Leaf of the last record: nothing inside the bytes vouches for that one. */
  readonly leaf: Leaf
  readonly bytes: Uint8Array
}

/** The place of a block's last record: what the next append follows. */
export interface Position {
  readonly block: number
  readonly seq: number
  readonly leaf: Leaf
}

/** Every store takes a block of this size whole; one record always fits. */
export const MOST_BLOCK_BYTES = 512 * 1024

export const positionOf = (block: Block): Position => ({ block: block.number, seq: block.last, leaf: block.leaf })

export const samePosition = (a: Position | undefined, b: Position | undefined): boolean =>
  a === undefined || b === undefined ? a === b : a.block === b.block && a.seq === b.seq && a.leaf === b.leaf

/** Chains records onto a position and packs them into blocks. */
export class BlockBuilder {
  private readonly done: Block[] = []
  private lines = ''
  private bytes = 0
  private first: number
  private number: number
  private seq: number
  private leaf: Leaf
  private written = 0

  /** `seq` is the number of the first record; it is given only where an epoch begins above a gap. */
  constructor(after: Position | undefined, seq = after === undefined ? 0 : after.seq + 1) {
    this.number = after === undefined ? 0 : after.block + 1
    this.leaf = after === undefined ? GENESIS_PREV : after.leaf
    this.seq = seq
    this.first = seq
  }

  /** Number that the next record gets. */
  get nextSeq(): number {
    return this.seq
  }

  /** Leaf of the last record so far. */
  get lastLeaf(): Leaf {
    return this.leaf
  }

  /** Bytes of all records so far. */
  get size(): number {
    return this.written
  }

  /** Throws what {@link encodeRecord} throws, and then has added nothing. */
  add(record: Omit<RecordHeader, 'prev' | 'seq'> & { readonly data: object }): void {
    const { at, by, cause, data, epoch, type, v } = record
    const text = encodeRecord({ at, by, cause, data, epoch, prev: this.leaf, seq: this.seq, type, v })
    const size = Buffer.byteLength(text) + 1
    if (this.bytes + size > MOST_BLOCK_BYTES) this.close()
    this.lines += `${text}\n`
    this.bytes += size
    this.written += size
    this.leaf = leafHash(text)
    this.seq++
  }

  /** All blocks; the builder must not be used after that. */
  blocks(): readonly Block[] {
    if (this.bytes > 0) this.close()
    return this.done
  }

  private close(): void {
    const bytes = Buffer.from(this.lines)
    this.done.push({ number: this.number, first: this.first, last: this.seq - 1, leaf: this.leaf, bytes })
    this.number++
    this.first = this.seq
    this.lines = ''
    this.bytes = 0
  }
}

export interface RecordBytes {
  readonly seq: number
  readonly bytes: Uint8Array
}

/**
 * The records of a block, in order, as views of its bytes. Throws `BLOCK_UNREADABLE` where the bytes do not hold exactly
 * the records `first` to `last`; whether each is what it claims is the chain's question.
 */
export function* recordsOf(block: Block): Generator<RecordBytes, void, undefined> {
  let seq = block.first
  let start = 0
  while (start < block.bytes.length) {
    const end = block.bytes.indexOf(LINE_FEED, start)
    if (end < 0 || seq > block.last) break
    yield { seq, bytes: block.bytes.subarray(start, end) }
    seq++
    start = end + 1
  }
  if (start < block.bytes.length || seq !== block.last + 1) throw misframed(block, seq, start)
}

/** The bytes of one record, or undefined where the block does not hold it. */
export const recordIn = (block: Block, seq: number): Uint8Array | undefined => {
  for (const record of recordsOf(block)) if (record.seq === seq) return record.bytes
  return undefined
}

const LINE_FEED = 0x0a

const misframed = (block: Block, seq: number, start: number): LedgerError =>
  new LedgerError(
    'BLOCK_UNREADABLE',
    `block ${block.number} should hold records ${block.first} to ${block.last}; reading record ${seq} at byte ${start} of ${block.bytes.length} it does not`,
    { retry: 'never', hint: 'Keep this copy and verify it: the first bad record will be named.', exitCode: 20 },
  )
