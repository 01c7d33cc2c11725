import { LedgerError } from '../../ledger/errors.js'
import type { ChunkSink, ChunkSource, Saved } from './chunks.js'
import { HalfSipHash } from './half-sip-hash.js'
import { IdColumn } from './id-column.js'
import { nextPlace, placeOf, SlotTable } from './slot-table.js'
import { TextBytes } from './text-bytes.js'

const PAGE_BYTES = 2 ** 20
const PAGE_BITS = 20
const PAGE_MASK = PAGE_BYTES - 1
/** Offsets have 32 bits. */
const MOST_PAGES = 2 ** (32 - PAGE_BITS)
/** A name's id in four bytes and its length in two, before its bytes. */
const HEADER_BYTES = 6
const LONGEST = 0xffff
const PARTITIONS = 1024
const STREAM = 'names'

/**
 * Every name of a unit or a budget once, with a number from 0 on. The bytes lie in pages of 1 MiB outside the heap; a
 * hash finds them, and they are compared: two names never share a number.
 */
export class NameTable implements Saved {
  readonly #pages: Uint8Array[] = []
  readonly #used: number[] = []
  readonly #offsets = new IdColumn()
  readonly #index = new SlotTable(PARTITIONS)
  readonly #hash: HalfSipHash
  readonly #text = new TextBytes()
  #size = 0
  /** The name asked for last: a spend asks for the same one several times. */
  #lastName = ''
  #lastId = -1
  #savedPages = 0
  #savedBytes = 0

  constructor(key: Uint8Array) {
    this.#hash = new HalfSipHash(key)
  }

  get size(): number {
    return this.#size
  }

  /** The number of a name, or -1. */
  idOf(name: string): number {
    if (name === this.#lastName && this.#lastId !== -1) return this.#lastId
    const text = this.#text.set(name)
    if (!text.wellFormed) return -1
    this.#hash.hash(text.bytes, text.length)
    return this.#find(name)
  }

  /** The number of a name, which may be new. @throws LedgerError STATE_FULL */
  intern(name: string): number {
    const known = this.idOf(name)
    if (known !== -1) return known
    // The search has left the bytes and their hash where they are needed now.
    const text = this.#text
    if (!text.wellFormed || text.length > LONGEST) {
      throw new RangeError(`a name of ${text.length} bytes, well formed: ${text.wellFormed}, was to be kept`)
    }
    const id = this.#append(text)
    return this.#remember(name, id)
  }

  textOf(id: number): string {
    const offset = this.#offsets.get(id)
    const page = this.#pages[offset >>> PAGE_BITS] as Uint8Array
    const at = offset & PAGE_MASK
    const start = at + HEADER_BYTES
    return Buffer.from(page.buffer, start, lengthAt(page, at)).toString('utf8')
  }

  save(sink: ChunkSink): void {
    for (let page = Math.max(0, this.#savedPages - 1); page < this.#pages.length; page++) {
      const used = this.#used[page] ?? 0
      if (page === this.#savedPages - 1 && used === this.#savedBytes) continue
      sink.put(STREAM, page, (this.#pages[page] as Uint8Array).subarray(0, used))
    }
  }

  saved(): void {
    this.#savedPages = this.#pages.length
    this.#savedBytes = this.#used.at(-1) ?? 0
  }

  /** @param size how many names there are */
  load(source: ChunkSource, size: number): void {
    this.#index.expect(size)
    for (const { number, bytes } of source.chunks(STREAM)) {
      const page = new Uint8Array(PAGE_BYTES)
      page.set(bytes)
      this.#pages.push(page)
      this.#used.push(bytes.length)
      this.#indexPage(number, page, bytes.length)
    }
    this.saved()
  }

  #remember(name: string, id: number): number {
    this.#lastName = name
    this.#lastId = id
    return id
  }

  #find(name: string): number {
    const { bytes, length } = this.#text
    const { low, high } = this.#hash
    const slots = this.#index.slots(high >>> 22)
    for (let place = placeOf(slots, low); slots[place + 1] !== 0; place = nextPlace(slots, place)) {
      if (slots[place] !== low) continue
      const offset = (slots[place + 1] as number) - 1
      const page = this.#pages[offset >>> PAGE_BITS] as Uint8Array
      const at = offset & PAGE_MASK
      if (!holds(page, at, bytes, length)) continue
      return this.#remember(name, idAt(page, at))
    }
    return -1
  }

  #append(text: TextBytes): number {
    const size = HEADER_BYTES + text.length
    let last = this.#pages.length - 1
    // The last byte of the address space stays free: a slot holds the offset plus 1.
    if (last === -1 || (this.#used[last] as number) + size >= PAGE_BYTES) {
      if (this.#pages.length === MOST_PAGES) throw full()
      last = this.#pages.push(new Uint8Array(PAGE_BYTES)) - 1
      this.#used.push(0)
    }
    const page = this.#pages[last] as Uint8Array
    const at = this.#used[last] as number
    const id = this.#size
    writeHeader(page, at, id, text.length)
    page.set(text.bytes.subarray(0, text.length), at + HEADER_BYTES)
    this.#used[last] = at + size
    this.#index.insert(this.#hash.high >>> 22, this.#hash.low, last * PAGE_BYTES + at + 1)
    this.#offsets.set(id, last * PAGE_BYTES + at)
    this.#size = id + 1
    return id
  }

  #indexPage(number: number, page: Uint8Array, used: number): void {
    for (let at = 0; at < used; ) {
      const length = lengthAt(page, at)
      const start = at + HEADER_BYTES
      this.#hash.hash(page, length, start)
      this.#index.insert(this.#hash.high >>> 22, this.#hash.low, number * PAGE_BYTES + at + 1)
      this.#offsets.set(this.#size, number * PAGE_BYTES + at)
      this.#size++
      at = start + length
    }
  }
}

const writeHeader = (page: Uint8Array, at: number, id: number, length: number): void => {
  page[at] = id
  page[at + 1] = id >>> 8
  page[at + 2] = id >>> 16
  page[at + 3] = id >>> 24
  page[at + 4] = length
  page[at + 5] = length >>> 8
}

const idAt = (page: Uint8Array, at: number): number =>
  ((page[at] as number) |
    ((page[at + 1] as number) << 8) |
    ((page[at + 2] as number) << 16) |
    ((page[at + 3] as number) << 24)) >>>
  0

const lengthAt = (page: Uint8Array, at: number): number => (page[at + 4] as number) | ((page[at + 5] as number) << 8)

const holds = (page: Uint8Array, at: number, bytes: Uint8Array, length: number): boolean => {
  if (lengthAt(page, at) !== length) return false
  const start = at + HEADER_BYTES
  for (let index = 0; index < length; index++) if (page[start + index] !== bytes[index]) return false
  return true
}

const full = (): LedgerError =>
  new LedgerError('STATE_FULL', `the names of units and budgets fill ${MOST_PAGES} MiB; no more fit`, {
    retry: 'never',
    hint: 'Split the ledger: one instance keeps the names of about 150 million units.',
  })
