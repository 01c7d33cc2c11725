import { bytesOf, type ChunkSink, type ChunkSource, type Saved, wordsOf } from './chunks.js'

const PAGE_ENTRIES = 32_768
const WORDS = 3

/**
 * Entries of three unsigned 32-bit words in the order in which they came, never changed. Keeps those that are not in the
 * file yet, and the last page, which the next flush writes again.
 */
export class EntryLog implements Saved {
  #pages: Uint32Array[] = []
  /** Number of the first page that is kept here. */
  #first = 0
  #count = 0
  #savedCount = 0
  #stagedCount = 0

  constructor(private readonly stream: string) {}

  add(one: number, two: number, three: number): void {
    const place = (this.#count % PAGE_ENTRIES) * WORDS
    if (place === 0) this.#pages.push(new Uint32Array(PAGE_ENTRIES * WORDS))
    const page = this.#pages[this.#pages.length - 1] as Uint32Array
    page[place] = one
    page[place + 1] = two
    page[place + 2] = three
    this.#count++
  }

  save(sink: ChunkSink): void {
    this.#stagedCount = this.#count
    if (this.#count === this.#savedCount) return
    for (const [index, page] of this.#pages.entries()) {
      const number = this.#first + index
      const used = Math.min(PAGE_ENTRIES, this.#count - number * PAGE_ENTRIES)
      if ((number + 1) * PAGE_ENTRIES > this.#savedCount)
        sink.put(this.stream, number, bytesOf(page.subarray(0, used * WORDS)))
    }
  }

  saved(): void {
    this.#savedCount = this.#stagedCount
    const whole = Math.floor(this.#savedCount / PAGE_ENTRIES) - this.#first
    this.#pages = this.#pages.slice(whole)
    this.#first += whole
  }

  /** Gives every entry to `take`, in order. */
  load(source: ChunkSource, take: (one: number, two: number, three: number) => void): void {
    for (const { number, bytes } of source.chunks(this.stream)) {
      const words = wordsOf(bytes)
      for (let place = 0; place < words.length; place += WORDS) {
        take(words[place] as number, words[place + 1] as number, words[place + 2] as number)
      }
      this.#count = number * PAGE_ENTRIES + words.length / WORDS
      if (this.#count % PAGE_ENTRIES !== 0) this.#keep(number, words)
      else this.#first = number + 1
    }
    this.#savedCount = this.#count
  }

  #keep(number: number, words: Uint32Array): void {
    const page = new Uint32Array(PAGE_ENTRIES * WORDS)
    page.set(words)
    this.#pages = [page]
    this.#first = number
  }
}
