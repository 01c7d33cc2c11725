import { setTimeout as sleep } from 'node:timers/promises'

/** Between attempts: the first ones come quickly, for most connections break once and are there again. */
export class Pauses {
  nextMs = FIRST_MS

  /** Ends early when the signal aborts. */
  async next(signal: AbortSignal): Promise<void> {
    await sleep(this.nextMs, undefined, { signal }).catch(() => undefined)
    this.nextMs = Math.min(this.nextMs * 2, LONGEST_MS)
  }
}

const FIRST_MS = 5
const LONGEST_MS = 500
