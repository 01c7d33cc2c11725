import type { Block } from '../../ledger/block.js'

/** Which records a block holds. */
export type Span = Pick<Block, 'number' | 'first' | 'last'>

/** Where blocks are that were seen: a stream knows numbers of blocks, and readers ask for those of records. */
export class SeenBlocks {
  /** In order, without repeats. */
  private spans: Span[] = []

  constructor(private readonly most = 4_096) {}

  note({ number, first, last }: Span): void {
    const index = this.firstIndex((span) => span.number >= number)
    if (this.spans[index]?.number === number) return
    this.spans.splice(index, 0, { number, first, last })
    // Every second one says nearly as much as all.
    if (this.spans.length > this.most) this.spans = this.spans.filter((_, place) => place % 2 === 0)
  }

  /** The last span seen below a record, and the first one that does not lie below it. */
  around(seq: number): { readonly below: Span | undefined; readonly above: Span | undefined } {
    const index = this.firstIndex((span) => span.last >= seq)
    return { below: this.spans[index - 1], above: this.spans[index] }
  }

  private firstIndex(reached: (span: Span) => boolean): number {
    let low = 0
    let high = this.spans.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (reached(this.spans[middle] as Span)) high = middle
      else low = middle + 1
    }
    return low
  }
}

/**
 * The block to look at next, of those after `below` and before `above`: where the record would be if records were spread evenly.
 * Every second step halves what is left, however uneven the blocks are.
 */
export const between = (seq: number, below: Span | undefined, above: Span, step: number): number => {
  const from = below === undefined ? 0 : below.number + 1
  const start = below === undefined ? 0 : below.last + 1
  const blocks = above.number - from
  if (step % 2 === 1) return from + (blocks >>> 1)
  const share = (seq - start) / Math.max(1, above.first - start)
  return from + Math.max(0, Math.min(blocks - 1, Math.floor(share * blocks)))
}
