import { setTimeout as sleep } from 'node:timers/promises'

/** What the double is told to do badly. Of itself it does everything well. */
export interface Faults {
  /** The next so many appends are done and kept, and their connection is cut instead of an answer. */
  readonly cut: number
  /** The next so many appends are done and kept, and never answered, while the connection stays. */
  readonly mute: number
  /** All that arrives waits, undone, until this ends. */
  readonly hold: boolean
  /** "Server Is Not Ready" is the answer to everything, as while a server starts. */
  readonly refuse: boolean
  /** Each answer to an append comes so many milliseconds late, in the same order. */
  readonly delayMs: number
  /** Reads that must go to the leader are sent to this one. */
  readonly leader: { readonly address: string; readonly port: number } | undefined
}

export const NO_FAULTS: Faults = { cut: 0, mute: 0, hold: false, refuse: false, delayMs: 0, leader: undefined }

/** How an answer goes out. */
export type Delivery = 'answer' | 'cut' | 'mute'

/** The faults that are left to do. */
export class Conduct {
  private now = NO_FAULTS
  private released: () => void = () => undefined
  private holding: Promise<void> | undefined

  /** Forgets what it was told before. */
  follow(faults: Faults): void {
    this.now = faults
    if (faults.hold) {
      this.holding ??= new Promise((resolve) => {
        this.released = resolve
      })
      return
    }
    this.released()
    this.holding = undefined
  }

  get refuses(): boolean {
    return this.now.refuse
  }

  get leader(): Faults['leader'] {
    return this.now.leader
  }

  /** Resolves when a request may be looked at; undefined where that is now. */
  get admission(): Promise<void> | undefined {
    return this.holding
  }

  /** Says of one append that is done what becomes of its answer, when it is time for it. */
  async delivery(): Promise<Delivery> {
    const { cut, mute, delayMs } = this.now
    if (cut > 0) this.now = { ...this.now, cut: cut - 1 }
    else if (mute > 0) this.now = { ...this.now, mute: mute - 1 }
    if (delayMs > 0) await sleep(delayMs)
    return cut > 0 ? 'cut' : mute > 0 ? 'mute' : 'answer'
  }
}
