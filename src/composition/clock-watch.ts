import { setTimeout as sleep } from 'node:timers/promises'
import type { TimeKeeper } from '../ledger/clock.js'
import type { EventStore } from '../ledger/event-store.js'

/**
 * Compares this machine's clock with that of the server which has the log, now and again and again. An instance whose clock runs
 * ahead notices nothing by itself: it is the others who find theirs behind its records.
 */
export class ClockWatch {
  constructor(
    private readonly store: Pick<EventStore, 'serverTimeMs'>,
    private readonly timeKeeper: Pick<TimeKeeper, 'compare' | 'monotonic'>,
    private readonly everyMs = 30_000,
  ) {}

  /** Goes on until `signal` aborts; holds up no process that is done. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // What cannot be asked says nothing of the clock.
      await this.look().catch(() => undefined)
      await sleep(this.everyMs, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  private async look(): Promise<void> {
    const askedMs = this.timeKeeper.monotonic()
    const serverMs = await this.store.serverTimeMs()
    if (serverMs !== undefined) this.timeKeeper.compare(serverMs, this.timeKeeper.monotonic() - askedMs)
  }
}
