import type { ChunkSink, ChunkSource, Saved } from './chunks.js'
import { EntryLog } from './entry-log.js'

/** Numbers of records in rising order; only ever added to. */
export class SeqList implements Saved {
  readonly #seqs: number[] = []
  readonly #log: EntryLog | undefined

  /** @param stream the chunks' stream in the file; undefined for a list without a file */
  constructor(stream: string | undefined) {
    this.#log = stream === undefined ? undefined : new EntryLog(stream)
  }

  get size(): number {
    return this.#seqs.length
  }

  add(seq: number): void {
    this.#seqs.push(seq)
    this.#log?.add(seq >>> 0, Math.floor(seq / 2 ** 32), 0)
  }

  /** Those above `after`, at most `limit`. */
  list(after: number, limit: number): readonly number[] {
    const from = this.#firstAfter(after)
    return this.#seqs.slice(from, from + limit)
  }

  save(sink: ChunkSink): void {
    this.#log?.save(sink)
  }

  saved(): void {
    this.#log?.saved()
  }

  load(source: ChunkSource): void {
    this.#log?.load(source, (low, high) => this.#seqs.push(high * 2 ** 32 + low))
  }

  #firstAfter(after: number): number {
    let from = 0
    let to = this.#seqs.length
    while (from < to) {
      const middle = (from + to) >>> 1
      if ((this.#seqs[middle] as number) <= after) from = middle + 1
      else to = middle
    }
    return from
  }
}
