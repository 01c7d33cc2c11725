import { type Block, type Position, positionOf, samePosition } from '../ledger/block.js'
import { LedgerError } from '../ledger/errors.js'
import { AppendConflict, assertFollows, EventStore } from '../ledger/event-store.js'
import { AppendSignal } from './append-signal.js'

/** Blocks in memory, for tests: everything is lost with the process. */
export class MemoryStore extends EventStore {
  private readonly blocks: Block[] = []
  private readonly appended = new AppendSignal()
  private closed = false

  override async append(blocks: readonly Block[], after: Position | undefined): Promise<Position> {
    assertFollows(blocks, after)
    if (this.closed) throw storeClosed()
    const head = this.last()
    if (!samePosition(head, after)) throw new AppendConflict(after, head)
    this.blocks.push(...blocks)
    this.appended.raise()
    return positionOf(blocks.at(-1) as Block)
  }

  override async *read(fromSeq: number): AsyncGenerator<Block, void, undefined> {
    for (let index = this.indexOf(fromSeq); index < this.blocks.length; index++) yield this.blocks[index] as Block
  }

  override blockOf(seq: number): Block | undefined {
    const block = this.blocks[this.indexOf(seq)]
    return block !== undefined && block.first <= seq ? block : undefined
  }

  override async head(): Promise<Position | undefined> {
    return this.last()
  }

  override subscribe(fromSeq: number, signal: AbortSignal): AsyncIterable<Block> {
    return this.appended.follow((seq) => this.read(seq), fromSeq, signal)
  }

  override async close(): Promise<void> {
    this.closed = true
    this.appended.close()
  }

  private last(): Position | undefined {
    const block = this.blocks.at(-1)
    return block && positionOf(block)
  }

  /** Of the first block that ends at `seq` or above. */
  private indexOf(seq: number): number {
    let low = 0
    let high = this.blocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.blocks[middle] as Block).last < seq) low = middle + 1
      else high = middle
    }
    return low
  }
}

const storeClosed = (): LedgerError =>
  new LedgerError('STORE_CLOSED', 'the store was closed', { retry: 'after-restart' })
