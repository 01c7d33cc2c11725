import type { TopicOffset } from '../budget/state.js'
import type { LostRange } from './lost-range.js'

/** What is done about one partition now. */
export type Standing =
  /** Its offsets are compared with what the ledger has applied. */
  | { readonly kind: 'checking' }
  | { readonly kind: 'running' }
  /** A message cannot be decided now; it is fetched again at `until`, in milliseconds of the monotonic clock. */
  | { readonly kind: 'waiting'; readonly until: number; readonly code: string; readonly detail: string }
  /** Nothing goes on until two people have decided where. */
  | { readonly kind: 'lost'; readonly loss: LostRange }

/**
 * One partition as this member of the group has it, from a join to the next. A batch that was fetched before a rebalance
 * holds the object of its time, and can change nothing of the one that took its place.
 */
export class OwnedPartition {
  standing: Standing = { kind: 'checking' }
  /** Offset of the next message to handle; messages below it are handled, or are none that anybody shows. */
  position: bigint
  /** Up to the last handled message, by whose digest the topic is known again; none before the first. */
  handled: TopicOffset | undefined
  /** That the topic's next message gets, when last seen. */
  high: bigint
  /** Since when the position is ahead of what the ledger has recorded, in milliseconds of the monotonic clock. */
  aheadSince: number | undefined

  constructor(
    readonly number: number,
    next: bigint,
    /** How often two people had agreed where it goes on, when this began. */
    readonly resets: number,
  ) {
    this.position = next
    this.high = next
  }

  /** Messages below `next` are handled; the digest is that of the last one, null where it cannot be read. */
  advance(next: bigint, digest: string | null): void {
    if (next <= this.position) return
    this.position = next
    if (digest !== null) this.handled = { next, digest }
  }
}
