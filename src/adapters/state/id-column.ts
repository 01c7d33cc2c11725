/** One unsigned 32-bit number for each id, 0 where none was set; pages come to life when they are written. */
export class IdColumn {
  readonly #pages: (Uint32Array | undefined)[] = []

  get(id: number): number {
    return this.#pages[id >>> PAGE_BITS]?.[id & PAGE_MASK] ?? 0
  }

  set(id: number, value: number): void {
    let page = this.#pages[id >>> PAGE_BITS]
    if (page === undefined) {
      page = new Uint32Array(PAGE_MASK + 1)
      this.#pages[id >>> PAGE_BITS] = page
    }
    page[id & PAGE_MASK] = value
  }
}

const PAGE_BITS = 12
const PAGE_MASK = 2 ** PAGE_BITS - 1
