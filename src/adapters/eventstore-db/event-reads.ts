import type { Readable } from 'node:stream'
import type { EventStoreDBClient, ReadStreamOptions, RecordedEvent, ResolvedEvent } from '@eventstore/db-client'
import { BACKWARDS, END, FORWARDS, START } from '@eventstore/db-client'
import { within } from './patience.js'

/** Events that a read found, in its order; `whole` where the stream has no more in this direction. */
export interface Page {
  readonly events: readonly RecordedEvent[]
  readonly whole: boolean
}

/** Events forwards, from a revision on: at most `mostEvents`, and none after `mostBytes` bytes. */
export const readForwards = (
  client: EventStoreDBClient,
  stream: string,
  from: number,
  { mostEvents, mostBytes, answerMs }: { mostEvents: number; mostBytes: number; answerMs: number },
): Promise<Page> => {
  const fromRevision = from === 0 ? START : BigInt(from)
  return readPage(client, stream, { direction: FORWARDS, fromRevision, maxCount: mostEvents }, mostBytes, answerMs)
}

/** The last event; undefined where a stream is there and has none that may be seen. */
export const readLast = async (
  client: EventStoreDBClient,
  stream: string,
  answerMs: number,
): Promise<RecordedEvent | undefined> => {
  const { events } = await readPage(
    client,
    stream,
    { direction: BACKWARDS, fromRevision: END, maxCount: 1 },
    Number.POSITIVE_INFINITY,
    answerMs,
  )
  return events[0]
}

/**
 * The whole page is taken into memory before anybody sees it: a server allows 100 calls at a time on a connection, and hangs on
 * the next, so no call stays open while somebody thinks about what was read.
 */
const readPage = async (
  client: EventStoreDBClient,
  stream: string,
  options: ReadStreamOptions & { readonly maxCount: number },
  mostBytes: number,
  answerMs: number,
): Promise<Page> => {
  const reading = client.readStream(stream, { ...options, requiresLeader: true })
  // What fails after it was left concerns nobody, and must not end the process.
  reading.on('error', () => {})
  // In the same turn as the call: the client tells an error once, to those who listen by then.
  const results: AsyncIterator<ResolvedEvent> = reading[Symbol.asyncIterator]()
  const events: RecordedEvent[] = []
  let bytes = 0
  let over = false
  try {
    while (bytes < mostBytes) {
      const next = await within(answerMs, results.next())
      if (next.done === true) {
        over = true
        break
      }
      const { event } = next.value
      if (event === undefined) continue
      events.push(event)
      if (event.data instanceof Uint8Array) bytes += event.data.length
    }
    return { events, whole: over && events.length < options.maxCount }
  } finally {
    if (!over) await leave(reading, () => reading.cancel())
  }
}

/** Ends a call that may still be open: now, or, where it is only about to begin, then. */
export const leave = async (call: Readable, cancel: () => Promise<void>): Promise<void> => {
  call.destroy()
  await within(LEAVING_MS, cancel()).catch(() => {})
}

const LEAVING_MS = 1_000
