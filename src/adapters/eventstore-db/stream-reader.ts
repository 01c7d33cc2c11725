import type { EventStoreDBClient, RecordedEvent } from '@eventstore/db-client'
import type { Block } from '../../ledger/block.js'
import { LedgerError } from '../../ledger/errors.js'
import { Backoff } from '../backoff.js'
import { blockOf } from './block-event.js'
import { type Page, type Reading, readForwards, readLast } from './event-reads.js'
import { FIRST_PAUSE_MS, type Patience } from './patience.js'
import { answerIn, forbidden, storeClosed, unreachable } from './server-answer.js'
import { type StreamFindings, streamTombstoned, streamTruncated, troubleIn } from './stream-trouble.js'

/** What every call about one stream needs to know. */
export interface StreamPlace extends Reading {
  /** For appends, and for nothing else. */
  readonly appends: EventStoreDBClient
  readonly stream: string
  /** The hosts, for messages. */
  readonly shown: string
  readonly patience: Patience
}

/**
 * Reads of one stream, all from the leader. A read has no effect, so whatever goes wrong it is made again, until the patience is
 * over; then it rejects with `STORE_UNREACHABLE`. Rejects with `STREAM_TOMBSTONED` and `STORE_REFUSED` at once.
 */
export class StreamReader {
  constructor(private readonly place: StreamPlace) {}

  /**
   * Blocks from a number on, at most about 2 MiB of them; undefined where there is no stream. Fewer than asked for is the end.
   *
   * @throws LedgerError STREAM_TRUNCATED where the next block is not the one of that number, STORE_UNREADABLE where it is none.
   */
  async blocks(
    from: number,
    mostBlocks = PAGE_BLOCKS,
    ms = this.place.patience.settleMs,
  ): Promise<{ readonly blocks: readonly Block[]; readonly whole: boolean } | undefined> {
    const { stream, shown } = this.place
    const page = await this.page(stream, from, mostBlocks, ms)
    if (page === undefined) return undefined
    const blocks = page.events.map(blockOf)
    const wrong = blocks.findIndex(({ number }, index) => number !== from + index)
    if (wrong >= 0)
      throw streamTruncated(shown, stream, `block ${from + wrong} is gone, the next one is ${blocks[wrong]?.number}`)
    return { blocks, whole: page.whole }
  }

  /** One block; undefined where there is none of that number. */
  async block(number: number, ms?: number): Promise<Block | undefined> {
    return (await this.blocks(number, 1, ms))?.blocks[0]
  }

  /** The last block; `nothing` where there is no stream, `emptied` where there is one and nothing in it can be read. */
  async last(ms = this.place.patience.settleMs): Promise<Block | 'nothing' | 'emptied'> {
    const last = await this.insist(() => readLast(this.place, this.place.stream), ms)
    if (last === NOT_FOUND) return 'nothing'
    return last === undefined ? 'emptied' : blockOf(last)
  }

  /** What was taken from the stream, or will be; undefined where nothing speaks for any of it. */
  async trouble(ms = this.place.patience.settleMs): Promise<LedgerError | undefined> {
    try {
      const { shown, stream } = this.place
      const first = await this.firstRevision(ms)
      return troubleIn({ shown, stream, first, metadata: await this.metadata(ms) })
    } catch (error) {
      if (error instanceof LedgerError && error.code === 'STREAM_TOMBSTONED') return error
      throw error
    }
  }

  /** Throws what {@link trouble} finds. */
  async requireSound(ms?: number): Promise<void> {
    const trouble = await this.trouble(ms)
    if (trouble !== undefined) throw trouble
  }

  private async firstRevision(ms: number): Promise<StreamFindings['first']> {
    const page = await this.page(this.place.stream, 0, 1, ms)
    if (page === undefined) return 'nothing'
    const [first] = page.events
    return first === undefined ? 'emptied' : Number(first.revision)
  }

  /** What the server was told about the stream, as it is kept; empty where nobody has told it anything. */
  private async metadata(ms: number): Promise<StreamFindings['metadata']> {
    const last = await this.insist(() => readLast(this.place, `$$${this.place.stream}`), ms)
    return last === NOT_FOUND || last === undefined ? {} : fieldsOf(last)
  }

  private async page(stream: string, from: number, mostEvents: number, ms: number): Promise<Page | undefined> {
    const limits = { mostEvents, mostBytes: PAGE_BYTES }
    const page = await this.insist(() => readForwards(this.place, stream, from, limits), ms)
    return page === NOT_FOUND ? undefined : page
  }

  private async insist<Result>(read: () => Promise<Result>, ms: number): Promise<Result | typeof NOT_FOUND> {
    const { closing } = this.place
    const backoff = new Backoff(FIRST_PAUSE_MS)
    const until = performance.now() + ms
    for (let attempt = 0; ; attempt++) {
      if (closing.aborted) throw storeClosed()
      try {
        return await read()
      } catch (error) {
        const answer = answerIn(error)
        if (answer === 'not-found') return NOT_FOUND
        this.requirePassing(error)
        if (performance.now() > until) throw unreachable(this.place.shown, error)
        // The client has turned to the new leader already.
        if (answer === 'not-leader' && attempt === 0) continue
        await backoff.wait(closing)
      }
    }
  }

  /** Throws what does not pass by itself. */
  private requirePassing(error: unknown): void {
    const { shown, stream } = this.place
    const answer = answerIn(error)
    if (answer === 'deleted') throw streamTombstoned(shown, stream)
    if (answer === 'forbidden') throw forbidden(shown, stream, 'read')
  }
}

const NOT_FOUND = Symbol('not found')

/** A page is in memory at once, for each that reads. */
const PAGE_BLOCKS = 64
const PAGE_BYTES = 2 * 1024 * 1024

const fieldsOf = ({ data }: RecordedEvent): StreamFindings['metadata'] =>
  typeof data === 'object' && data !== null && !(data instanceof Uint8Array) && !Array.isArray(data)
    ? (data as Record<string, unknown>)
    : {}
