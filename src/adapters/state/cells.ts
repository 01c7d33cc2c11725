import { bytesOf, type ChunkSink, type ChunkSource, floatsOf, type Saved } from './chunks.js'
import { RowSet } from './row-set.js'

export const PAGE_ROWS = 4096
const PAGE_BITS = 12
/** A chunk of changes counts at least so much towards the next page, so that many small flushes leave few chunks. */
const LEAST_CREDIT_BYTES = 4096

/**
 * Rows of `width` floats in pages of 4,096, all zero at first; a page comes to life when one of its rows is written.
 *
 * In the file a page is a chunk, and a flush adds one chunk with the rows that have changed and, turn by turn, as many
 * bytes of whole pages. So a flush costs what has changed, however many rows there are, and the changes that a start has
 * to read never outgrow the pages. Each page says which flush wrote it: older changes of its rows are in it already.
 */
export class Cells implements Saved {
  readonly #pages: (Float64Array | undefined)[] = []
  readonly #changed: RowSet | undefined
  /** The flush that wrote a page last; 0 for a page that is not in the file yet. */
  readonly #written: number[] = []
  /** The flushes whose changed rows are in the file. */
  #logs: number[] = []
  #rows = 0
  #turn = 0
  #credit = 0
  #staged: Staged | undefined

  constructor(
    readonly stream: string,
    readonly width: number,
    tracked: boolean,
  ) {
    this.#changed = tracked ? new RowSet() : undefined
  }

  /** The page of a row; undefined where all of it is zero. */
  page(row: number): Float64Array | undefined {
    return this.#pages[row >>> PAGE_BITS]
  }

  /** Where a row begins in its page. */
  offset(row: number): number {
    return (row & (PAGE_ROWS - 1)) * this.width
  }

  /** The page of a row that is about to be written. */
  touch(row: number): Float64Array {
    this.#changed?.add(row)
    return this.#pageFor(row)
  }

  save(sink: ChunkSink, flush: number): void {
    this.#staged = undefined
    if (this.#changed === undefined || this.#changed.size === 0) return
    const perPage = this.#changesPerPage(this.#changed.rows)
    const pages = new Set([...perPage].flatMap(([page, rows]) => (this.#isDense(page, rows) ? [page] : [])))
    const log = this.#changed.rows.filter((row) => !pages.has(row >>> PAGE_BITS))
    const logBytes = log.length * (this.width + 1) * 8
    if (logBytes > 0) sink.put(logOf(this.stream), flush, bytesOf(this.#changedRows(log)))
    let { turn, credit } = { turn: this.#turn, credit: this.#credit }
    if (logBytes > 0) credit += Math.max(logBytes, LEAST_CREDIT_BYTES)
    for (let seen = 0; seen < this.#pages.length && credit >= this.#pageBytes(turn); seen++) {
      if (this.#pages[turn] !== undefined && !pages.has(turn)) {
        credit -= this.#pageBytes(turn)
        pages.add(turn)
      }
      turn = (turn + 1) % this.#pages.length
    }
    for (const page of pages) sink.put(this.stream, page, this.#pageChunk(page, flush))
    const logs = logBytes > 0 ? [...this.#logs, flush] : this.#logs
    const oldest = this.#oldestPage(pages, flush)
    for (const log of logs) if (log <= oldest) sink.remove(logOf(this.stream), log)
    this.#staged = { flush, pages, logs: logs.filter((log) => log > oldest), turn, credit }
  }

  saved(): void {
    if (this.#staged === undefined) return
    const { flush, pages, logs, turn, credit } = this.#staged
    for (const page of pages) this.#written[page] = flush
    this.#logs = logs
    this.#turn = turn
    this.#credit = credit
    this.#changed?.clear()
    this.#staged = undefined
  }

  load(source: ChunkSource): void {
    for (const { number, bytes } of source.chunks(this.stream)) {
      const chunk = floatsOf(bytes)
      this.#written[number] = chunk[0] as number
      const row = number * PAGE_ROWS
      this.#pageFor(row).set(chunk.subarray(1))
      this.#rows = Math.max(this.#rows, row + (chunk.length - 1) / this.width)
    }
    for (const { number, bytes } of source.chunks(logOf(this.stream))) {
      this.#logs.push(number)
      this.#replay(number, floatsOf(bytes))
    }
  }

  #replay(flush: number, log: Float64Array): void {
    const { width } = this
    for (let at = 0; at < log.length; at += width + 1) {
      const row = log[at] as number
      if (flush <= (this.#written[row >>> PAGE_BITS] ?? 0)) continue
      const page = this.#pageFor(row)
      const offset = this.offset(row)
      for (let cell = 0; cell < width; cell++) page[offset + cell] = log[at + 1 + cell] as number
    }
  }

  #pageFor(row: number): Float64Array {
    if (row >= this.#rows) this.#rows = row + 1
    let page = this.#pages[row >>> PAGE_BITS]
    if (page === undefined) {
      page = new Float64Array(PAGE_ROWS * this.width)
      this.#pages[row >>> PAGE_BITS] = page
    }
    return page
  }

  #changesPerPage(rows: Uint32Array): Map<number, number> {
    const counts = new Map<number, number>()
    for (const row of rows) counts.set(row >>> PAGE_BITS, (counts.get(row >>> PAGE_BITS) ?? 0) + 1)
    return counts
  }

  /** Whether the page is no larger than twice its changed rows. */
  #isDense(page: number, rows: number): boolean {
    return this.#pageBytes(page) <= 2 * rows * (this.width + 1) * 8
  }

  #changedRows(rows: Uint32Array): Float64Array {
    const { width } = this
    const log = new Float64Array(rows.length * (width + 1))
    let at = 0
    for (const row of rows) {
      const page = this.#pageFor(row)
      const offset = this.offset(row)
      log[at++] = row
      for (let cell = 0; cell < width; cell++) log[at++] = page[offset + cell] as number
    }
    return log
  }

  #pageChunk(page: number, flush: number): Uint8Array {
    const cells = this.#usedRows(page) * this.width
    const chunk = new Float64Array(1 + cells)
    chunk[0] = flush
    chunk.set(this.#pageFor(page * PAGE_ROWS).subarray(0, cells), 1)
    return bytesOf(chunk)
  }

  #pageBytes(page: number): number {
    return this.#usedRows(page) * this.width * 8
  }

  #usedRows(page: number): number {
    return Math.min(PAGE_ROWS, this.#rows - page * PAGE_ROWS)
  }

  /** The flush up to which every page holds all changes. */
  #oldestPage(written: ReadonlySet<number>, flush: number): number {
    let oldest = flush
    for (const [page, cells] of this.#pages.entries()) {
      if (cells !== undefined && !written.has(page)) oldest = Math.min(oldest, this.#written[page] ?? 0)
    }
    return oldest
  }
}

/** What becomes true when a flush is kept. */
interface Staged {
  readonly flush: number
  readonly pages: ReadonlySet<number>
  readonly logs: number[]
  readonly turn: number
  readonly credit: number
}

const logOf = (stream: string): string => `${stream} changes`
