import { LedgerError } from './errors.js'

/** Time as a process sees it, in milliseconds. */
export abstract class Clock {
  /** Since 1970 in UTC; anybody may set it to anything. */
  abstract wall(): number

  /** From an arbitrary start; never steps. */
  abstract monotonic(): number
}

export interface ClockDoubt {
  readonly code: 'CLOCK_UNCERTAIN'
  readonly detail: string
}

/** Keeps `at` from going back, and notices a wall clock that cannot be trusted with windows. */
export class TimeKeeper {
  private lastMs: number
  private offsetMs: number
  /** How far behind the last record an operator has accepted the clock to be. */
  private acceptedLagMs = 0
  /** How far the wall clock was ahead of another one when the two were compared last, and how far an operator has accepted that. */
  private aheadMs = 0
  private acceptedAheadMs = 0

  /** `lastAt` is the `at` of the last record. */
  constructor(
    private readonly clock: Clock,
    lastAt?: string,
  ) {
    this.lastMs = lastAt === undefined ? Number.NEGATIVE_INFINITY : Date.parse(lastAt)
    this.offsetMs = clock.wall() - clock.monotonic()
  }

  /**
   * The `at` of the next record: what the clock says, or that of the last record where the clock lies behind it. A clock
   * that has stepped is not believed, so that a moment's glitch forward does not stay in the log for ever.
   */
  stamp(): string {
    this.lastMs = Math.max(this.trusted(), this.lastMs)
    return new Date(this.lastMs).toISOString()
  }

  /** The `at` that a record would get now. */
  peek(): string {
    return new Date(Math.max(this.trusted(), this.lastMs)).toISOString()
  }

  /** Milliseconds from an arbitrary start, for how long something takes; no step of the wall clock shows in it. */
  monotonic(): number {
    return this.clock.monotonic()
  }

  /** Takes note of a record that somebody else wrote. */
  follow(at: string): void {
    this.lastMs = Math.max(this.lastMs, Date.parse(at))
  }

  /** Compares the wall clock with one elsewhere, which said `otherMs` within the last `tookMs`; says nothing where that took long. */
  compare(otherMs: number, tookMs: number): void {
    if (tookMs > LONGEST_LOOK_MS) return
    this.aheadMs = Math.round(this.now() - tookMs / 2 - otherMs)
    if (Math.abs(this.aheadMs) <= TOLERANCE_MS) this.acceptedAheadMs = 0
  }

  /**
   * Whether the wall clock lies apart from one that it should agree with by more than 5 s: it has stepped away from the monotonic
   * one, lies behind the last record, or another clock says otherwise.
   */
  doubt(): ClockDoubt | undefined {
    const now = this.now()
    const stepMs = Math.round(now - this.clock.monotonic() - this.offsetMs)
    if (Math.abs(stepMs) > TOLERANCE_MS) {
      return doubt(
        `the wall clock stepped by ${stepMs} ms against the monotonic one; at most ${TOLERANCE_MS} ms are taken for granted`,
      )
    }
    const lagMs = this.lastMs - now
    if (lagMs <= TOLERANCE_MS) this.acceptedLagMs = 0
    if (lagMs > TOLERANCE_MS + this.acceptedLagMs) {
      return doubt(
        `the wall clock lies ${lagMs} ms behind the last record; at most ${TOLERANCE_MS} ms are taken for granted`,
      )
    }
    if (Math.abs(this.aheadMs - this.acceptedAheadMs) > TOLERANCE_MS) {
      const [apartMs, where] = this.aheadMs > 0 ? [this.aheadMs, 'ahead of'] : [-this.aheadMs, 'behind']
      return doubt(
        `the wall clock lies ${apartMs} ms ${where} that of the server which has the log; at most ${TOLERANCE_MS} ms are taken for granted`,
      )
    }
    return undefined
  }

  /** An operator says that the wall clock is right as it is now. */
  confirm(): void {
    const now = this.now()
    this.offsetMs = now - this.clock.monotonic()
    this.acceptedLagMs = Math.max(0, this.lastMs - now)
    this.acceptedAheadMs = this.aheadMs
  }

  /** The clock as far as it can be trusted: after a step the time goes on as if there had been none. */
  private trusted(): number {
    const now = this.now()
    const unstepped = Math.floor(this.offsetMs + this.clock.monotonic())
    return Math.abs(now - unstepped) > TOLERANCE_MS ? unstepped : now
  }

  private now(): number {
    const now = Math.floor(this.clock.wall())
    if (now >= FIRST_MS && now <= LAST_MS) return now
    throw new LedgerError(
      'CLOCK_UNREADABLE',
      `the wall clock says ${now} ms since 1970, which is no time between 1970 and 9999`,
      {
        retry: 'after-restart',
        hint: 'Set the clock of this machine.',
      },
    )
  }
}

const TOLERANCE_MS = 5_000
/** Half of it is the error of a comparison. */
const LONGEST_LOOK_MS = 1_000
const FIRST_MS = 0
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

const doubt = (detail: string): ClockDoubt => ({ code: 'CLOCK_UNCERTAIN', detail })
