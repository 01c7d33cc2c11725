import { pause } from './pause.js'

/** Looks at something on behalf of all who ask at about the same time: one look after the other, however many ask. */
export class SharedLook {
  private next: Promise<void> | undefined
  private last: Promise<void> = Promise.resolve()
  private begunAtMs = Number.NEGATIVE_INFINITY

  constructor(
    private readonly look: () => Promise<unknown>,
    /** From the beginning of one look to that of the next, at least. */
    private readonly everyMs: number,
  ) {}

  /** Resolves when a look that began after this call has ended, well or badly. */
  ask(): Promise<void> {
    this.next ??= this.nextLook()
    return this.next
  }

  private async nextLook(): Promise<void> {
    await this.last
    await pause(Math.max(0, this.begunAtMs + this.everyMs - performance.now()))
    // Whoever asks from now on may ask for what this look comes too early for.
    this.next = undefined
    this.begunAtMs = performance.now()
    this.last = this.look().then(
      () => undefined,
      () => undefined,
    )
    await this.last
  }
}
