import type { EventFile } from './event-file.js'
import type { Conduct } from './faults.js'

/** What all calls of the double share. */
export interface Double {
  readonly file: EventFile
  readonly conduct: Conduct
  /** Of the data of one append. */
  readonly maxAppendBytes: number
  /** Ends the connection with this peer at once. */
  readonly cut: (peer: string) => void
}
