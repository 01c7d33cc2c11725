import { type Block, type Position, positionOf, recordsOf } from '../ledger/block.js'
import { decodeRecord } from '../ledger/record.js'

/**
 * What a block of a journal is to the line of those that count:
 * - `next`: it follows the last one that counts, and so counts itself;
 * - `passed`: its place is taken. It is a repeat, or of a process that was overtaken, or follows such a block;
 * - `beyond`: it is of a later place, and those between are not there;
 * - `stray`: it is of the next place, and follows nothing that is known.
 */
export type Place = 'next' | 'passed' | 'beyond' | 'stray'

/**
 * Follows the blocks that count through a journal, from one that does. The order of messages decides between processes that
 * write at the same time: the first block that follows takes the place.
 */
export class JournalLine {
  #aside: Position | undefined

  constructor(private at: Position) {}

  /** The last block that counts. */
  get end(): Position {
    return this.at
  }

  /** A block that counts, as the caller knows. */
  advance(block: Block): void {
    this.at = positionOf(block)
  }

  placeOf(block: Block): Place {
    if (block.number <= this.at.block) {
      if (block.number === this.at.block && block.leaf !== this.at.leaf) this.#aside = positionOf(block)
      return 'passed'
    }
    if (follows(block, this.at)) return 'next'
    if (this.#aside !== undefined && follows(block, this.#aside)) {
      // One send carries many blocks: all of them are void where the first is.
      this.#aside = positionOf(block)
      return 'passed'
    }
    return block.number === this.at.block + 1 ? 'stray' : 'beyond'
  }
}

/** Whether a block says that it comes right after a position. */
export const follows = (block: Block, before: Position): boolean =>
  block.number === before.block + 1 && firstOf(block).prev === before.leaf

const firstOf = (block: Block) => {
  for (const { bytes } of recordsOf(block)) return decodeRecord(bytes, 'trusted')
  throw new RangeError(`block ${block.number} has no record`)
}
