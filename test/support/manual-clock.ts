import { Clock } from '../../src/ledger/clock.js'

/** A clock that stands still until it is moved. */
export class ManualClock extends Clock {
  private wallMs = Date.UTC(2026, 0, 1)
  private monotonicMs = 1_000

  override wall(): number {
    return this.wallMs
  }

  override monotonic(): number {
    return this.monotonicMs
  }

  /** Time passes. */
  pass(ms: number): void {
    this.wallMs += ms
    this.monotonicMs += ms
  }

  /** Somebody sets the wall clock. */
  step(ms: number): void {
    this.wallMs += ms
  }
}
