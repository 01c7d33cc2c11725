import { pause } from '../application/pause.js'

/** Pauses between attempts, each twice as long as the one before: most of what fails is there again at once, or not for a while. */
export class Backoff {
  /** How long the next one is. */
  nextMs: number

  constructor(private readonly firstMs: number) {
    this.nextMs = firstMs
  }

  /** Ends early when `cancel` aborts. */
  async wait(cancel: AbortSignal): Promise<void> {
    const ms = this.nextMs
    this.nextMs = Math.min(ms * 2, LONGEST_MS)
    await pause(ms, cancel)
  }

  /** Something went well. */
  reset(): void {
    this.nextMs = this.firstMs
  }
}

const LONGEST_MS = 500
