import type { Prior } from '../budget/context.js'
import type { SpendPart } from '../budget/events.js'
import { readPrior, recordBytes } from '../budget/priors.js'
import { type Block, recordsOf } from '../ledger/block.js'
import { LedgerError } from '../ledger/errors.js'
import type { EventStore } from '../ledger/event-store.js'
import { decodeRecord, type LedgerRecord, leafHash } from '../ledger/record.js'
import { BoundedQueue } from './bounded-queue.js'
import type { DecisionRecord, Sending } from './decision-message.js'
import { Reached } from './reached.js'
import { isShuttingDown, shuttingDown } from './shutting-down.js'
import { MOST_MESSAGES, type SteadyProducer } from './steady-producer.js'
import type { OutgoingMessage } from './wire-message.js'

export interface DecisionsParts {
  readonly store: EventStore
  /** Whole name of the topic. */
  readonly topic: string
  readonly producer: SteadyProducer
  /** `seq` of the last record whose decision, and all before it, are known to be on the topic; -1 for none. */
  readonly after: number
  /** The same, as the ledger itself has recorded it. */
  readonly noted: number
  /** Has the ledger record that every decision up to record `seq` was acknowledged: messages of a topic do not last. */
  readonly note: (seq: number) => void
  /** Resolves once the journal has a record. */
  readonly journalHas: (seq: number) => Promise<void>
  /** Undefined for a record that answers no request. */
  readonly messageOf: (decision: DecisionRecord, sending: Sending) => OutgoingMessage | undefined
  /** The record that opened a reservation. */
  readonly openedBy: (source: string, id: string) => Promise<Prior | undefined>
  /** The log cannot be read: the process has to end. */
  readonly onFatal: (error: LedgerError) => void
}

/** What goes out with one send, and what is true once it has. */
interface Item {
  readonly message?: OutgoingMessage
  /** The record up to which every decision has gone out then. */
  readonly upTo?: number
  readonly sent?: () => void
}

/**
 * Sends every decision of the log, whichever way its request came, in order and at least once. A decision waits until the
 * journal has its record: what anybody was told of is in the fuller copy.
 *
 * Each message says in its header `head` up to which record every decision had been acknowledged before it was sent. So the
 * newest one on the topic says where to go on: what may lie beyond is a single send, whose partitions are not acknowledged
 * together. Where the topic has none any more, the log itself says, as of its last note.
 */
export class DecisionsPublisher {
  readonly #parts: DecisionsParts
  readonly #reached: Reached
  readonly #items = new BoundedQueue<Item>({ items: 4 * MOST_MESSAGES, bytes: 4 * SEND_BYTES })
  readonly #cancel = new AbortController()
  /** Those who wait for a repeat. */
  readonly #pending = new Set<(error: LedgerError) => void>()
  #sent = 0
  #noted: number
  #publishing: Promise<unknown> = Promise.resolve()

  constructor(parts: DecisionsParts) {
    this.#parts = parts
    this.#reached = new Reached(parts.after)
    this.#noted = parts.noted
  }

  start(): void {
    const publishing = this.#publish()
    Promise.all([this.#collect(), publishing]).catch((error: unknown) => this.#fail(error))
    this.#publishing = publishing.catch(() => undefined)
  }

  /** Gives up what is under way: the next start sends it again. */
  async stop(): Promise<void> {
    this.#close(shuttingDown())
    await this.#parts.producer.stop()
    // What is collected may wait for a journal that is stopped only after this.
    await this.#publishing
  }

  /**
   * Sends decisions that are on the topic already once more, marked as repeats; one that is not there yet comes first. Resolves
   * when all are acknowledged. Rejects with `SHUTTING_DOWN`, and with what was fatal.
   */
  async repeat(seqs: readonly number[]): Promise<void> {
    const acknowledged: Promise<void>[] = []
    for (const seq of seqs) {
      await this.#reached.at(seq)
      const message = await this.#read(seq)
      if (message === undefined) throw new RangeError(`record ${seq} answers no request, and cannot be repeated`)
      acknowledged.push(this.#once(message))
    }
    await Promise.all(acknowledged)
  }

  /** `seq` of the last record up to which every decision is on the topic; -1 for none. */
  position(): number {
    return this.#reached.position
  }

  /** Resolves once every decision up to record `seq` is on the topic. */
  reached(seq: number): Promise<void> {
    return this.#reached.at(seq)
  }

  /** Messages that this process has sent, repeats among them. */
  get sent(): number {
    return this.#sent
  }

  /** When the send began that is not acknowledged yet, on the producer's clock. */
  get waitingSince(): number | undefined {
    return this.#parts.producer.waitingSince
  }

  /** Why it goes no further now. */
  get trouble(): LedgerError | undefined {
    return this.#parts.producer.trouble
  }

  async #collect(): Promise<void> {
    const { store, after, journalHas } = this.#parts
    let parts: readonly SpendPart[] = []
    for await (const block of store.subscribe(after + 1, this.#cancel.signal)) {
      await journalHas(block.last)
      const rest = await this.#collectBlock(block, parts)
      if (rest === undefined) return
      parts = rest
    }
  }

  /** The parts at the end of the block, whose decision is in the next one; undefined where nothing more is sent. */
  async #collectBlock(block: Block, before: readonly SpendPart[]): Promise<readonly SpendPart[] | undefined> {
    let parts = [...before]
    let upTo = -1
    for (const { seq, bytes } of recordsOf(block)) {
      if (seq <= this.#parts.after) continue
      const record = decodeRecord(bytes, 'trusted')
      if (record.type === 'SpendPart') {
        parts.push(record.data as unknown as SpendPart)
        continue
      }
      const message = await this.#messageOf({ record, leaf: leafHash(bytes), parts }, false)
      if (message !== undefined && !(await this.#items.put({ message, upTo: seq }, sizeOf(message)))) return undefined
      parts = []
      upTo = seq
    }
    return (await this.#items.put({ upTo }, 0)) ? parts : undefined
  }

  async #publish(): Promise<void> {
    const { topic, producer } = this.#parts
    for (;;) {
      const items = await this.#items.take({ items: MOST_MESSAGES, bytes: SEND_BYTES })
      if (items === undefined) return
      // Record 0 opens a ledger, and has no decision.
      const head = String(Math.max(0, this.#reached.position))
      const messages = items.flatMap(({ message }) =>
        message === undefined ? [] : [{ ...message, headers: { ...message.headers, head } }],
      )
      if (messages.length > 0) await producer.insist({ topic, messages })
      this.#sent += messages.length
      for (const { sent, upTo = -1 } of items) {
        this.#reached.reach(upTo)
        sent?.()
      }
      this.#note()
    }
  }

  /** Seldom, and only where decisions have gone out: nothing is recorded while nothing happens. */
  #note(): void {
    const { position } = this.#reached
    if (position - this.#noted < NOTE_EVERY) return
    this.#noted = position
    this.#parts.note(position)
  }

  async #read(seq: number): Promise<OutgoingMessage | undefined> {
    const { store } = this.#parts
    const bytes = await recordBytes(store, seq)
    const prior = await readPrior(store, seq)
    if (bytes === undefined || prior === undefined) return undefined
    const { leaf, parts } = prior
    return this.#messageOf({ record: decodeRecord(bytes, 'trusted'), leaf, parts }, true)
  }

  async #messageOf(decision: DecisionRecord, repeat: boolean): Promise<OutgoingMessage | undefined> {
    const opened = await this.#openedBy(decision.record)
    const whole = opened === undefined ? decision : { ...decision, opened }
    return this.#parts.messageOf(whole, { head: Math.max(0, this.#reached.position), repeat })
  }

  /** Whoever closes a reservation names it alone: its units are in the record that opened it. */
  async #openedBy({ type, data }: LedgerRecord): Promise<Prior | undefined> {
    const closes = type === 'ReservationSettled' || type === 'ReservationReleased'
    if (!closes && data['request'] !== 'settle' && data['request'] !== 'release') return undefined
    return this.#parts.openedBy(String(data['source']), String(data['id']))
  }

  /** Resolves when the message is acknowledged; it waits for room first. */
  async #once(message: OutgoingMessage): Promise<void> {
    return new Promise((resolve, reject) => {
      const sent = (): void => {
        this.#pending.delete(reject)
        resolve()
      }
      this.#pending.add(reject)
      this.#items.put({ message, sent }, sizeOf(message)).then((taken) => {
        if (!taken) reject(this.#cancel.signal.reason)
      }, reject)
    })
  }

  #fail(cause: unknown): void {
    if (this.#cancel.signal.aborted) return
    const error = cause instanceof LedgerError ? cause : failed(this.#parts.topic, cause)
    this.#close(error)
    // The journal has said so already where it ends; shutting down is no failure.
    if (!isShuttingDown(error)) this.#parts.onFatal(error)
  }

  #close(error: LedgerError): void {
    this.#cancel.abort(error)
    this.#items.close()
    this.#reached.fail(error)
    for (const reject of this.#pending) reject(error)
  }
}

const SEND_BYTES = 1024 * 1024
/** Records; so many decisions at most go out again where the topic has none of the ledger any more. */
const NOTE_EVERY = 10_000
/** What a message has beside its value, roughly. */
const ENVELOPE_BYTES = 512

const sizeOf = ({ value }: OutgoingMessage): number => (value?.length ?? 0) + ENVELOPE_BYTES

const failed = (topic: string, cause: unknown): LedgerError =>
  new LedgerError(
    'DECISIONS_FAILED',
    `${topic} cannot be written any more: ${cause instanceof Error ? cause.message : cause}`,
    {
      retry: 'after-restart',
      hint: 'Nothing is lost: a restart sends every decision that the topic lacks.',
      cause,
    },
  )
