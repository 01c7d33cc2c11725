import type { StoredEvent } from './events.js'
import { limitsOf, type StreamLimits } from './stream-limits.js'

/** What an append or a deletion demands of the stream: the revision of its last event, or one of three words. */
export type Expected = bigint | 'any' | 'no_stream' | 'stream_exists'

/** What becomes of an append. */
export type Verdict =
  /** Its events follow the last one, whose revision this is; -1 where there is none. */
  | { readonly is: 'new'; readonly after: number; readonly undeletes: boolean }
  /** All its events are there since earlier, up to this one. */
  | { readonly is: 'repeated'; readonly last: number; readonly position: number }
  /** The last event has another revision than expected; -1 where there is none. */
  | { readonly is: 'wrong-version'; readonly last: number }
  /** The stream was deleted, for good or (only for `stream_exists`) until its next event. */
  | { readonly is: 'deleted' }

/** The revisions that a reader is shown; `first` is beyond `last` where everything is truncated. */
export type Readable = { readonly first: number; readonly last: number } | 'missing' | 'deleted'

interface Stream {
  readonly events: StoredEvent[]
  tombstoned: boolean
  /** The data of the last event of its `$$name`, and what it hides. */
  metadata: Uint8Array
  limits: StreamLimits
}

const NO_LIMITS: StreamLimits = {}
/** Of the streams `$$name` only the last event counts. */
const LIMITS_OF_METADATA: StreamLimits = { maxCount: 1 }

/**
 * What an EventStoreDB 23.10 knows of its streams, and how it judges. The order of the judgements is that of its
 * `IndexWriter.CheckCommit`; it holds no bytes and does no I/O.
 */
export class Streams {
  private readonly streams = new Map<string, Stream>()
  /** Ids that arrived since the start: all that the server goes by where it is told no revision. */
  private readonly recent = new Map<string, { readonly stream: string; readonly revision: number }>()

  /** Whether events with these ids may be appended. An empty list appends nothing and is judged all the same. */
  judge(name: string, expected: Expected, ids: readonly string[]): Verdict {
    if (this.isTombstoned(name)) return { is: 'deleted' }
    const last = this.last(name)
    const undeletes = this.isSoftDeleted(name)
    if (expected === 'stream_exists') {
      if (undeletes) return { is: 'deleted' }
      if (last < 0 && this.last(`$$${name}`) < 0) return { is: 'wrong-version', last }
    }
    if (expected === 'any' || expected === 'stream_exists')
      return this.repeatedLately(name, ids) ?? { is: 'new', after: last, undeletes }
    const revision = expected === 'no_stream' ? -1 : Number(expected)
    if (revision === last) return { is: 'new', after: last, undeletes }
    const repeated = this.repeatedAfter(name, revision, ids)
    if (repeated === ids.length && ids.length > 0) return this.repeat(name, revision + repeated)
    if (repeated === 0 && ids.length > 0 && expected === 'no_stream' && undeletes)
      return { is: 'new', after: last, undeletes }
    return { is: 'wrong-version', last }
  }

  /** Takes up stored events. `content` is that of the last one, which matters for the streams of metadata. */
  add(name: string, events: readonly StoredEvent[], content: () => Uint8Array): void {
    const stream = this.stream(name)
    for (const event of events) stream.events.push(event)
    if (!name.startsWith('$$')) return
    const metadata = content()
    Object.assign(this.stream(name.slice(2)), { metadata, limits: limitsOf(metadata) })
  }

  /** Keeps the ids of events that arrived just now, until the process ends. */
  remember(name: string, after: number, ids: readonly string[]): void {
    for (const [at, id] of ids.entries()) this.recent.set(id, { stream: name, revision: after + 1 + at })
  }

  tombstone(name: string): void {
    this.stream(name).tombstoned = true
  }

  /** What a reader sees at this time. */
  readable(name: string, now: number): Readable {
    if (this.isTombstoned(name)) return 'deleted'
    const last = this.last(name)
    if (last < 0 || this.isSoftDeleted(name)) return 'missing'
    const { maxCount, truncateBefore, maxAgeMs } = this.limits(name)
    let first = Math.max(0, truncateBefore ?? 0, maxCount === undefined ? 0 : last - maxCount + 1)
    if (maxAgeMs !== undefined) while (first <= last && this.event(name, first).at < now - maxAgeMs) first++
    return { first, last }
  }

  /** The data of the last event of `$$name`. */
  metadata(name: string): Uint8Array {
    return this.stream(name).metadata
  }

  /** The event with this revision, which must be there. */
  event(name: string, revision: number): StoredEvent {
    return this.streams.get(name)?.events[revision] as StoredEvent
  }

  /** The revision of the last event, truncated or not; -1 where there was never one. */
  last(name: string): number {
    return (this.streams.get(name)?.events.length ?? 0) - 1
  }

  /** How many of these ids follow each other right after this revision. */
  private repeatedAfter(name: string, revision: number, ids: readonly string[]): number {
    const events = this.streams.get(name)?.events ?? []
    const different = ids.findIndex((id, at) => events[revision + 1 + at]?.id !== id)
    return different < 0 ? ids.length : different
  }

  private repeatedLately(name: string, ids: readonly string[]): Verdict | undefined {
    const known = ids.map((id) => this.recent.get(id)).map((at) => (at?.stream === name ? at.revision : undefined))
    if (known[0] === undefined) return undefined
    const end = known.at(-1)
    return known.includes(undefined) || end === undefined
      ? { is: 'wrong-version', last: this.last(name) }
      : this.repeat(name, end)
  }

  private repeat(name: string, last: number): Verdict {
    return { is: 'repeated', last, position: this.event(name, last).position }
  }

  private isTombstoned(name: string): boolean {
    const own = this.streams.get(name)?.tombstoned ?? false
    return own || (name.startsWith('$$') && this.isTombstoned(name.slice(2)))
  }

  /** Whether it reads as missing until its next event. */
  isSoftDeleted(name: string): boolean {
    return this.limits(name).deleted === true
  }

  private limits(name: string): StreamLimits {
    return name.startsWith('$$') ? LIMITS_OF_METADATA : (this.streams.get(name)?.limits ?? NO_LIMITS)
  }

  private stream(name: string): Stream {
    const known = this.streams.get(name)
    if (known !== undefined) return known
    const fresh: Stream = { events: [], tombstoned: false, metadata: new Uint8Array(), limits: NO_LIMITS }
    this.streams.set(name, fresh)
    return fresh
  }
}
