import { type AppendExpectedRevision, NO_STREAM } from '@eventstore/db-client'
import { type Block, MOST_BLOCK_BYTES, type Position, positionOf, samePosition } from '../../ledger/block.js'
import { LedgerError } from '../../ledger/errors.js'
import { AppendConflict } from '../../ledger/event-store.js'
import { Backoff } from '../backoff.js'
import { eventId, eventOf } from './block-event.js'
import { FIRST_PAUSE_MS, NoAnswer, within } from './patience.js'
import { answerIn, forbidden, type ServerAnswer, wordsOf } from './server-answer.js'
import type { StreamPlace, StreamReader } from './stream-reader.js'
import { streamDeleted, streamTruncated } from './stream-trouble.js'

/**
 * One append of blocks, one event each, in order. The expected revision is always a number or "no stream", and the id is that of
 * the bytes: so a server that is asked again, even after it was killed, stores nothing twice and answers as the first time.
 *
 * Whatever is not a clear answer may mean that a block is kept, or will be: then it is asked again and read back from the leader
 * until one of both says what is true.
 */
export class BlockAppend {
  private readonly until: number
  /** The outcome of an attempt is unknown: it may still be carried out. */
  private doubt = false
  private sending = false
  /** What the last attempt ended with. */
  private failed: unknown

  constructor(
    private readonly place: StreamPlace,
    private readonly reader: StreamReader,
    private readonly blocks: readonly Block[],
  ) {
    this.until = performance.now() + place.patience.settleMs
  }

  /**
   * Rejects with {@link AppendConflict}, with `APPEND_UNCERTAIN`, and with what is wrong with a stream that takes no more.
   *
   * @param kept is told of each block that is durable.
   */
  async run(after: Position | undefined, kept: (block: Block) => void): Promise<void> {
    try {
      // A client that has lost its way never answers again.
      await within(this.place.patience.settleMs, this.keepAll(after, kept))
    } catch (error) {
      throw error instanceof NoAnswer ? this.unsettled(error) : error
    }
  }

  private async keepAll(after: Position | undefined, kept: (block: Block) => void): Promise<void> {
    let before = after
    for (const block of this.blocks) {
      await this.keep(block, before)
      kept(block)
      before = positionOf(block)
    }
  }

  private async keep(block: Block, after: Position | undefined): Promise<void> {
    const backoff = new Backoff(FIRST_PAUSE_MS)
    this.doubt = false
    while (this.leftMs() > 0) {
      try {
        this.sending = true
        return await this.send(block)
      } catch (error) {
        if (error instanceof LedgerError && error.code !== 'STORE_UNREACHABLE') throw error
        this.failed = error
      } finally {
        this.sending = false
      }
      if (await this.isKept(block, after, this.failed)) return
      await backoff.wait(this.place.closing)
    }
    throw this.unsettled(this.failed)
  }

  /** The time is over. Where no attempt can have been carried out, the server has counted what it never showed. */
  private unsettled(error: unknown): LedgerError {
    if (this.doubt || this.sending) return uncertain(this.place, this.blocks, this.failed ?? error)
    const { shown, stream } = this.place
    const { actualVersion } = this.failed as { actualVersion?: unknown }
    return streamTruncated(shown, stream, `the server counts up to revision ${actualVersion}, and shows nothing there`)
  }

  private async send(block: Block): Promise<void> {
    const { appends, stream, shown, patience } = this.place
    const expectedRevision: AppendExpectedRevision = block.number === 0 ? NO_STREAM : BigInt(block.number - 1)
    const answer = appends.appendToStream(stream, eventOf(stream, block), { expectedRevision })
    const { nextExpectedRevision } = await within(patience.answerMs, answer)
    // After a deletion the revisions go on, and "no stream" holds all the same.
    if (nextExpectedRevision !== BigInt(block.number)) {
      throw streamDeleted(shown, stream, `block ${block.number} became revision ${nextExpectedRevision}`)
    }
    // The same id again is a success even where the stream was deleted in between.
    if (block.number === 0 && (await this.reader.block(0, this.leftMs())) === undefined) {
      throw streamDeleted(shown, stream, 'block 0 was taken, and cannot be read')
    }
  }

  /**
   * Whether the leader shows this very block in its place, after an attempt that ended with `error`. Throws an
   * {@link AppendConflict} where it shows another one there: then this one can never be kept; and what no later attempt can
   * change.
   */
  private async isKept(block: Block, after: Position | undefined, error: unknown): Promise<boolean> {
    const answer = answerIn(error)
    this.requireWorthwhile(answer, block, error)
    try {
      const found = await this.reader.blocks(after?.block ?? 0, 2, this.leftMs())
      const there = found?.blocks.find(({ number }) => number === block.number)
      if (there !== undefined) return this.isOurs(there, block) || (await this.conflict(after, there))
      if (answer === 'wrong-version' || answer === 'deleted') await this.requireEnd(after, found?.blocks[0], answer)
      return false
    } catch (failed) {
      if (failed instanceof LedgerError && failed.code === 'STORE_UNREACHABLE') return false
      throw failed
    }
  }

  private requireWorthwhile(answer: ServerAnswer, block: Block, error: unknown): void {
    const { shown, stream } = this.place
    if (answer === 'unclear' || answer === 'not-leader' || answer === 'not-found') this.doubt = true
    // An earlier attempt may have been carried out: then reading back says so.
    if (this.doubt) return
    if (answer === 'forbidden') throw forbidden(shown, stream, 'append to')
    if (answer === 'too-large') throw tooLarge(shown, block, error)
  }

  /**
   * The server says that the stream ends elsewhere, and the leader shows nothing in the block's place. Throws where the stream was
   * cut or deleted, or where the block before is gone. Else what the server has counted is not shown yet, or never will be.
   */
  private async requireEnd(
    after: Position | undefined,
    before: Block | undefined,
    answer: ServerAnswer,
  ): Promise<void> {
    const { shown, stream } = this.place
    await this.reader.requireSound(this.leftMs())
    if (answer === 'deleted') throw streamDeleted(shown, stream, 'the server says so')
    if (!this.doubt && !samePosition(before && positionOf(before), after)) await this.conflict(after, before)
  }

  private isOurs(there: Block, block: Block): boolean {
    const { stream } = this.place
    return eventId(stream, there) === eventId(stream, block) && samePosition(positionOf(there), positionOf(block))
  }

  private async conflict(after: Position | undefined, there: Block | undefined): Promise<never> {
    const last = await this.reader.last(this.leftMs()).catch(() => there)
    const head = last === undefined || typeof last === 'string' ? there : last
    throw new AppendConflict(after, head && positionOf(head))
  }

  private leftMs(): number {
    return this.until - performance.now()
  }
}

const uncertain = ({ shown }: StreamPlace, blocks: readonly Block[], cause: unknown): LedgerError =>
  new LedgerError(
    'APPEND_UNCERTAIN',
    `records ${blocks[0]?.first} to ${blocks.at(-1)?.last} may or may not have been kept by ${shown}: ${wordsOf(cause)}`,
    {
      retry: 'after-restart',
      hint: 'Nobody was answered. Look at the servers, then restart: the start-up gate finds out what was kept. docs/runbooks/kurrentdb.md',
      cause,
      exitCode: 3,
    },
  )

const tooLarge = (shown: string, block: Block, error: unknown): LedgerError =>
  new LedgerError(
    'STORE_REFUSED',
    `${shown} takes ${(error as { maxAppendSize?: number }).maxAppendSize} bytes in an append, and block ${block.number} has ${block.bytes.length}`,
    {
      retry: 'after-restart',
      hint: `Set MaxAppendSize of the servers to its default of 1 MiB or more: a block has up to ${MOST_BLOCK_BYTES} bytes.`,
      exitCode: 3,
    },
  )
