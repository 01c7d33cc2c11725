import type { Unresolved } from '../../budget/state.js'
import { type ChunkSink, type ChunkSource, jsonChunk, type Saved } from './chunks.js'

const STREAM = 'quarantine'
const MOST_ON_A_PAGE = 1024

type Dismissal = NonNullable<Unresolved['dismissal']>

/** Messages in the order of their records, a chunk of the file. */
interface Page {
  readonly number: number
  readonly seqs: number[]
  readonly dismissals: Map<number, Dismissal>
}

/**
 * The quarantined messages that nobody has resolved: pages of a thousand, so that a change costs one page however many
 * there are.
 */
export class QuarantineTable implements Saved {
  /** By rising records; none is empty. */
  readonly #pages: Page[] = []
  readonly #changed = new Set<number>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(seq: number): Unresolved | undefined {
    const page = this.#pages[this.#pageOf(seq)]
    if (page === undefined || !page.seqs.includes(seq)) return undefined
    return { seq, dismissal: page.dismissals.get(seq) ?? null }
  }

  /** Takes in a message of a later record, or what is proposed for one that is there. */
  set({ seq, dismissal }: Unresolved): void {
    const page = this.get(seq) === undefined ? this.#add(seq) : (this.#pages[this.#pageOf(seq)] as Page)
    if (dismissal === null) page.dismissals.delete(seq)
    else page.dismissals.set(seq, dismissal)
    this.#changed.add(page.number)
  }

  remove(seq: number): void {
    const index = this.#pageOf(seq)
    const page = this.#pages[index]
    const place = page?.seqs.indexOf(seq) ?? -1
    if (page === undefined || place === -1) return
    page.seqs.splice(place, 1)
    page.dismissals.delete(seq)
    if (page.seqs.length === 0) this.#pages.splice(index, 1)
    this.#changed.add(page.number)
    this.#size--
  }

  /** Those above `after`, rising, at most `limit`. */
  list({ after, limit }: { readonly after: number; readonly limit: number }): readonly Unresolved[] {
    const found: Unresolved[] = []
    for (let index = Math.max(0, this.#pageOf(after)); index < this.#pages.length; index++) {
      const { seqs, dismissals } = this.#pages[index] as Page
      for (const seq of seqs) {
        if (found.length >= limit) return found
        if (seq > after) found.push({ seq, dismissal: dismissals.get(seq) ?? null })
      }
    }
    return found
  }

  save(sink: ChunkSink): void {
    if (this.#changed.size === 0) return
    const pages = new Map(this.#pages.map((page) => [page.number, page]))
    for (const number of this.#changed) {
      const page = pages.get(number)
      if (page === undefined) sink.remove(STREAM, number)
      else sink.put(STREAM, number, jsonChunk({ seqs: page.seqs, dismissals: [...page.dismissals] } satisfies WirePage))
    }
  }

  saved(): void {
    this.#changed.clear()
  }

  load(source: ChunkSource): void {
    for (const { number, bytes } of source.chunks(STREAM)) {
      const { seqs, dismissals } = JSON.parse(Buffer.from(bytes).toString('utf8')) as WirePage
      this.#pages.push({ number, seqs: [...seqs], dismissals: new Map(dismissals) })
      this.#size += seqs.length
    }
  }

  #add(seq: number): Page {
    const newest = this.#pages.at(-1)
    if (newest !== undefined && seq <= (newest.seqs.at(-1) as number)) {
      throw new RangeError(`message ${seq} came after message ${newest.seqs.at(-1)}`)
    }
    this.#size++
    if (newest !== undefined && newest.seqs.length < MOST_ON_A_PAGE) {
      newest.seqs.push(seq)
      return newest
    }
    const page = { number: (newest?.number ?? -1) + 1, seqs: [seq], dismissals: new Map<number, Dismissal>() }
    this.#pages.push(page)
    return page
  }

  /** The index of the last page that begins at or below `seq`; -1 where none does. */
  #pageOf(seq: number): number {
    let low = 0
    let high = this.#pages.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#pages[middle]?.seqs[0] as number) <= seq) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

interface WirePage {
  readonly seqs: readonly number[]
  readonly dismissals: readonly (readonly [seq: number, dismissal: Dismissal])[]
}
