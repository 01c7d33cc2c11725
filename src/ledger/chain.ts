import type { Block, Position } from './block.js'
import { LedgerError } from './errors.js'
import { decodeRecord, GENESIS_PREV, type Leaf, type LedgerRecord, leafHash } from './record.js'

/** The type of the record that begins a later epoch: numbers up to its own were given out, and are lost or void. */
export const GAP_DECLARED = 'GapDeclared'

/** Data of a {@link GAP_DECLARED} record: no record has a number from `from` to `to`; none is lost where `to` is `from` - 1. */
export interface GapDeclared {
  readonly from: number
  readonly to: number
}

export interface CheckedRecord {
  readonly record: LedgerRecord
  readonly leaf: Leaf
}

/** The last record that a check stands on. */
export interface ChainState {
  readonly position: Position
  readonly epoch: number
  readonly at: string
}

export type ChainFaultCode =
  | 'RECORD_UNREADABLE'
  | 'RECORD_NOT_CANONICAL'
  | 'RECORD_MISSING'
  | 'BLOCK_MISSING'
  | 'SEQ_GAP'
  | 'CHAIN_BROKEN'
  | 'HEAD_MISMATCH'
  | 'EPOCH_BROKEN'
  | 'TIME_WENT_BACK'

/** The log is not what was written; `seq` names the first record that is bad. */
export class ChainFault extends LedgerError {
  override readonly name = 'ChainFault'

  constructor(
    override readonly code: ChainFaultCode,
    readonly seq: number,
    detail: string,
    cause?: unknown,
  ) {
    super(code, `record ${seq}: ${detail}`, {
      retry: 'never',
      hint: 'Keep this copy as it is. docs/runbooks/broken-chain.md',
      exitCode: 20,
      cause,
    })
  }
}

/**
 * Checks a log as it is read, block by block or as lines of a file: every record is readable and canonical, follows its
 * predecessor's leaf, has the next number, and never goes back in time. A later epoch may leave numbers out, by a record that says so.
 *
 * Where a record and the one before it disagree, one of the two was altered. The later one is sound if what comes after it
 * (the next record, the block's leaf, the head) gives its hash; then it is the earlier one that is named.
 *
 * Every method throws the first {@link ChainFault}; the check is of no use after that.
 */
export class ChainCheck {
  private block = -1
  private seq = -1
  private leaf: Leaf = GENESIS_PREV
  private epoch = 0
  private at = ''
  /** Whether somebody else vouches for the last record: nothing is read yet, or a trusted state was given. */
  private anchored = true
  private suspect: Suspect | undefined

  /** `from` is a trusted state to go on from; `trust` is `'trusted'` where the last leaf is known to be right, as in {@link decodeRecord}. */
  constructor(
    from?: ChainState,
    private readonly trust: 'checked' | 'trusted' = 'checked',
  ) {
    if (from === undefined) return
    this.block = from.position.block
    this.seq = from.position.seq
    this.leaf = from.position.leaf
    this.epoch = from.epoch
    this.at = from.at
  }

  /** Of the last record that was checked; undefined before the first. */
  get state(): ChainState | undefined {
    if (this.seq < 0) return undefined
    return { position: { block: this.block, seq: this.seq, leaf: this.leaf }, epoch: this.epoch, at: this.at }
  }

  /** The records of the next block. */
  add(block: Block): readonly CheckedRecord[] {
    const expected = this.seq + 1
    if (block.number !== this.block + 1) {
      throw new ChainFault('BLOCK_MISSING', expected, `after block ${this.block} comes block ${block.number}`)
    }
    const records = this.read(block.bytes, Math.max(block.first, expected))
    if (this.suspect !== undefined) throw this.blame(this.suspect, block.leaf)
    if (this.seq !== block.last || records.length !== block.last - block.first + 1) {
      const detail = `block ${block.number} should hold records ${block.first} to ${block.last}, but has ${records.length} and ends with ${this.seq}`
      throw new ChainFault('RECORD_MISSING', this.seq + 1, detail)
    }
    if (this.leaf !== block.leaf) {
      throw new ChainFault(
        'CHAIN_BROKEN',
        block.last,
        `it hashes to ${this.leaf}, but block ${block.number} says ${block.leaf}`,
      )
    }
    this.block = block.number
    return records
  }

  /** The records of the next whole lines of a file. Nothing vouches for the last one until more is read. */
  addLines(bytes: Uint8Array): readonly CheckedRecord[] {
    return this.read(bytes, this.seq + 1)
  }

  /** The log has ended; `head` is the leaf of its last record, from the store, a checkpoint, or anybody's receipt. */
  end(head?: Leaf): void {
    if (this.suspect !== undefined) throw this.blame(this.suspect, head)
    if (head === undefined || head === this.leaf) return
    const detail =
      this.seq < 0
        ? `there is none, but the head is ${head}`
        : `the log ends with leaf ${this.leaf}, but the head is ${head}`
    throw new ChainFault('HEAD_MISMATCH', Math.max(0, this.seq), detail)
  }

  private read(bytes: Uint8Array, firstSeq: number): CheckedRecord[] {
    const records: CheckedRecord[] = []
    let expected = firstSeq
    let start = 0
    while (start < bytes.length) {
      const end = bytes.indexOf(LINE_FEED, start)
      if (end < 0)
        throw new ChainFault('RECORD_UNREADABLE', expected, `it breaks off after ${bytes.length - start} bytes`)
      const checked = this.check(bytes.subarray(start, end), expected)
      if (checked !== undefined) records.push(checked)
      expected = this.seq + 1
      start = end + 1
    }
    return records
  }

  private check(bytes: Uint8Array, expected: number): CheckedRecord | undefined {
    if (this.suspect !== undefined) throw this.blame(this.suspect, prevIn(bytes))
    const record = this.decode(bytes, expected)
    const leaf = leafHash(bytes)
    const begins = record.epoch > this.epoch && record.type === GAP_DECLARED
    if (!begins && record.seq !== this.seq + 1) {
      throw new ChainFault('SEQ_GAP', expected, `in its place stands a record that says it is number ${record.seq}`)
    }
    if (record.prev !== this.leaf) {
      this.suspect = { seq: expected, prev: record.prev, leaf }
      return undefined
    }
    this.checkEpoch(record, expected)
    if (record.at < this.at)
      throw new ChainFault('TIME_WENT_BACK', expected, `it is of ${record.at}, but the one before of ${this.at}`)
    this.seq = record.seq
    this.leaf = leaf
    this.epoch = record.epoch
    this.at = record.at
    this.anchored = false
    return { record, leaf }
  }

  private decode(bytes: Uint8Array, expected: number): LedgerRecord {
    try {
      return decodeRecord(bytes, this.trust)
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error
      const code = error.code === 'RECORD_NOT_CANONICAL' ? error.code : 'RECORD_UNREADABLE'
      throw new ChainFault(code, expected, error.message, error)
    }
  }

  private checkEpoch(record: LedgerRecord, expected: number): void {
    if (record.epoch === this.epoch) return
    const from = this.seq + 1
    if (record.epoch < this.epoch || record.type !== GAP_DECLARED) {
      throw new ChainFault(
        'EPOCH_BROKEN',
        expected,
        `a ${record.type} of epoch ${record.epoch} follows epoch ${this.epoch}`,
      )
    }
    const { data } = record
    if (
      (record.seq !== expected && expected !== from) ||
      record.seq < from ||
      data['from'] !== from ||
      data['to'] !== record.seq - 1
    ) {
      const detail = `epoch ${record.epoch} declares ${data['from']} to ${data['to']} as missing, but ${from} to ${record.seq - 1} are`
      throw new ChainFault('EPOCH_BROKEN', expected, detail)
    }
  }

  /** Names the altered one of two records that disagree. Without a voucher the earlier: it alone can be altered unseen. */
  private blame(suspect: Suspect, voucher: Leaf | undefined): ChainFault {
    const laterIsSound = voucher === undefined || voucher === suspect.leaf
    const named = laterIsSound && !this.anchored ? this.seq : suspect.seq
    const detail = `record ${suspect.seq} says its predecessor hashes to ${suspect.prev}, but record ${this.seq} hashes to ${this.leaf}`
    return new ChainFault('CHAIN_BROKEN', named, detail)
  }
}

/** A record whose `prev` is not the leaf before it. */
interface Suspect {
  readonly seq: number
  readonly prev: Leaf
  readonly leaf: Leaf
}

const LINE_FEED = 0x0a

/** What a record says of its predecessor, or undefined where it cannot be read. */
const prevIn = (bytes: Uint8Array): Leaf | undefined => {
  try {
    return decodeRecord(bytes).prev
  } catch {
    return undefined
  }
}
