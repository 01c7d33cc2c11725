/**
 * Things by the number of their record, in rising order, so that a page after any record is found in O(log n) steps. What has
 * gone leaves a hole; holes are swept out once they are the larger part, so that they cost no more than what is there.
 */
export class SeqOrder<Item> {
  #seqs: number[] = []
  #items: (Item | undefined)[] = []
  #holes = 0

  /** @throws RangeError for a record that does not come after all others. */
  add(seq: number, item: Item): void {
    const last = this.#seqs.at(-1)
    if (last !== undefined && seq <= last) throw new RangeError(`record ${seq} came after record ${last}`)
    this.#seqs.push(seq)
    this.#items.push(item)
  }

  remove(seq: number): void {
    const place = this.#firstAfter(seq - 1)
    if (this.#seqs[place] !== seq || this.#items[place] === undefined) return
    this.#items[place] = undefined
    this.#holes++
    if (this.#holes * 2 > this.#items.length) this.#sweep()
  }

  /** Those of records above `after`, rising, at most `limit`. */
  page(after: number, limit: number): readonly Item[] {
    const found: Item[] = []
    for (let place = this.#firstAfter(after); place < this.#items.length && found.length < limit; place++) {
      const item = this.#items[place]
      if (item !== undefined) found.push(item)
    }
    return found
  }

  #firstAfter(seq: number): number {
    let low = 0
    let high = this.#seqs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#seqs[middle] as number) > seq) high = middle
      else low = middle + 1
    }
    return low
  }

  #sweep(): void {
    this.#seqs = this.#seqs.filter((_, place) => this.#items[place] !== undefined)
    this.#items = this.#items.filter((item) => item !== undefined)
    this.#holes = 0
  }
}
