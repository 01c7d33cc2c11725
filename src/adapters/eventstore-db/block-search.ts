import type { Block } from '../../ledger/block.js'
import { between, SeenBlocks } from './seen-blocks.js'
import type { StreamReader } from './stream-reader.js'

/** Finds the block of a record: a stream knows only the numbers of blocks. */
export class BlockSearch {
  private readonly spans = new SeenBlocks()
  /** The newest looked up last; whoever repeats requests repeats recent ones. */
  private readonly recent: Block[] = []

  constructor(private readonly reader: StreamReader) {}

  /** A block was seen where it is. */
  note(block: Block): void {
    this.spans.note(block)
  }

  /** Number of the block that holds a record, or else of the first above it; that of the next append where there is none. */
  async numberFrom(seq: number): Promise<number> {
    if (seq <= 0) return 0
    const found = await this.find(seq)
    return typeof found === 'number' ? found : found.number
  }

  /** The block that holds a record; undefined where there is none. */
  async blockOf(seq: number): Promise<Block | undefined> {
    const known = this.recent.find(({ first, last }) => first <= seq && seq <= last)
    if (known !== undefined) return known
    const found = await this.find(seq)
    const block = typeof found === 'number' ? await this.reader.block(found) : found
    if (block === undefined || seq < block.first || seq > block.last) return undefined
    this.recent.unshift(block)
    this.recent.length = Math.min(this.recent.length, MOST_RECENT)
    return block
  }

  /** The block itself where it was read on the way. */
  private async find(seq: number): Promise<Block | number> {
    let { below, above } = this.spans.around(seq)
    if (above === undefined) {
      const last = await this.reader.last()
      if (typeof last === 'string') return 0
      this.note(last)
      if (last.last < seq) return last.number + 1
      above = last
    }
    for (let step = 0; above.number > (below?.number ?? -1) + 1; step++) {
      const block = await this.reader.block(between(seq, below, above, step))
      if (block === undefined) break
      this.note(block)
      if (block.last < seq) below = block
      else if (block.first <= seq) return block
      else above = block
    }
    return above.number
  }
}

/** Up to 512 KiB each. */
const MOST_RECENT = 8
