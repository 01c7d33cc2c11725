import type { KafkaMessage } from 'kafkajs'
import { pause } from '../application/pause.js'
import type { Block, Position } from '../ledger/block.js'
import { LedgerError } from '../ledger/errors.js'
import type { EventStore } from '../ledger/event-store.js'
import { GENESIS_PREV } from '../ledger/record.js'
import { fenced } from '../recovery/journal-fault.js'
import { JournalLine } from '../recovery/journal-line.js'
import type { Standing } from '../recovery/start-check.js'
import { BoundedQueue } from './bounded-queue.js'
import { JournalFault, journalBlockOf, journalMessage } from './journal-message.js'
import { Reached } from './reached.js'
import { shuttingDown } from './shutting-down.js'
import type { SteadyProducer } from './steady-producer.js'
import { type Range, RangeLost } from './tail.js'

export interface JournalParts {
  readonly ledger: string
  readonly store: EventStore
  /** Whole name of the topic. */
  readonly topic: string
  readonly producer: SteadyProducer
  /** How far the journal has the log, and where it ended when that was looked at. */
  readonly start: Standing
  /** Gives each message that the journal's partition has in a range, in order; rejects as `readRange` does. */
  readonly readBack: (range: Range, take: (message: KafkaMessage) => Promise<void>) => Promise<void>
  /** Somebody else writes this ledger, or the log cannot be read: the process has to end. */
  readonly onFatal: (error: LedgerError) => void
  readonly log: (line: string) => void
}

/** One partition: the order of blocks is the order of their messages. */
export const JOURNAL_PARTITION = 0

/**
 * Blocks in one send. A send may stand in the topic again behind later ones, and all its blocks are void where somebody else
 * took the place of the first: whoever looks for the end of a journal looks at more messages than this.
 */
export const MOST_BLOCKS_A_SEND = 64

/**
 * Writes every block of the log to the journal, in order, the same bytes. What was acknowledged there is on every in-sync
 * replica; what a restart or a lost answer leaves there twice is the same block.
 *
 * The offset of each send says whether somebody else has written in between. The first block that follows has its place: where
 * another process of this ledger took ours, this one is fenced before any position is told. Our own repeats, what a process
 * that we have overtaken still sends, and other ledgers' blocks are passed. What another instance has sent of the same log is not sent again:
 * whoever lags repeats no more than one send, which a start must be able to look past.
 */
export class JournalPublisher {
  readonly #parts: JournalParts
  readonly #reached: Reached
  readonly #blocks = new BoundedQueue<Block>({ items: 4 * MOST_BLOCKS_A_SEND, bytes: 4 * SEND_BYTES })
  readonly #cancel = new AbortController()
  readonly #line: JournalLine
  #end: bigint
  #trouble: LedgerError | undefined
  #running: Promise<unknown> = Promise.resolve()

  constructor(parts: JournalParts) {
    this.#parts = parts
    const { journalled, high } = parts.start
    this.#reached = new Reached(journalled?.seq ?? -1)
    this.#line = new JournalLine(journalled ?? NOTHING)
    this.#end = high
  }

  start(): void {
    this.#running = Promise.all([this.#collect(), this.#publish()]).catch((error: unknown) => this.#fail(error))
  }

  /** Gives up what is under way: the next start sends it again. */
  async stop(): Promise<void> {
    this.#close(shuttingDown())
    await this.#parts.producer.stop()
    await this.#running
  }

  /** `seq` of the last record that the journal has; -1 for none. */
  position(): number {
    return this.#reached.position
  }

  /** Resolves once the journal has record `seq`. Rejects with `SHUTTING_DOWN`, and with what was fatal. */
  reached(seq: number): Promise<void> {
    return this.#reached.at(seq)
  }

  /** When the send began that is not acknowledged yet, on the producer's clock. */
  get waitingSince(): number | undefined {
    return this.#parts.producer.waitingSince
  }

  /** Why it goes no further now. */
  get trouble(): LedgerError | undefined {
    return this.#trouble ?? this.#parts.producer.trouble
  }

  async #collect(): Promise<void> {
    const from = this.#reached.position + 1
    for await (const block of this.#parts.store.subscribe(from, this.#cancel.signal)) {
      if (!(await this.#blocks.put(block, block.bytes.length))) return
    }
  }

  async #publish(): Promise<void> {
    for (;;) {
      const blocks = await this.#blocks.take({ items: MOST_BLOCKS_A_SEND, bytes: SEND_BYTES })
      if (blocks === undefined) return
      const lacking = blocks.filter(({ number }) => number > this.#line.end.block)
      if (lacking.length > 0) await this.#send(lacking)
    }
  }

  async #send(blocks: readonly Block[]): Promise<void> {
    const { ledger, topic, producer } = this.#parts
    const messages = blocks.map((block) => ({ ...journalMessage(ledger, block), partition: JOURNAL_PARTITION }))
    const offset = (await producer.insist({ topic, messages })).get(JOURNAL_PARTITION)
    if (offset === undefined) throw new RangeError(`${topic} acknowledged no offset`)
    if (offset < this.#end) return this.#lose(wentBack(topic, offset, this.#end))
    if (offset > this.#end) await this.#inspect({ from: this.#end, to: offset })
    this.#end = offset + BigInt(blocks.length)
    for (const block of blocks) this.#advance(block)
    this.#reached.reach(this.#line.end.seq)
  }

  /** Looks at what stands between our sends. An outage is waited for; what cannot be seen any more is not passed. */
  async #inspect(range: Range): Promise<void> {
    for (;;) {
      try {
        await this.#parts.readBack(range, (message) => this.#requireNoOther(message))
        this.#trouble = undefined
        return
      } catch (error) {
        if (error instanceof RangeLost) return this.#lose(error)
        if (!(error instanceof LedgerError) || error.code === 'FENCED') throw error
        this.#trouble = error
        await pause(READ_AGAIN_MS, this.#cancel.signal)
        this.#cancel.signal.throwIfAborted()
      }
    }
  }

  async #requireNoOther(message: KafkaMessage): Promise<void> {
    const { ledger, store, topic, log } = this.#parts
    const theirs = blockIn(message, ledger)
    if (theirs === 'other') return
    if (theirs === 'stray') return log(`${topic}: message ${message.offset} is no ledger's, and was passed`)
    if (theirs instanceof JournalFault) return log(`${topic}: ${theirs.message}`)
    const { epoch, block } = theirs
    const ours = await store.blockOf(block.last)
    if (ours?.number === block.number && ours.leaf === block.leaf) return this.#advance(block)
    const what = `${topic} offset ${message.offset} has records ${block.first} to ${block.last} of epoch ${epoch} (leaf ${block.leaf})`
    if (this.#line.placeOf(block) !== 'passed') throw fenced(`${what}, which this log does not have`)
    log(`${what}: a process that was overtaken still writes, and what it says does not count`)
  }

  #advance(block: Block): void {
    if (block.number > this.#line.end.block) this.#line.advance(block)
  }

  /** Nothing is sent any more until somebody has looked; the ledger goes on, and says that it is not ready. */
  #lose(error: LedgerError): Promise<void> {
    this.#trouble = error
    const { signal } = this.#cancel
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
  }

  #fail(cause: unknown): void {
    if (this.#cancel.signal.aborted) return
    const error = cause instanceof LedgerError ? cause : failed(this.#parts.topic, cause)
    this.#trouble = error
    this.#close(error)
    this.#parts.onFatal(error)
  }

  #close(error: LedgerError): void {
    this.#cancel.abort(error)
    this.#blocks.close()
    this.#reached.fail(error)
  }
}

/** Where a journal stands that has no block yet. */
const NOTHING: Position = { block: -1, seq: -1, leaf: GENESIS_PREV }
const SEND_BYTES = 1024 * 1024
const READ_AGAIN_MS = 1_000

const blockIn = (message: KafkaMessage, ledger: string): ReturnType<typeof journalBlockOf> | JournalFault => {
  try {
    return journalBlockOf(message, ledger)
  } catch (error) {
    if (error instanceof JournalFault) return error
    throw error
  }
}

const wentBack = (topic: string, offset: bigint, end: bigint): LedgerError =>
  new LedgerError(
    'JOURNAL_WENT_BACK',
    `${topic} gave offset ${offset} to a block that should have got ${end} or more: it was cut short or made anew, and lacks what stood there`,
    {
      retry: 'after-restart',
      hint: 'This log still has every record. docs/runbooks/kafka.md says how a journal is made whole.',
      exitCode: 21,
    },
  )

const failed = (topic: string, cause: unknown): LedgerError =>
  new LedgerError(
    'JOURNAL_FAILED',
    `${topic} cannot be written any more: ${cause instanceof Error ? cause.message : cause}`,
    {
      retry: 'after-restart',
      hint: 'Nothing is lost: a restart sends every block that the journal lacks.',
      cause,
    },
  )
