import { type Block, BlockBuilder, type Position, positionOf, samePosition } from './block.js'
import { ChainCheck } from './chain.js'
import type { TimeKeeper } from './clock.js'
import { LedgerError } from './errors.js'
import { AppendConflict, appendUncertain, type EventStore } from './event-store.js'
import type { Cause, EventBody, Leaf } from './record.js'

/** Which record an answer stands on. */
export interface Receipt {
  readonly ledger: string
  readonly epoch: number
  readonly seq: number
  readonly leaf: Leaf
}

/** What a decision may know beside state and command; the writer fixes it, and the record keeps it. */
export interface Context {
  readonly at: string
  /** Number of the first event that this decision would write. */
  readonly seq: number
  /** The clock cannot be trusted with windows. */
  readonly clockDoubt: boolean
}

export interface Decision<Answer> {
  /** None for what is only looked up: an estimate, a repeat, a refusal that is not recorded. */
  readonly events: readonly EventBody[]
  readonly by: string
  readonly cause: Cause
  /** Called once the events are durable, with the receipt of the last one; undefined where there are none. Must not throw. */
  readonly answer: (receipt: Receipt | undefined) => Answer
}

/** The committed state plus the decisions of one batch so far. It is committed as a whole or dropped. */
export interface Draft<Command, Answer> {
  /** Pure. A thrown {@link LedgerError} rejects this command alone, and must leave the draft as it was. */
  decide(command: Command, context: Context): Decision<Answer>
  /** Makes what was decided the committed state; `position` is that of its last record. Called only where there are events. */
  commit(position: Position): void
}

export interface Decider<Command, Answer> {
  /** Gets ready what these commands need to know; the committed state does not change until they are decided. */
  prepare(commands: readonly Command[]): Promise<void> | void
  draft(): Draft<Command, Answer>
  /** Takes records that came from elsewhere into the committed state. */
  follow(block: Block): void
}

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
  /** Bytes after which a batch takes no further command, 8 MiB where nothing is said. */
  readonly maxBatchBytes?: number
  /** Commands that may wait, 50,000 where nothing is said. */
  readonly maxWaiting?: number
  /** Called after every append that was kept, before its answers leave. Must not throw. */
  readonly onAppend?: (appended: Appended) => void
  /** Called once, when an append failed or an invariant broke: end the process. */
  readonly onFatal: (error: LedgerError) => void
}

/**
 * The single way into a ledger. Takes the commands that have arrived, decides them in order on one draft, chains their
 * records, appends them all in one durable write, commits the draft, and answers. One append is in flight at a time;
 * meanwhile the next commands are collected, but not decided: they would stand on a state that may never be.
 */
export class Writer<Command, Answer> {
  private readonly queue: Ticket<Command, Answer>[] = []
  private readonly maxBatch: number
  private readonly maxBatchBytes: number
  private readonly maxWaiting: number
  private at: Position | undefined
  /** Commands that the next batch may take; fewer after one whose record could not be written. */
  private nextBatch: number
  private fruitlessConflicts = 0
  private running: Promise<void> | undefined
  private closed: LedgerError | undefined

  constructor(private readonly options: WriterOptions<Command, Answer>) {
    this.maxBatch = options.maxBatch ?? 5_000
    this.maxBatchBytes = options.maxBatchBytes ?? 8 * 1024 * 1024
    this.maxWaiting = options.maxWaiting ?? 50_000
    this.nextBatch = this.maxBatch
    this.at = options.position
  }

  /** Of the last committed record. */
  get position(): Position | undefined {
    return this.at
  }

  /** Commands without an answer. */
  get waiting(): number {
    return this.queue.length
  }

  /**
   * Answers once the command's events are durable. Rejects with what `decide` threw, with `BUSY` when too many commands
   * wait, with `SHUTTING_DOWN` after {@link stop}, and after a failure with that failure.
   */
  write(command: Command): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const settle = ([answer]: readonly (Answer | LedgerError)[]): void =>
        answer instanceof LedgerError ? reject(answer) : resolve(answer as Answer)
      this.enqueue([command], new Call(1, settle, reject))
    })
  }

  /**
   * Writes commands in this order, each decided on its own: what `decide` threw for one stands in its place among the
   * answers. Rejects as a whole only where {@link write} would for a reason of the writer's own.
   */
  writeAll(commands: readonly Command[]): Promise<readonly (Answer | LedgerError)[]> {
    if (commands.length === 0) return Promise.resolve([])
    return new Promise((resolve, reject) => this.enqueue(commands, new Call(commands.length, resolve, reject)))
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    while (this.running !== undefined) await this.running
  }

  /** Takes no more commands, finishes those that wait, and resolves. */
  async stop(): Promise<void> {
    this.closed ??= new LedgerError('SHUTTING_DOWN', 'the ledger is shutting down and takes no more commands', {
      retry: 'now',
    })
    await this.idle()
  }

  private enqueue(commands: readonly Command[], call: Call<Answer>): void {
    const refusal = this.closed ?? this.whenBusy(commands.length)
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
    const waiting = this.queue.length
    return waiting + more > this.maxWaiting ? busy(waiting, more, this.maxWaiting) : undefined
  }

  private async run(): Promise<void> {
    try {
      while (this.queue.length > 0) {
        // Requests that have arrived at the same time join the batch.
        await new Promise(setImmediate)
        await this.writeBatch(this.queue.slice(0, this.nextBatch))
      }
    } catch (error) {
      this.die(error instanceof LedgerError ? error : brokenInvariant(error))
    } finally {
      this.running = undefined
    }
  }

  /** Commands leave the queue when they are answered; whatever else happens, the next batch begins with them again. */
  private async writeBatch(tickets: readonly Ticket<Command, Answer>[]): Promise<void> {
    const { decider, timeKeeper, onAppend } = this.options
    const preparing = decider.prepare(tickets.map((ticket) => ticket.command))
    if (preparing !== undefined) await preparing
    const draft = decider.draft()
    const batch = this.decide(tickets, draft)
    if (batch instanceof Unwritable) return this.dropUnwritable(batch)
    const blocks = batch.builder.blocks()
    if (blocks.length > 0) {
      const startedMs = timeKeeper.monotonic()
      const position = await this.append(blocks)
      if (position === undefined) return this.follow()
      const durationMs = timeKeeper.monotonic() - startedMs
      draft.commit(position)
      this.at = position
      onAppend?.({ commands: batch.outcomes.length, records: recordsIn(blocks), durationMs })
    }
    this.fruitlessConflicts = 0
    // An answer leaves only after its records are durable. A crash between the two costs budget, never privacy.
    this.answer(tickets, batch)
    this.queue.splice(0, batch.outcomes.length)
    this.nextBatch = this.maxBatch
  }

  private decide(
    tickets: readonly Ticket<Command, Answer>[],
    draft: Draft<Command, Answer>,
  ): Batch<Answer> | Unwritable {
    const { timeKeeper, epoch } = this.options
    const clockDoubt = timeKeeper.doubt() !== undefined
    const at = timeKeeper.stamp()
    const builder = new BlockBuilder(this.at)
    const outcomes: Outcome<Answer>[] = []
    for (const { command } of tickets) {
      const decision = decideOne(draft, command, { at, seq: builder.nextSeq, clockDoubt })
      if (decision instanceof LedgerError) {
        outcomes.push({ decision, seq: 0, leaf: '' })
        continue
      }
      const { by, cause } = decision
      for (const { type, v, data } of decision.events) {
        const unwritable = tryAdd(builder, { at, by, cause, data, epoch, type, v })
        if (unwritable !== undefined) return new Unwritable(outcomes.length, unwritable)
      }
      outcomes.push({ decision, seq: builder.nextSeq - 1, leaf: builder.lastLeaf })
      if (builder.size >= this.maxBatchBytes) break
    }
    return { builder, outcomes }
  }

  /**
   * The draft already holds what cannot be written, so it goes. The commands before are decided again as a batch of
   * their own; those after it come next, so that many bad ones cost no more than twice the work.
   */
  private dropUnwritable({ index, error }: Unwritable): void {
    const [ticket] = this.queue.splice(index, 1)
    ticket?.call.settle(ticket.index, error)
    this.nextBatch = index === 0 ? this.maxBatch : index
  }

  /** The new head, or undefined where somebody else has appended: then nothing was written. */
  private async append(blocks: readonly Block[]): Promise<Position | undefined> {
    try {
      const position = await this.options.store.append(blocks, this.at)
      const last = positionOf(blocks.at(-1) as Block)
      if (!samePosition(position, last))
        throw new Error(`the store says its head is record ${position.seq} in block ${position.block}`)
      return position
    } catch (error) {
      if (error instanceof AppendConflict) return undefined
      throw error instanceof LedgerError ? error : appendUncertain(blocks, error)
    }
  }

  /** Takes in what somebody else has appended. */
  private async follow(): Promise<void> {
    const { store, decider, timeKeeper, epoch } = this.options
    const before = this.at
    const chain = new ChainCheck(before && { position: before, epoch, at: '' })
    for await (const block of store.read(before === undefined ? 0 : before.seq + 1)) {
      chain.add(block)
      const { state } = chain
      if (state !== undefined && state.epoch > epoch) throw fenced(epoch, state.epoch)
      decider.follow(block)
      this.at = positionOf(block)
      if (state !== undefined) timeKeeper.follow(state.at)
    }
    this.fruitlessConflicts = samePosition(before, this.at) ? this.fruitlessConflicts + 1 : 0
    if (this.fruitlessConflicts === MOST_FRUITLESS_CONFLICTS) throw disagrees(this.at, await store.head())
  }

  private answer(tickets: readonly Ticket<Command, Answer>[], { outcomes }: Batch<Answer>): void {
    const { ledger, epoch } = this.options
    for (let place = 0; place < outcomes.length; place++) {
      const { decision, seq, leaf } = outcomes[place] as Outcome<Answer>
      const { call, index } = tickets[place] as Ticket<Command, Answer>
      if (decision instanceof LedgerError) call.settle(index, decision)
      else call.settle(index, decision.answer(decision.events.length === 0 ? undefined : { ledger, epoch, seq, leaf }))
    }
  }

  /** Nobody who waits gets an answer, and nothing is ever written again: the start-up gate finds out what was kept. */
  private die(error: LedgerError): void {
    this.closed = error
    for (const { call } of this.queue.splice(0)) call.fail(error)
    this.options.onFatal(error)
  }
}

/** One caller's commands, until all have their answers. */
class Call<Answer> {
  private readonly answers: (Answer | LedgerError)[]

  constructor(
    private left: number,
    private readonly resolve: (answers: readonly (Answer | LedgerError)[]) => void,
    readonly fail: (error: LedgerError) => void,
  ) {
    this.answers = new Array(left)
  }

  settle(index: number, answer: Answer | LedgerError): void {
    this.answers[index] = answer
    this.left--
    if (this.left === 0) this.resolve(this.answers)
  }
}

interface Ticket<Command, Answer> {
  readonly command: Command
  readonly call: Call<Answer>
  /** Its place among the call's commands. */
  readonly index: number
}

interface Outcome<Answer> {
  readonly decision: Decision<Answer> | LedgerError
  readonly seq: number
  readonly leaf: Leaf
}

interface Batch<Answer> {
  readonly builder: BlockBuilder
  readonly outcomes: readonly Outcome<Answer>[]
}

/** The place of a command whose records cannot be written: too large, or not canonical. */
class Unwritable {
  constructor(
    readonly index: number,
    readonly error: LedgerError,
  ) {}
}

const recordsIn = (blocks: readonly Block[]): number =>
  blocks.reduce((records, { first, last }) => records + last - first + 1, 0)

/** A store that knows of an append may need a moment until it can be read. */
const MOST_FRUITLESS_CONFLICTS = 8

const decideOne = <Command, Answer>(
  draft: Draft<Command, Answer>,
  command: Command,
  context: Context,
): Decision<Answer> | LedgerError => {
  try {
    return draft.decide(command, context)
  } catch (error) {
    if (error instanceof LedgerError) return error
    throw error
  }
}

const tryAdd = (builder: BlockBuilder, record: Parameters<BlockBuilder['add']>[0]): LedgerError | undefined => {
  try {
    builder.add(record)
    return undefined
  } catch (error) {
    if (error instanceof LedgerError) return error
    throw error
  }
}

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
