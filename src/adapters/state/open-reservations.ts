import type { Cost } from '../../accounting/units.js'
import type { Held, Reservation } from '../../budget/state.js'
import { type ChunkSink, type ChunkSource, jsonChunk, type Saved } from './chunks.js'
import { SeqOrder } from './seq-order.js'

interface Entry {
  readonly reservation: Reservation
  /** Its place in the heap. */
  place: number
}

const STREAM = 'reservations'

/**
 * The open reservations by (source, id), by their record, and as a heap by the time they expire. In the file each is a chunk
 * of its own.
 */
export class OpenReservations implements Saved {
  readonly #entries = new Map<string, Entry>()
  /** No entry expires later than the two below it, at 2i + 1 and 2i + 2. */
  readonly #heap: Entry[] = []
  readonly #bySeq = new SeqOrder<Reservation>()
  /** What the file does not know yet, by `seq`. */
  readonly #opened = new Map<number, Reservation>()
  readonly #closed = new Set<number>()

  get size(): number {
    return this.#entries.size
  }

  get(source: string, id: string): Reservation | undefined {
    return this.#entries.get(nameOf(source, id))?.reservation
  }

  open(reservation: Reservation): void {
    const { source, id, seq } = reservation
    this.close(source, id)
    this.#opened.set(seq, reservation)
    this.#insert(reservation)
  }

  close(source: string, id: string): void {
    const entry = this.#entries.get(nameOf(source, id))
    if (entry === undefined) return
    this.#entries.delete(nameOf(source, id))
    const { seq } = entry.reservation
    this.#bySeq.remove(seq)
    if (!this.#opened.delete(seq)) this.#closed.add(seq)
    const last = this.#heap.pop() as Entry
    if (last === entry) return
    this.#put(last, entry.place)
    this.#rise(last)
    this.#sink(last)
  }

  /** Those of records above `after`, rising, at most `limit`. */
  page(after: number, limit: number): readonly Reservation[] {
    return this.#bySeq.page(after, limit)
  }

  /** Those that expire at `at` or before, earliest first, at most `limit`; costs what it finds. */
  overdue(at: string, limit: number): readonly Reservation[] {
    const found: Reservation[] = []
    /** The places that may come next, latest first. */
    const frontier: Entry[] = []
    const offer = (place: number): void => {
      const entry = this.#heap[place]
      if (entry === undefined || entry.reservation.expiresAt > at) return
      let index = frontier.length
      while (index > 0 && isBefore(frontier[index - 1] as Entry, entry)) index--
      frontier.splice(index, 0, entry)
    }
    offer(0)
    while (found.length < limit) {
      const next = frontier.pop()
      if (next === undefined) break
      found.push(next.reservation)
      offer(next.place * 2 + 1)
      offer(next.place * 2 + 2)
    }
    return found
  }

  save(sink: ChunkSink): void {
    for (const seq of this.#closed) sink.remove(STREAM, seq)
    for (const [seq, reservation] of this.#opened) sink.put(STREAM, seq, jsonChunk(wireOf(reservation)))
  }

  saved(): void {
    this.#opened.clear()
    this.#closed.clear()
  }

  load(source: ChunkSource): void {
    for (const { bytes } of source.chunks(STREAM)) {
      this.#insert(fromWire(JSON.parse(Buffer.from(bytes).toString('utf8')) as WireReservation))
    }
  }

  #insert(reservation: Reservation): void {
    this.#bySeq.add(reservation.seq, reservation)
    const entry = { reservation, place: this.#heap.length }
    this.#entries.set(nameOf(reservation.source, reservation.id), entry)
    this.#heap.push(entry)
    this.#rise(entry)
  }

  #rise(entry: Entry): void {
    while (entry.place > 0) {
      const above = this.#heap[(entry.place - 1) >>> 1] as Entry
      if (!isBefore(entry, above)) return
      this.#swap(entry, above)
    }
  }

  #sink(entry: Entry): void {
    for (;;) {
      const left = this.#heap[entry.place * 2 + 1]
      const right = this.#heap[entry.place * 2 + 2]
      const below = right !== undefined && isBefore(right, left as Entry) ? right : left
      if (below === undefined || !isBefore(below, entry)) return
      this.#swap(entry, below)
    }
  }

  #swap(one: Entry, other: Entry): void {
    const { place } = one
    this.#put(one, other.place)
    this.#put(other, place)
  }

  #put(entry: Entry, place: number): void {
    this.#heap[place] = entry
    entry.place = place
  }
}

const isBefore = ({ reservation: one }: Entry, { reservation: other }: Entry): boolean =>
  one.expiresAt === other.expiresAt ? one.seq < other.seq : one.expiresAt < other.expiresAt

const nameOf = (source: string, id: string): string => `${source}\0${id}`

/** A reservation in JSON: amounts are decimal strings. */
interface WireReservation extends Omit<Reservation, 'held'> {
  readonly held: readonly (Omit<Held, 'cost'> & { readonly cost: readonly string[] })[]
}

const wireOf = (reservation: Reservation): WireReservation => ({
  ...reservation,
  held: reservation.held.map((held) => ({ ...held, cost: held.cost.map(String) })),
})

const fromWire = (wire: WireReservation): Reservation => ({
  ...wire,
  held: wire.held.map((held) => ({ ...held, cost: held.cost.map(costFrom) })),
})

const costFrom = (text: string): Cost => (text === 'INF' ? 'INF' : BigInt(text))
