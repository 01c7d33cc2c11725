import { LedgerError } from '../../ledger/errors.js'
import type { ChunkSink, ChunkSource, Saved } from './chunks.js'
import { EntryLog } from './entry-log.js'
import { IdColumn } from './id-column.js'

const PAGE_ENTRIES = 4096
const PAGE_BITS = 12
const WORDS = 4
/** Where in an entry: the lower 32 bits of seq, the entry before, the entry to jump to, depth (28 bits) and the upper 4 of seq. */
const PREVIOUS = 1
const JUMP = 2
const DEPTH = 3
const MOST_SEQ = 2 ** 36
const MOST_DEPTH = 2 ** 28
const MOST_ENTRIES = 2 ** 32

/**
 * Which records concern a unit: for each unit a list from its newest record back, 16 bytes an entry. Every entry also
 * points far back (E. W. Myers, An applicative random-access stack, 1983), so that any place of a list of n entries is
 * found in O(log n) steps: a page of the history of a unit with millions of records costs what any other does.
 */
export class UnitHistory implements Saved {
  /** Unit → its newest entry; entries count from 1. */
  readonly #newest = new IdColumn()
  readonly #pages: Uint32Array[] = [new Uint32Array(PAGE_ENTRIES * WORDS)]
  readonly #log: EntryLog | undefined
  #entries = 0

  constructor(tracked: boolean) {
    this.#log = tracked ? new EntryLog('history') : undefined
  }

  get size(): number {
    return this.#entries
  }

  /** The same record again changes nothing. @throws RangeError for a record before the unit's newest one. */
  add(unit: number, seq: number): void {
    const newest = this.#newest.get(unit)
    if (newest !== 0) {
      const last = this.#seq(newest)
      if (seq === last) return
      if (seq < last) throw new RangeError(`record ${seq} came after record ${last} of the same unit`)
    }
    const depth = this.#depth(newest) + 1
    if (seq >= MOST_SEQ || depth >= MOST_DEPTH || this.#entries + 1 >= MOST_ENTRIES) throw full(seq, depth)
    this.#newest.set(unit, this.#append(seq, newest, depth))
    this.#log?.add(unit, seq >>> 0, Math.floor(seq / 2 ** 32))
  }

  /** Records of a unit above `after`, rising, at most `limit`. */
  list(unit: number, after: number, limit: number): readonly number[] {
    const newest = this.#newest.get(unit)
    if (limit < 1 || newest === 0 || this.#seq(newest) <= after) return []
    const from = this.#depth(this.#firstAfter(newest, after))
    const to = Math.min(this.#depth(newest), from + limit - 1)
    const found = new Array<number>(to - from + 1)
    let entry = this.#atDepth(newest, to)
    for (let place = to - from; place >= 0; place--) {
      found[place] = this.#seq(entry)
      entry = this.#word(entry, PREVIOUS)
    }
    return found
  }

  save(sink: ChunkSink): void {
    this.#log?.save(sink)
  }

  saved(): void {
    this.#log?.saved()
  }

  load(source: ChunkSource): void {
    this.#log?.load(source, (unit, low, high) => {
      const newest = this.#newest.get(unit)
      this.#newest.set(unit, this.#append(high * 2 ** 32 + low, newest, this.#depth(newest) + 1))
    })
  }

  #append(seq: number, previous: number, depth: number): number {
    const entry = ++this.#entries
    if (entry >>> PAGE_BITS === this.#pages.length) this.#pages.push(new Uint32Array(PAGE_ENTRIES * WORDS))
    const page = this.#pages[entry >>> PAGE_BITS] as Uint32Array
    const at = (entry & (PAGE_ENTRIES - 1)) * WORDS
    page[at] = seq
    page[at + PREVIOUS] = previous
    page[at + JUMP] = this.#jumpAfter(previous)
    page[at + DEPTH] = depth * 16 + Math.floor(seq / 2 ** 32)
    return entry
  }

  /** Two jumps of the same length before an entry become one. Entry 0, at depth 0, is the end of every list. */
  #jumpAfter(previous: number): number {
    const jump = this.#word(previous, JUMP)
    const next = this.#word(jump, JUMP)
    const isPair = this.#depth(previous) - this.#depth(jump) === this.#depth(jump) - this.#depth(next)
    return isPair ? next : previous
  }

  #firstAfter(newest: number, after: number): number {
    let entry = newest
    for (;;) {
      const jump = this.#word(entry, JUMP)
      const previous = this.#word(entry, PREVIOUS)
      if (jump !== 0 && this.#seq(jump) > after) entry = jump
      else if (previous !== 0 && this.#seq(previous) > after) entry = previous
      else return entry
    }
  }

  #atDepth(newest: number, depth: number): number {
    let entry = newest
    while (this.#depth(entry) > depth) {
      const jump = this.#word(entry, JUMP)
      entry = this.#depth(jump) >= depth ? jump : this.#word(entry, PREVIOUS)
    }
    return entry
  }

  #seq(entry: number): number {
    return (this.#word(entry, DEPTH) & 15) * 2 ** 32 + this.#word(entry, 0)
  }

  #depth(entry: number): number {
    return this.#word(entry, DEPTH) >>> 4
  }

  #word(entry: number, word: number): number {
    return (this.#pages[entry >>> PAGE_BITS] as Uint32Array)[(entry & (PAGE_ENTRIES - 1)) * WORDS + word] as number
  }
}

const full = (seq: number, depth: number): LedgerError =>
  new LedgerError('STATE_FULL', `record ${seq}, number ${depth} of its unit, does not fit into the units' history`, {
    retry: 'never',
    hint: 'Begin a new ledger.',
  })
