import { createHash } from 'node:crypto'
import type { Block } from '../ledger/block.js'
import { ChainCheck, ChainFault, type ChainState, type CheckedRecord } from '../ledger/chain.js'
import { MerkleTree } from '../ledger/merkle.js'
import type { Leaf } from '../ledger/record.js'
import { type Fault, ReplayFault } from './fault.js'
import { Replay } from './replay.js'

/** The last record that was found sound. */
export interface Head {
  readonly seq: number
  readonly leaf: Leaf
  readonly at: string
}

/** What a whole pass over a ledger's records has shown. */
export interface Verification {
  /** The first bad record; what comes after it was not looked at. */
  readonly fault: Fault | undefined
  readonly head: Head | undefined
  readonly epoch: number
  /** RFC 6962 root over the leaves of all records. */
  readonly root: string
  readonly size: number
  /** SHA-256 over the bytes of all records, each with its line feed: what `sha256sum` says of the log as a file. */
  readonly digest: string
  /** Whether somebody beside the records vouched for the last one: nothing inside a log does. */
  readonly headChecked: boolean
  readonly replay: Replay
}

/**
 * Verifies a ledger from its records alone, as they are read: chain and tree, and by replay every sum (V0), every cap
 * (V1), every cost (V2), and every rule that a decision has to keep.
 *
 * Feed blocks of a store in order, or whole lines of a file; then call {@link end}. Memory grows with the number of
 * budgets and request ids, not with the number of records' bytes.
 */
export class Verifier {
  readonly #chain = new ChainCheck()
  readonly #tree = MerkleTree.empty()
  readonly #replay = new Replay()
  readonly #digest = createHash('sha256')
  #fault: Fault | undefined
  #head: Head | undefined
  #epoch = 0

  /** Records found sound so far. */
  get size(): number {
    return this.#tree.size
  }

  /** @returns whether it is worth going on. */
  addBlock(block: Block): boolean {
    return this.#guarded(() => this.#take(block.bytes, () => this.#chain.add(block)))
  }

  /** Whole lines, each with its line feed. @returns whether it is worth going on. */
  addLines(bytes: Uint8Array): boolean {
    return this.#guarded(() => this.#take(bytes, () => this.#chain.addLines(bytes)))
  }

  /** Something made it impossible to read on, and this record is the first that is missing. */
  stop(fault: Fault): void {
    this.#fault ??= fault
  }

  /** @param head the leaf of the last record, from the store, a checkpoint, or anybody's receipt. */
  end(head?: Leaf): Verification {
    this.#guarded(() => this.#end(head))
    return {
      fault: this.#fault,
      head: this.#head,
      epoch: this.#epoch,
      root: this.#tree.root(),
      size: this.#tree.size,
      digest: this.#digest.digest('hex'),
      headChecked: head !== undefined && this.#fault === undefined,
      replay: this.#replay,
    }
  }

  #end(head: Leaf | undefined): void {
    this.#chain.end(head)
    if (this.#head === undefined) throw new ReplayFault('LEDGER_NOT_OPENED', 0, 'there is no record at all')
  }

  #take(bytes: Uint8Array, check: () => readonly CheckedRecord[]): void {
    const before = this.#chain.state
    try {
      const records = check()
      for (const record of records) this.#takeOne(record)
    } catch (error) {
      if (error instanceof ChainFault) this.#takeUpTo(error, bytes, before)
      throw error
    }
    this.#digest.update(bytes)
  }

  /** A chain is checked some records ahead: an earlier one among them may be worse. */
  #takeUpTo(fault: ChainFault, bytes: Uint8Array, before: ChainState | undefined): void {
    const chain = new ChainCheck(before)
    for (const line of linesOf(bytes)) {
      if (this.#tree.size > 0 && (this.#head?.seq ?? -1) + 1 >= fault.seq) return
      for (const record of soundIn(chain, line)) this.#takeOne(record)
    }
  }

  #takeOne(checked: CheckedRecord): void {
    this.#replay.take(checked)
    this.#tree.append(checked.leaf)
    const { seq, at, epoch } = checked.record
    this.#head = { seq, leaf: checked.leaf, at }
    this.#epoch = epoch
  }

  #guarded(step: () => void): boolean {
    if (this.#fault !== undefined) return false
    try {
      step()
    } catch (error) {
      if (!(error instanceof ChainFault || error instanceof ReplayFault)) throw error
      this.#fault = error
    }
    return this.#fault === undefined
  }
}

function* linesOf(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let start = 0; start < bytes.length; ) {
    const feed = bytes.indexOf(LINE_FEED, start)
    const end = feed < 0 ? bytes.length : feed + 1
    yield bytes.subarray(start, end)
    start = end
  }
}

const LINE_FEED = 0x0a

const soundIn = (chain: ChainCheck, line: Uint8Array): readonly CheckedRecord[] => {
  try {
    return chain.addLines(line)
  } catch (error) {
    if (error instanceof ChainFault) return []
    throw error
  }
}
