import type { Block, Position } from './block.js'
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
  /** Not the last word: what comes after it in a call of {@link Writer.writeInOrder} must not be decided yet. */
  readonly blocks?: boolean
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
