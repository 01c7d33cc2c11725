import type { Readable } from 'node:stream'
import type { EventStoreDBClient, ReadStreamOptions, RecordedEvent, ResolvedEvent } from '@eventstore/db-client'
import { BACKWARDS, END, FORWARDS, START } from '@eventstore/db-client'
import { within } from './patience.js'

/** Events that a read found, in its order; `whole` where the stream has no more in this direction. */
export interface Page {
  readonly events: readonly RecordedEvent[]
  readonly whole: boolean
}

/** How calls are made. */
export interface Reading {
  /** Never the client that appends. */
  readonly reads: EventStoreDBClient
  readonly patience: { readonly answerMs: number }
  /** Aborts when nobody waits for answers any more. */
  readonly closing: AbortSignal
}

/** Events forwards, from a revision on: at most `mostEvents`, and none after `mostBytes` bytes. */
export const readForwards = (
  reading: Reading,
  stream: string,
  from: number,
  { mostEvents, mostBytes }: { readonly mostEvents: number; readonly mostBytes: number },
): Promise<Page> => {
  const fromRevision = from === 0 ? START : BigInt(from)
  return readPage(reading, stream, { direction: FORWARDS, fromRevision, maxCount: mostEvents }, mostBytes)
}

/** The last event; undefined where a stream is there and has none that may be seen. */
export const readLast = async (reading: Reading, stream: string): Promise<RecordedEvent | undefined> => {
  const options = { direction: BACKWARDS, fromRevision: END, maxCount: 1 } as const
  return (await readPage(reading, stream, options, Number.POSITIVE_INFINITY)).events[0]
}

/**
 * The whole page is taken into memory before anybody sees it: a server allows 100 calls at a time on a connection, and hangs on
 * the next, so no call stays open while somebody thinks about what was read.
 */
const readPage = async (
  { reads, patience, closing }: Reading,
  stream: string,
  options: ReadStreamOptions & { readonly maxCount: number },
  mostBytes: number,
): Promise<Page> => {
  const call = reads.readStream(stream, { ...options, requiresLeader: true })
  const results = resultsOf(call, closing)
  const events: RecordedEvent[] = []
  let bytes = 0
  try {
    while (bytes < mostBytes) {
      const next = await within(patience.answerMs, results.next())
      if (next.done === true) return { events, whole: events.length < options.maxCount }
      const { event } = next.value
      if (event === undefined) continue
      events.push(event)
      if (event.data instanceof Uint8Array) bytes += event.data.length
    }
    return { events, whole: false }
  } finally {
    await leave(call, () => call.cancel())
  }
}

/**
 * What a call answers, until `over` aborts. Has to be asked for in the same turn as the call is made, and the first result as well: the
 * client tells an error once, to those who listen by then. What fails after the call was left concerns nobody, and does not end the process.
 */
export const resultsOf = (call: Readable, over: AbortSignal): AsyncIterator<ResolvedEvent> => {
  const end = (): void => void call.destroy()
  call.on('error', () => {})
  call.once('close', () => over.removeEventListener('abort', end))
  over.addEventListener('abort', end)
  if (over.aborted) end()
  return call[Symbol.asyncIterator]()
}

/** Ends a call that may still be open: now, or, where it is only about to begin, then. */
export const leave = async (call: Readable, cancel: () => Promise<void>): Promise<void> => {
  if (call.destroyed && call.readableEnded) return
  call.destroy()
  await within(LEAVING_MS, cancel()).catch(() => {})
}

const LEAVING_MS = 1_000
