import type { LedgerError } from '../ledger/errors.js'

/** Up to which record something has come, and who waits for it to come further. */
export class Reached {
  #position: number
  #failure: LedgerError | undefined
  #waiting: Waiter[] = []

  /** `position` is the `seq` of the last record; -1 for none. */
  constructor(position: number) {
    this.#position = position
  }

  get position(): number {
    return this.#position
  }

  /** Resolves once record `seq` is reached. Rejects with what {@link fail} was told. */
  at(seq: number): Promise<void> {
    if (seq <= this.#position) return Promise.resolve()
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => this.#waiting.push({ seq, resolve, reject }))
  }

  reach(seq: number): void {
    if (seq <= this.#position) return
    this.#position = seq
    const waiting = this.#waiting
    this.#waiting = waiting.filter((waiter) => waiter.seq > seq)
    for (const waiter of waiting) if (waiter.seq <= seq) waiter.resolve()
  }

  /** It will come no further. */
  fail(error: LedgerError): void {
    this.#failure ??= error
    for (const waiter of this.#waiting.splice(0)) waiter.reject(error)
  }
}

interface Waiter {
  readonly seq: number
  readonly resolve: () => void
  readonly reject: (error: LedgerError) => void
}
