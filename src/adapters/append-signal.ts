import type { Block } from '../ledger/block.js'

/** Tells subscribers inside this process that there is something new to read. */
export class AppendSignal {
  private readonly waiting = new Set<() => void>()
  private count = 0
  private over = false

  /** Blocks were appended. */
  raise(): void {
    this.count++
    this.wakeAll()
  }

  /** The store is closed: subscriptions end. */
  close(): void {
    this.over = true
    this.wakeAll()
  }

  /** Every block that `read` gives from `fromSeq` on, then each new one, until `signal` aborts or the store is closed. */
  async *follow(
    read: (fromSeq: number) => AsyncIterable<Block>,
    fromSeq: number,
    signal: AbortSignal,
  ): AsyncGenerator<Block, void, undefined> {
    let next = fromSeq
    while (!signal.aborted && !this.over) {
      const seen = this.count
      for await (const block of read(next)) {
        if (signal.aborted || this.over) return
        yield block
        next = block.last + 1
      }
      if (seen === this.count) await this.change(signal)
    }
  }

  /** Resolves with the next append, close, or abort, and leaves nothing behind. */
  private change(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.over) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        this.waiting.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.waiting.add(wake)
      signal.addEventListener('abort', wake)
    })
  }

  private wakeAll(): void {
    for (const wake of [...this.waiting]) wake()
  }
}
