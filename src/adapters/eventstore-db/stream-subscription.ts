import { START } from '@eventstore/db-client'
import type { Block } from '../../ledger/block.js'
import { LedgerError } from '../../ledger/errors.js'
import { Backoff } from '../backoff.js'
import { blockOf } from './block-event.js'
import { leave, resultsOf } from './event-reads.js'
import { FIRST_PAUSE_MS } from './patience.js'
import { answerIn, forbidden } from './server-answer.js'
import type { StreamPlace } from './stream-reader.js'
import { streamTombstoned, streamTruncated } from './stream-trouble.js'

/**
 * Every block from a number on, then each that is appended, until `over` aborts. A subscription of the server's ends for good with
 * any error: then another one goes on after the last block. Throws what does not pass: `STREAM_TOMBSTONED`, `STREAM_TRUNCATED`,
 * `STORE_REFUSED`, `STORE_UNREADABLE`.
 *
 * @param begin finds the first number.
 */
export async function* follow(
  place: StreamPlace,
  begin: () => Promise<number>,
  over: AbortSignal,
): AsyncGenerator<Block, void, undefined> {
  const backoff = new Backoff(FIRST_PAUSE_MS)
  let next: number | undefined
  while (!over.aborted) {
    try {
      next ??= await begin()
      // An abort that came meanwhile is told to nobody who listens from now on.
      if (over.aborted) return
      for await (const block of live(place, next, over)) {
        if (over.aborted) return
        yield block
        next = block.number + 1
        backoff.reset()
      }
    } catch (error) {
      requirePassing(place, error, over)
    }
    await backoff.wait(over)
  }
}

/** One subscription of the server's, until it fails or is over. */
async function* live(place: StreamPlace, from: number, over: AbortSignal): AsyncGenerator<Block, void, undefined> {
  const { reads, stream, shown } = place
  // From a revision means after it.
  const fromRevision = from === 0 ? START : BigInt(from - 1)
  const subscription = reads.subscribeToStream(stream, { fromRevision, requiresLeader: true })
  const results = resultsOf(subscription, over)
  try {
    for (let expected = from; ; expected++) {
      const result = await results.next()
      if (result.done === true || over.aborted) return
      const { event } = result.value
      if (event === undefined) continue
      const block = blockOf(event)
      if (block.number !== expected) {
        throw streamTruncated(shown, stream, `block ${expected} is gone, the next one is ${block.number}`)
      }
      yield block
    }
  } finally {
    await leave(subscription, () => subscription.unsubscribe())
  }
}

const requirePassing = ({ shown, stream }: StreamPlace, error: unknown, over: AbortSignal): void => {
  if (over.aborted) return
  const answer = answerIn(error)
  if (answer === 'deleted') throw streamTombstoned(shown, stream)
  if (answer === 'forbidden') throw forbidden(shown, stream, 'read')
  if (error instanceof LedgerError && error.code !== 'STORE_UNREACHABLE') throw error
}
