import { setTimeout as sleep } from 'node:timers/promises'
import type { LedgerError } from '../ledger/errors.js'
import type { EventStore } from '../ledger/event-store.js'

/** Looks again and again whether the place of a log is sound: what somebody else does to it shows in no append. */
export class PlaceWatch {
  #fault: LedgerError | undefined

  constructor(
    private readonly store: EventStore,
    private readonly everyMs = 30_000,
  ) {}

  /** What is wrong with it, as far as is known. */
  get fault(): LedgerError | undefined {
    return this.#fault
  }

  /** Goes on until `signal` aborts; holds up no process that is done. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.everyMs, undefined, { signal, ref: false }).catch(() => undefined)
      if (!signal.aborted) await this.#look()
    }
  }

  /** What cannot be reached is told by the append that waits for it; what is known of it stays so. */
  async #look(): Promise<void> {
    this.#fault = await this.store.inspect().catch(() => this.#fault)
  }
}
