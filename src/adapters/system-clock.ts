import { Clock } from '../ledger/clock.js'

/** The clocks of this machine. */
export class SystemClock extends Clock {
  override wall(): number {
    return Date.now()
  }

  override monotonic(): number {
    return performance.now()
  }
}
