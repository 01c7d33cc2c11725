import type { LedgerError } from './errors.js'

/** One caller's commands, until all have their answers. */
export class Call<Answer> {
  private readonly answers: (Answer | LedgerError)[]
  private left: number

  constructor(
    /** How many of the commands will be answered. */
    private end: number,
    /** Nothing is decided after an answer that blocks. */
    readonly inOrder: boolean,
    private readonly resolve: (answers: readonly (Answer | LedgerError)[]) => void,
    readonly fail: (error: LedgerError) => void,
  ) {
    this.answers = new Array(end)
    this.left = end
  }

  settle(index: number, answer: Answer | LedgerError, blocks: boolean): void {
    this.answers[index] = answer
    if (index < this.end) this.left--
    if (blocks && this.inOrder) this.endAfter(index)
    if (this.left === 0) this.resolve(this.answers.slice(0, this.end))
  }

  /** A later one may have its answer already: one that could not be written gets it at once. */
  private endAfter(index: number): void {
    for (let place = index + 1; place < this.end; place++) if (!(place in this.answers)) this.left--
    this.end = Math.min(this.end, index + 1)
  }
}

/** One of the commands of a call. */
export interface Ticket<Command, Answer> {
  readonly command: Command
  readonly call: Call<Answer>
  /** Its place among the call's commands. */
  readonly index: number
}
