import { type Block, BlockBuilder, type Position } from './block.js'
import type { Call, Ticket } from './call.js'
import type { Context, Decision, Draft } from './decider.js'
import { LedgerError } from './errors.js'
import type { Leaf } from './record.js'

/** What holds for every decision of a batch. */
export interface BatchTerms {
  /** The instant of its records. */
  readonly at: string
  /** See {@link Context}. */
  readonly clockDoubt: boolean
  readonly epoch: number
  /** The record that its first one follows; undefined at the beginning. */
  readonly after: Position | undefined
  /** Bytes after which no further command is decided. */
  readonly maxBytes: number
}

/** Decided commands, the first ones of those that wait: their records, and what each is to be told once these are durable. */
export class Batch<Answer> {
  constructor(
    readonly blocks: readonly Block[],
    /** undefined for a command that was not decided, since its call went no further. */
    private readonly outcomes: readonly (Outcome<Answer> | undefined)[],
    /** The last call that went no further; what is left of it comes next among those that wait. */
    readonly ended: Call<Answer> | undefined,
  ) {}

  /** Commands that it takes from those that wait. */
  get size(): number {
    return this.outcomes.length
  }

  get decided(): number {
    return this.outcomes.filter(Boolean).length
  }

  get records(): number {
    return this.blocks.reduce((records, { first, last }) => records + last - first + 1, 0)
  }

  /** Somebody is turned down, or told to wait. */
  get blocking(): boolean {
    return this.outcomes.some((outcome) => outcome !== undefined && isBlocking(outcome.decision))
  }

  answer(ledger: string, epoch: number): void {
    for (const outcome of this.outcomes) {
      if (outcome === undefined) continue
      const { decision, seq, leaf, ticket } = outcome
      const receipt = { ledger, epoch, seq, leaf }
      const answer =
        decision instanceof LedgerError ? decision : decision.answer(decision.events.length === 0 ? undefined : receipt)
      ticket.call.settle(ticket.index, answer, isBlocking(decision))
    }
  }

  fail(reason: LedgerError): void {
    for (const outcome of this.outcomes) outcome?.ticket.call.fail(reason)
  }
}

/** The place of a command whose records cannot be written: too large, or not canonical. The draft has to go. */
export class Unwritable {
  constructor(
    readonly index: number,
    readonly error: LedgerError,
  ) {}
}

/** Decides commands in order on a draft, until their records are enough for one append. */
export const decideBatch = <Command, Answer>(
  tickets: readonly Ticket<Command, Answer>[],
  draft: Draft<Command, Answer>,
  { at, clockDoubt, epoch, after, maxBytes }: BatchTerms,
): Batch<Answer> | Unwritable => {
  const builder = new BlockBuilder(after)
  const outcomes: (Outcome<Answer> | undefined)[] = []
  let ended: Call<Answer> | undefined
  for (const ticket of tickets) {
    if (ticket.call === ended) {
      outcomes.push(undefined)
      continue
    }
    const decision = decideOne(draft, ticket.command, { at, seq: builder.nextSeq, clockDoubt })
    if (ticket.call.inOrder && isBlocking(decision)) ended = ticket.call
    if (decision instanceof LedgerError) {
      outcomes.push({ ticket, decision, seq: 0, leaf: '' })
      continue
    }
    const { by, cause } = decision
    for (const { type, v, data } of decision.events) {
      const unwritable = tryAdd(builder, { at, by, cause, data, epoch, type, v })
      if (unwritable !== undefined) return new Unwritable(outcomes.length, unwritable)
    }
    outcomes.push({ ticket, decision, seq: builder.nextSeq - 1, leaf: builder.lastLeaf })
    // Many records mean many budgets: whoever comes next need not wait for two such decisions.
    if (builder.size >= maxBytes || decision.events.length > 1) break
  }
  return new Batch(builder.blocks(), outcomes, ended)
}

interface Outcome<Answer> {
  readonly ticket: Ticket<unknown, Answer>
  readonly decision: Decision<Answer> | LedgerError
  readonly seq: number
  readonly leaf: Leaf
}

const isBlocking = (decision: Decision<unknown> | LedgerError): boolean =>
  decision instanceof LedgerError || decision.blocks === true

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
