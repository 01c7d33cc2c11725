import { type Batch, type BatchTerms, decideBatch, Unwritable } from './batch.js'
import { type Block, MOST_BLOCK_BYTES, type Position, positionOf, samePosition } from './block.js'
import { Call, type Ticket } from './call.js'
import { ChainCheck } from './chain.js'
import type { TimeKeeper } from './clock.js'
import type { Decider } from './decider.js'
import { LedgerError } from './errors.js'
import { AppendConflict, appendUncertain, type EventStore } from './event-store.js'
import { HeldAnswers } from './held-answers.js'
import { MOST_RECORD_BYTES } from './record.js'

/** One durable append, for whoever watches the store. */
export interface Appended {
  /** Commands that it answered, and records that it wrote. */
  readonly commands: number
  readonly records: number
  /** How long the store took until they were durable. */
  readonly durationMs: number
}

export interface WriterOptions<Command, Answer> {
  readonly store: EventStore
  readonly decider: Decider<Command, Answer>
  readonly timeKeeper: TimeKeeper
  readonly ledger: string
  readonly epoch: number
  /** Of the record that the decider's state stands at; undefined for a new ledger. */
  readonly position: Position | undefined
  /** Commands in one append, 5,000 where nothing is said. */
  readonly maxBatch?: number
  /** Bytes after which a batch takes no further command, 1 MiB where nothing is said: everybody waits while it is decided. */
  readonly maxBatchBytes?: number
  /** Commands that may wait, 50,000 where nothing is said. */
  readonly maxWaiting?: number
  /** Called after every append that was kept, before its answers leave. Must not throw. */
  readonly onAppend?: (appended: Appended) => void
  /**
   * Resolves when a position may be answered from; undefined where it may at once. Answers are held until then, those of
   * repeats too, while the next batches are written. Rejects with the error that those who wait are to get.
   */
  readonly confirm?: (position: Position) => Promise<void> | undefined
  /** Why no command may be taken now; it rejects those that come. */
  readonly refusal?: () => LedgerError | undefined
  /** Others append to the same store. Not where nothing is said. */
  readonly shared?: boolean
  /** Called once, when an append failed or an invariant broke: end the process. */
  readonly onFatal: (error: LedgerError) => void
}

/**
 * The single way into a ledger. Takes the commands that have arrived, decides them in order on one draft, chains their
 * records, appends them all in one durable write, commits the draft, and answers. One append is in flight at a time;
 * meanwhile the next commands are collected, but not decided: they would stand on a state that may never be.
 *
 * Others may append to the same store. Whoever comes second has written nothing: it takes in what is new, and decides
 * the same commands again, fewer of them each time, so that a slow writer beside fast ones gets its turn.
 */
export class Writer<Command, Answer> {
  private readonly queue: Ticket<Command, Answer>[] = []
  private readonly maxBatch: number
  private readonly maxBatchBytes: number
  private readonly maxWaiting: number
  private at: Position | undefined
  private readonly held = new HeldAnswers()
  /** Commands that the next batch may take; fewer after one that could not be written as it was. */
  private nextBatch: number
  /** Commands that a batch may take beside other writers: half as many after each conflict. */
  private contested: number
  /** Blocks that somebody else may have appended, to be taken in between two batches. */
  private readonly arrived: Arrived[] = []
  private appendingSinceMs: number | undefined
  private fruitlessConflicts = 0
  private running: Promise<void> | undefined
  private closed: LedgerError | undefined
  private dead = false

  constructor(private readonly options: WriterOptions<Command, Answer>) {
    this.maxBatch = options.maxBatch ?? 5_000
    this.maxBatchBytes = options.maxBatchBytes ?? (options.store.keepsAllOrNone ? 1024 * 1024 : ONE_BLOCK_BYTES)
    this.maxWaiting = options.maxWaiting ?? 50_000
    this.nextBatch = this.maxBatch
    this.contested = this.maxBatch
    this.at = options.position
  }

  /** Of the last committed record. */
  get position(): Position | undefined {
    return this.at
  }

  /** Commands without an answer. */
  get waiting(): number {
    return this.queue.length + this.held.size
  }

  /** How long the store has not answered an append; undefined where none is under way. */
  get appendingForMs(): number | undefined {
    return this.appendingSinceMs === undefined ? undefined : this.options.timeKeeper.monotonic() - this.appendingSinceMs
  }

  /**
   * Takes in a block of the store, which somebody else may have appended. Blocks are to come in order; what is known
   * already is passed over. Resolves when the state shows it. Rejects with what ended the writer.
   */
  takeIn(block: Block): Promise<void> {
    return this.arrival(block)
  }

  /** Takes in everything that others have appended up to now. Rejects with what ended the writer. */
  refresh(): Promise<void> {
    return this.arrival(undefined)
  }

  private arrival(block: Block | undefined): Promise<void> {
    if (this.dead) return Promise.reject(this.closed)
    return new Promise((resolve, reject) => {
      this.arrived.push({ block, resolve, reject })
      this.running ??= this.run()
    })
  }

  /**
   * Answers once the command's events are durable. Rejects with what `decide` threw, with `BUSY` when too many commands
   * wait, with `SHUTTING_DOWN` after {@link stop}, and after a failure with that failure.
   */
  write(command: Command): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const settle = ([answer]: readonly (Answer | LedgerError)[]): void =>
        answer instanceof LedgerError ? reject(answer) : resolve(answer as Answer)
      this.enqueue([command], new Call(1, false, settle, reject))
    })
  }

  /**
   * Writes commands in this order, each decided on its own: what `decide` threw for one stands in its place among the
   * answers. Rejects as a whole only where {@link write} would for a reason of the writer's own.
   */
  writeAll(commands: readonly Command[]): Promise<readonly (Answer | LedgerError)[]> {
    if (commands.length === 0) return Promise.resolve([])
    return new Promise((resolve, reject) => this.enqueue(commands, new Call(commands.length, false, resolve, reject)))
  }

  /**
   * Writes commands in this order, and stops at the first whose decision {@link Decision.blocks} or that is rejected: no
   * command is decided before every earlier one has its last word, however the batches fall.
   *
   * @returns the answers up to that one, its own included; the commands after it were not decided.
   */
  writeInOrder(commands: readonly Command[]): Promise<readonly (Answer | LedgerError)[]> {
    if (commands.length === 0) return Promise.resolve([])
    return new Promise((resolve, reject) => this.enqueue(commands, new Call(commands.length, true, resolve, reject)))
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    const work = this.running ?? this.held.idle()
    if (work === undefined) return
    await work
    return this.idle()
  }

  /** Takes no more commands, finishes those that wait, and resolves. */
  async stop(): Promise<void> {
    this.closed ??= new LedgerError('SHUTTING_DOWN', 'the ledger is shutting down and takes no more commands', {
      retry: 'now',
    })
    await this.idle()
  }

  private enqueue(commands: readonly Command[], call: Call<Answer>): void {
    const refusal = this.closed ?? this.options.refusal?.() ?? this.whenBusy(commands.length)
    if (refusal !== undefined) {
      call.fail(refusal)
      return
    }
    for (let index = 0; index < commands.length; index++) {
      this.queue.push({ command: commands[index] as Command, call, index })
    }
    this.running ??= this.run()
  }

  private whenBusy(more: number): LedgerError | undefined {
    const { waiting } = this
    return waiting + more > this.maxWaiting ? busy(waiting, more, this.maxWaiting) : undefined
  }

  private async run(): Promise<void> {
    try {
      while (this.queue.length > 0 || this.arrived.length > 0) {
        // Requests that have arrived at the same time join the batch.
        await new Promise(setImmediate)
        await this.takeInArrived()
        if (this.queue.length > 0) await this.writeBatch(this.queue.slice(0, Math.min(this.nextBatch, this.contested)))
      }
    } catch (error) {
      this.die(error)
    } finally {
      this.running = undefined
    }
  }

  /** Commands leave the queue when their decision is final; whatever else happens, the next batch begins with them again. */
  private async writeBatch(tickets: readonly Ticket<Command, Answer>[], readOn = false): Promise<void> {
    const { decider, timeKeeper, onAppend } = this.options
    const preparing = decider.prepare(tickets.map((ticket) => ticket.command))
    if (preparing !== undefined) await preparing
    const draft = decider.draft()
    const batch = decideBatch(tickets, draft, this.batchTerms())
    if (batch instanceof Unwritable) return this.dropUnwritable(batch)
    if (!this.fitsStore(batch)) return
    if (batch.blocks.length === 0 && !readOn && (await this.isOutdated(batch))) return this.writeBatch(tickets, true)
    if (batch.blocks.length > 0) {
      const startedMs = timeKeeper.monotonic()
      const position = await this.append(batch.blocks)
      if (position === undefined) return this.follow()
      const durationMs = timeKeeper.monotonic() - startedMs
      this.contested = Math.min(this.maxBatch, this.contested * 2)
      draft.commit(position)
      this.at = position
      onAppend?.({ commands: batch.decided, records: batch.records, durationMs })
    }
    this.fruitlessConflicts = 0
    this.queue.splice(0, batch.size)
    if (batch.ended !== undefined) this.dropNext(batch.ended, 0)
    this.nextBatch = this.maxBatch
    // An answer leaves only after its records are durable. A crash between the two costs budget, never privacy.
    this.answerOnceConfirmed(batch)
  }

  private batchTerms(): BatchTerms {
    const { timeKeeper, epoch } = this.options
    const clockDoubt = timeKeeper.doubt() !== undefined
    return { at: timeKeeper.stamp(), clockDoubt, epoch, after: this.at, maxBytes: this.maxBatchBytes }
  }

  /**
   * Where blocks are kept one by one, several of them belong to one command, whose parts mean nothing until the last:
   * the first ones without the rest would else be decisions that nobody was told.
   */
  private fitsStore({ blocks, size }: Batch<Answer>): boolean {
    if (blocks.length <= 1 || size <= 1 || this.options.store.keepsAllOrNone) return true
    this.nextBatch = size - 1
    return false
  }

  /**
   * Takes in what others have appended before anybody is turned down without a record: no append would find out that what a
   * command lacks has been there for a while.
   */
  private async isOutdated({ blocking }: Batch<Answer>): Promise<boolean> {
    if (this.options.shared !== true || !blocking) return false
    const before = this.at
    await this.readOn()
    return !samePosition(before, this.at)
  }

  /** Takes what is left of a call out of the queue. */
  private dropNext(call: Call<Answer>, from: number): void {
    let end = from
    while (this.queue[end]?.call === call) end++
    this.queue.splice(from, end - from)
  }

  /**
   * The draft already holds what cannot be written, so it goes. The commands before are decided again as a batch of
   * their own; those after it come next, so that many bad ones cost no more than twice the work.
   */
  private dropUnwritable({ index, error }: Unwritable): void {
    const [ticket] = this.queue.splice(index, 1)
    if (ticket?.call.inOrder) this.dropNext(ticket.call, index)
    ticket?.call.settle(ticket.index, error, true)
    this.nextBatch = index === 0 ? this.maxBatch : index
  }

  /** The new head, or undefined where somebody else has appended: then nothing was written. */
  private async append(blocks: readonly Block[]): Promise<Position | undefined> {
    this.appendingSinceMs = this.options.timeKeeper.monotonic()
    try {
      const position = await this.options.store.append(blocks, this.at)
      const last = positionOf(blocks.at(-1) as Block)
      if (!samePosition(position, last))
        throw new Error(`the store says its head is record ${position.seq} in block ${position.block}`)
      return position
    } catch (error) {
      if (error instanceof AppendConflict) return undefined
      throw error instanceof LedgerError ? error : appendUncertain(blocks, error)
    } finally {
      this.appendingSinceMs = undefined
    }
  }

  /** Somebody else has appended: takes in what is new, and leaves more of the store to others. */
  private async follow(): Promise<void> {
    const before = this.at
    await this.readOn()
    this.contested = Math.max(1, Math.ceil(this.contested / 2))
    this.fruitlessConflicts = samePosition(before, this.at) ? this.fruitlessConflicts + 1 : 0
    if (this.fruitlessConflicts === MOST_FRUITLESS_CONFLICTS) throw disagrees(this.at, await this.options.store.head())
  }

  private async readOn(): Promise<void> {
    for await (const block of this.options.store.read(this.at === undefined ? 0 : this.at.seq + 1)) this.take(block)
  }

  /** Those who come meanwhile have to wait until a batch is written; one look at the store is for all who wait by now. */
  private async takeInArrived(): Promise<void> {
    let looked = false
    for (const { block, resolve } of this.arrived.slice()) {
      const expected = this.at === undefined ? 0 : this.at.block + 1
      if (block?.number === expected) this.take(block)
      else if (block === undefined ? !looked : block.number > expected) {
        await this.readOn()
        looked = true
      }
      this.arrived.shift()
      resolve()
    }
  }

  /** Evolves the state over the next block. */
  private take(block: Block): void {
    const { decider, timeKeeper, epoch } = this.options
    const chain = new ChainCheck(this.at && { position: this.at, epoch, at: '' })
    chain.add(block)
    const { state } = chain
    if (state !== undefined && state.epoch > epoch) throw fenced(epoch, state.epoch)
    decider.follow(block)
    this.at = positionOf(block)
    if (state !== undefined) timeKeeper.follow(state.at)
  }

  private answerOnceConfirmed(batch: Batch<Answer>): void {
    const { ledger, epoch, confirm } = this.options
    const answer = (): void => batch.answer(ledger, epoch)
    const refuse = (error: unknown): void => this.refuse(batch, error)
    try {
      const confirmed = this.at === undefined ? undefined : confirm?.(this.at)
      if (confirmed === undefined) answer()
      else this.held.hold(confirmed, batch.size, answer, refuse)
    } catch (error) {
      refuse(error)
    }
  }

  /** What was never confirmed is answered to nobody, though it is in the log: a repeat finds it. */
  private refuse(batch: Batch<Answer>, error: unknown): void {
    const reason = error instanceof LedgerError ? error : brokenInvariant(error)
    batch.fail(reason)
    if (reason !== error) this.die(reason)
  }

  /** Nobody who waits gets an answer, and nothing is ever written again: the start-up gate finds out what was kept. */
  die(reason: unknown): void {
    if (this.dead) return
    const error = reason instanceof LedgerError ? reason : brokenInvariant(reason)
    this.dead = true
    this.closed = error
    for (const { call } of this.queue.splice(0)) call.fail(error)
    for (const { reject } of this.arrived.splice(0)) reject(error)
    this.options.onFatal(error)
  }
}

/** A block that waits until it is taken in; undefined: whatever is new. */
interface Arrived {
  readonly block: Block | undefined
  readonly resolve: () => void
  readonly reject: (error: LedgerError) => void
}

/** After which a batch takes no further command, so that with one more record it still is one block. */
const ONE_BLOCK_BYTES = MOST_BLOCK_BYTES - MOST_RECORD_BYTES - 1

/** A store that knows of an append may need a moment until it can be read. */
const MOST_FRUITLESS_CONFLICTS = 8

const busy = (waiting: number, more: number, most: number): LedgerError =>
  new LedgerError('BUSY', `${waiting} commands wait, and ${more} more came; at most ${most} may`, {
    retry: 'now',
    hint: 'Try again in a moment, with fewer at a time.',
  })

const fenced = (ours: number, theirs: number): LedgerError =>
  new LedgerError('FENCED', `this process writes epoch ${ours}, but the ledger has gone on to epoch ${theirs}`, {
    retry: 'after-restart',
    hint: 'The ledger was recovered elsewhere. Only one of the two may go on.',
    exitCode: 11,
  })

const disagrees = (ours: Position | undefined, theirs: Position | undefined): LedgerError =>
  new LedgerError(
    'STORE_WENT_BACK',
    `the store refuses to append after record ${ours?.seq ?? 'none'}, its head is record ${theirs?.seq ?? 'none'}, and it has nothing newer`,
    {
      retry: 'after-restart',
      hint: 'The store was exchanged or cut short under a running process. Start again: the gate compares it.',
      exitCode: 21,
    },
  )

const brokenInvariant = (cause: unknown): LedgerError =>
  new LedgerError('BROKEN_INVARIANT', `the writer stopped: ${cause instanceof Error ? cause.message : cause}`, {
    retry: 'after-restart',
    hint: 'This is a defect. Nothing that was not durable has been answered.',
    cause,
  })
