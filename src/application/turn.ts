/** How long one request may keep everybody else waiting at a stretch, in milliseconds. */
const LONGEST_MS = 10

/**
 * Lets other requests in while much is done for one: `while (turn.isOver) await turn.next()` between two things of many.
 * It is asked again after the wait, since several may share a turn, and those that wake up first may use it up.
 */
export class Turn {
  #beganAt = performance.now()
  #next: Promise<void> | undefined

  get isOver(): boolean {
    return performance.now() - this.#beganAt > LONGEST_MS
  }

  next(): Promise<void> {
    this.#next ??= this.#begin()
    return this.#next
  }

  async #begin(): Promise<void> {
    await new Promise(setImmediate)
    this.#beganAt = performance.now()
    this.#next = undefined
  }
}
