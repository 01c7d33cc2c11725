import type { KeyFamily } from '../../budget/state.js'
import { LedgerError } from '../../ledger/errors.js'
import type { ChunkSink, ChunkSource, Saved } from './chunks.js'
import { EntryLog } from './entry-log.js'
import { HalfSipHash } from './half-sip-hash.js'
import { nextPlace, placeOf, SlotTable } from './slot-table.js'
import { TextBytes } from './text-bytes.js'

const PARTITIONS = 4096
/** What the lower word of a slot counts to; it is never 0 there. */
const LOW = 2 ** 32 - 1
const MOST_SEQ = LOW * 16

/**
 * Which records may have answered an idempotency key: 40 bits of its hash and the record's number in 8 bytes. A hash
 * proves nothing, so an answer is a candidate: the record itself has to be read. What was remembered is never missed.
 */
export class KeyTable implements Saved {
  readonly #index = new SlotTable(PARTITIONS)
  readonly #hash: HalfSipHash
  readonly #text = new TextBytes()
  readonly #log: EntryLog | undefined

  constructor(key: Uint8Array, tracked: boolean) {
    this.#hash = new HalfSipHash(key)
    this.#log = tracked ? new EntryLog('keys') : undefined
  }

  get size(): number {
    return this.#index.size
  }

  remember(family: KeyFamily, source: string, id: string, seq: number): void {
    if (seq >= MOST_SEQ) throw full(seq)
    this.#hashOf(family, source, id)
    const high = Math.floor(seq / LOW)
    const tag = ((this.#hash.low & ~15) | high) >>> 0
    const value = (seq % LOW) + 1
    this.#index.insert(this.#hash.high >>> 20, tag, value)
    this.#log?.add(this.#hash.high >>> 20, tag, value)
  }

  /** Usually none or one; by chance also records that answered something else. */
  candidates(family: KeyFamily, source: string, id: string): readonly number[] {
    this.#hashOf(family, source, id)
    const tag = this.#hash.low >>> 4
    const slots = this.#index.slots(this.#hash.high >>> 20)
    let found: number[] | undefined
    for (let place = placeOf(slots, tag << 4); slots[place + 1] !== 0; place = nextPlace(slots, place)) {
      const other = slots[place] as number
      if (other >>> 4 !== tag) continue
      found ??= []
      found.push((other & 15) * LOW + (slots[place + 1] as number) - 1)
    }
    return found ?? NONE
  }

  save(sink: ChunkSink): void {
    this.#log?.save(sink)
  }

  saved(): void {
    this.#log?.saved()
  }

  /** @param size how many keys there are */
  load(source: ChunkSource, size: number): void {
    this.#index.expect(size)
    this.#log?.load(source, (partition, tag, value) => this.#index.insert(partition, tag, value))
  }

  /** Names hold no control characters, so two keys never have the same bytes. */
  #hashOf(family: KeyFamily, source: string, id: string): void {
    const { bytes, length } = this.#text.set(family).add('\0').add(source).add('\0').add(id)
    this.#hash.hash(bytes, length)
  }
}

const NONE: readonly number[] = []

const full = (seq: number): LedgerError =>
  new LedgerError('STATE_FULL', `record ${seq} is beyond ${MOST_SEQ}, the last that a key can point to`, {
    retry: 'never',
    hint: 'Begin a new ledger.',
  })
