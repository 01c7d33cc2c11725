import { MemoryStore } from '../../src/adapters/memory-store.js'
import { type Block, type Position, positionOf } from '../../src/ledger/block.js'
import { assertFollows } from '../../src/ledger/event-store.js'

/** Keeps the blocks of one append one by one, as a stream does, and lets others in between. */
export class PiecewiseStore extends MemoryStore {
  override readonly keepsAllOrNone = false
  /** Called after every block but the last of an append: a rival's moment. */
  between: () => Promise<void> = () => new Promise(setImmediate)

  override async append(blocks: readonly Block[], after: Position | undefined): Promise<Position> {
    assertFollows(blocks, after)
    let at = after
    for (const [index, block] of blocks.entries()) {
      if (index > 0) await this.between()
      await super.append([block], at)
      at = positionOf(block)
    }
    return at as Position
  }
}
