import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { ProposedEvent, StoredEvent } from './events.js'
import { FrameFile } from './frame-file.js'
import { decodeRecord, encodeEvents, encodeTombstone } from './records.js'
import { SOFT_DELETION, undeleted } from './stream-limits.js'
import { type Expected, Streams, type Verdict } from './streams.js'

/** What an append or a deletion came to, when it is on the disk. */
export type Outcome =
  /** `last` is the revision of its last event, or of the stream's where it had none. */
  | { readonly is: 'done'; readonly last: number; readonly position: number }
  | Exclude<Verdict, { is: 'new' | 'repeated' }>

interface Waiting {
  readonly act: () => Outcome
  readonly answer: (outcome: Outcome) => void
  readonly fail: (error: unknown) => void
}

/**
 * The streams of the double and their one file. What waits is done together: one write and one wait for the disk, in which
 * nothing else runs, so nobody reads what could still be lost.
 */
export class EventFile {
  readonly streams = new Streams()
  /** Says the name of a stream when something was done to it. */
  readonly changes = new EventEmitter().setMaxListeners(0)
  private readonly frames: FrameFile
  private readonly changed = new Set<string>()
  private waiting: Waiting[] = []

  constructor(path: string) {
    this.frames = FrameFile.open(path, (body, at) => this.take(body, at))
  }

  append(stream: string, expected: Expected, events: readonly ProposedEvent[]): Promise<Outcome> {
    return this.enqueue(() => this.doAppend(stream, expected, events))
  }

  /** Softly: the stream reads as missing until its next event, and its revisions go on. */
  delete(stream: string, expected: Expected): Promise<Outcome> {
    return this.enqueue(() => this.ifNew(stream, expected, () => this.write(`$$${stream}`, [metadata(SOFT_DELETION)])))
  }

  /** For good. */
  tombstone(stream: string, expected: Expected): Promise<Outcome> {
    return this.enqueue(() =>
      this.ifNew(stream, expected, () => {
        const body = encodeTombstone(stream)
        const position = this.frames.stage(body)
        this.take(body, position)
        return { is: 'done', last: -1, position }
      }),
    )
  }

  /** What the client gave with the event. */
  content({ bytesAt, metadataLength, dataLength }: StoredEvent): { readonly metadata: Buffer; readonly data: Buffer } {
    const bytes = this.frames.read(bytesAt, metadataLength + dataLength)
    return { metadata: bytes.subarray(0, metadataLength), data: bytes.subarray(metadataLength) }
  }

  close(): void {
    this.frames.close()
  }

  private enqueue(act: () => Outcome): Promise<Outcome> {
    if (this.waiting.length === 0) setImmediate(() => this.work())
    return new Promise((answer, fail) => this.waiting.push({ act, answer, fail }))
  }

  private work(): void {
    const group = this.waiting
    this.waiting = []
    try {
      const outcomes = group.map(({ act }) => act())
      this.frames.sync()
      for (const [at, { answer }] of group.entries()) answer(outcomes[at] as Outcome)
    } catch (error) {
      for (const { fail } of group) fail(error)
      throw error
    }
    for (const stream of this.changed) this.changes.emit(stream)
    this.changed.clear()
  }

  private doAppend(stream: string, expected: Expected, events: readonly ProposedEvent[]): Outcome {
    const ids = events.map(({ id }) => id)
    const verdict = this.streams.judge(stream, expected, ids)
    if (verdict.is === 'repeated') return { is: 'done', last: verdict.last, position: verdict.position }
    if (verdict.is !== 'new') return verdict
    if (events.length === 0) return { is: 'done', last: verdict.after, position: this.frames.size }
    const described = stream.startsWith('$$') ? stream.slice(2) : undefined
    const revives = described !== undefined && this.streams.isSoftDeleted(described)
    const outcome = this.write(stream, events)
    this.streams.remember(stream, verdict.after, ids)
    if (verdict.undeletes) this.undelete(stream, verdict.after + 1)
    if (revives) this.undelete(described, this.streams.last(described) + 1)
    return outcome
  }

  /** What came before this revision stays hidden. */
  private undelete(stream: string, first: number): void {
    this.write(`$$${stream}`, [metadata(undeleted(this.streams.metadata(stream), first))])
  }

  private ifNew(stream: string, expected: Expected, act: () => Outcome): Outcome {
    const verdict = this.streams.judge(stream, expected, [randomUUID()])
    if (verdict.is === 'repeated') throw new Error('a random id cannot be there already')
    return verdict.is === 'new' ? act() : verdict
  }

  private write(stream: string, events: readonly ProposedEvent[]): Outcome {
    const body = encodeEvents(stream, Date.now(), events)
    this.take(body, this.frames.stage(body))
    const last = this.streams.last(stream)
    return { is: 'done', last, position: this.streams.event(stream, last).position }
  }

  /** Takes up what a frame says, whether it was written just now or long ago. */
  private take(body: Buffer, bodyAt: number): void {
    const { stream, events } = decodeRecord(body, bodyAt)
    this.changed.add(stream)
    if (events === 'tombstone') {
      this.streams.tombstone(stream)
      return
    }
    const { bytesAt, metadataLength, dataLength } = events.at(-1) as StoredEvent
    const from = bytesAt - bodyAt + metadataLength
    this.streams.add(stream, events, () => Buffer.from(body.subarray(from, from + dataLength)))
  }
}

const metadata = (data: Buffer): ProposedEvent => ({
  id: randomUUID(),
  type: '$metadata',
  contentType: 'application/json',
  metadata: Buffer.alloc(0),
  data,
})
