import { setTimeout as sleep } from 'node:timers/promises'
import { type Position, samePosition } from '../ledger/block.js'
import { LedgerError } from '../ledger/errors.js'
import type { EventStore } from '../ledger/event-store.js'

/**
 * Looks again and again whether the place of a log is sound, and has what was read from it: what somebody else does to it shows to
 * nobody who does not append.
 */
export class PlaceWatch {
  #fault: LedgerError | undefined
  #away: LedgerError | undefined

  constructor(
    private readonly store: EventStore,
    /** Up to where the log was read or written here. */
    private readonly position: () => Position | undefined,
    private readonly everyMs = 30_000,
    private readonly silentMs = 5_000,
  ) {}

  /** What is wrong with it, as far as is known. */
  get fault(): LedgerError | undefined {
    return this.#fault
  }

  /** Why nobody can look at the moment. Whoever has something to append still waits for the store to come back. */
  get away(): LedgerError | undefined {
    return this.#away
  }

  /** Goes on until `signal` aborts; holds up no process that is done. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const pauseMs = this.#away === undefined ? this.everyMs : Math.min(this.everyMs, AGAIN_MS)
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined)
      if (!signal.aborted) await this.#look()
    }
  }

  /** While nobody answers, what is known of the place stays so. */
  async #look(): Promise<void> {
    const late = setTimeout(() => {
      this.#away = silent(this.silentMs)
    }, this.silentMs).unref()
    try {
      this.#fault = await this.#faultNow()
      this.#away = undefined
    } catch (error) {
      this.#away = error instanceof LedgerError ? error : silent(this.silentMs)
    } finally {
      clearTimeout(late)
    }
  }

  async #faultNow(): Promise<LedgerError | undefined> {
    const fault = await this.store.inspect()
    if (fault !== undefined) return fault
    const seen = this.position()
    const head = await this.store.head()
    // A head beyond it comes to whoever follows the log, and has to continue it.
    if (seen === undefined || (head !== undefined && head.seq > seen.seq) || samePosition(seen, head)) return undefined
    return wentBack(seen, head)
  }
}

/** Where a store was not reached, it is looked for more often than it is inspected. */
const AGAIN_MS = 1_000

const silent = (ms: number): LedgerError =>
  new LedgerError('STORE_UNREACHABLE', `the store has not answered for ${Math.round(ms / 1000)} s`, {
    retry: 'now',
    hint: 'Look at the server of the log, and at the way there.',
    exitCode: 3,
  })

const wentBack = (seen: Position, head: Position | undefined): LedgerError => {
  const ends = head === undefined ? 'the store has none' : `the store ends with record ${head.seq} (leaf ${head.leaf})`
  return new LedgerError(
    'STORE_WENT_BACK',
    `record ${seen.seq} (leaf ${seen.leaf}) was read from the store or written to it, but ${ends}`,
    {
      retry: 'after-restart',
      hint: 'An older copy took the place of the store. Bring the newest one back: docs/runbooks/log-went-back.md',
      exitCode: 21,
    },
  )
}
