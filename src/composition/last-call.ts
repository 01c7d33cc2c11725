import { pause } from '../application/pause.js'
import { LedgerError } from '../ledger/errors.js'
import type { EventStore } from '../ledger/event-store.js'

/**
 * Watches, once a service is to stop, whether its store still answers. What waits for a server that is away would wait for half a
 * minute, and whoever asked for the end kills the process before that.
 */
export class LastCall {
  constructor(
    private readonly store: EventStore,
    /** How long an append has had no answer; undefined where none is under way. */
    private readonly appendingForMs: () => number | undefined,
    private readonly patienceMs = 3_000,
  ) {}

  /** Resolves when the store has not answered for too long, with why those who wait for it get no answer; never after `over` aborts. */
  async silence(over: AbortSignal): Promise<LedgerError | undefined> {
    while (!over.aborted) {
      const answers = await this.answers(over)
      if (over.aborted) return undefined
      const waitsMs = this.appendingForMs() ?? 0
      if (waitsMs >= this.patienceMs) return uncertain(waitsMs)
      if (!answers) return silent(this.patienceMs)
      await pause(this.patienceMs / 10, over)
    }
    return undefined
  }

  /** Whether it says anything in time: an error is an answer too. */
  private async answers(over: AbortSignal): Promise<boolean> {
    const late = new AbortController()
    const enough = AbortSignal.any([over, late.signal])
    const heard = this.store.head().then(
      () => true,
      () => true,
    )
    // What came in while the thread was busy with something long is heard first.
    const unheard = pause(this.patienceMs, enough).then(() => new Promise(setImmediate))
    const answered = await Promise.race([heard, unheard.then(() => false)])
    late.abort()
    return answered
  }
}

const uncertain = (ms: number): LedgerError =>
  new LedgerError(
    'APPEND_UNCERTAIN',
    `the service was to stop, and the store had not answered an append for ${Math.round(ms / 1000)} s: it may or may not have been kept`,
    { retry: 'after-restart', hint: 'Nobody was answered. The next start finds out what was kept.', exitCode: 3 },
  )

const silent = (ms: number): LedgerError =>
  new LedgerError(
    'STORE_UNREACHABLE',
    `the service was to stop, and the store had answered nothing for ${Math.round(ms / 1000)} s; whoever waited for it was not answered`,
    { retry: 'after-restart', hint: 'Look whether the server of the log runs, then start again.', exitCode: 3 },
  )
