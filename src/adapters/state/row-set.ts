/** Numbers of rows, each once, in the order in which they came. */
export class RowSet {
  size = 0
  #rows = new Uint32Array(64)
  readonly #marks: (Uint8Array | undefined)[] = []

  add(row: number): void {
    const byte = row >>> 3
    const bit = 1 << (row & 7)
    const marks = this.#marksAt(byte >>> PAGE_BITS)
    const place = byte & PAGE_MASK
    const marked = marks[place] as number
    if ((marked & bit) !== 0) return
    marks[place] = marked | bit
    if (this.size === this.#rows.length) this.#widen()
    this.#rows[this.size++] = row
  }

  /** A view that holds until the next change. */
  get rows(): Uint32Array {
    return this.#rows.subarray(0, this.size)
  }

  clear(): void {
    for (const row of this.rows) this.#marksAt(row >>> (PAGE_BITS + 3))[(row >>> 3) & PAGE_MASK] = 0
    this.size = 0
  }

  #marksAt(page: number): Uint8Array {
    let marks = this.#marks[page]
    if (marks === undefined) {
      marks = new Uint8Array(PAGE_MASK + 1)
      this.#marks[page] = marks
    }
    return marks
  }

  #widen(): void {
    const wider = new Uint32Array(this.#rows.length * 2)
    wider.set(this.#rows)
    this.#rows = wider
  }
}

/** Marks of 32,768 rows a page. */
const PAGE_BITS = 12
const PAGE_MASK = 2 ** PAGE_BITS - 1
