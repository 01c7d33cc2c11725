import { randomUUID } from 'node:crypto'
import { on, once } from 'node:events'
import sharedPb from '@eventstore/db-client/generated/shared_pb.js'
import type { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { type ServerWritableStream, type ServiceError, status } from '@grpc/grpc-js'
import type { Double } from './double.js'
import type { EventFile } from './event-file.js'
import { callError, notReady, streamDeleted, streamIdentifier, streamName } from './wire.js'

type Call = ServerWritableStream<ReadReq, ReadResp>

/** What of a stream is wanted. */
interface Request {
  readonly stream: string
  readonly from: number | 'start' | 'end'
  readonly backwards: boolean
  /** Undefined for a subscription. */
  readonly count: number | undefined
}

/** One call for reads and subscriptions of a stream. */
export const read =
  ({ file, conduct }: Double) =>
  async (call: Call): Promise<void> => {
    const cancelled = new AbortController()
    call.on('cancelled', () => cancelled.abort())
    call.on('error', () => cancelled.abort())
    try {
      await conduct.admission
      const { leader } = conduct
      if (conduct.refuses) throw notReady()
      if (leader !== undefined && call.metadata.get('requires-leader')[0] === 'true') throw notLeader(leader)
      const request = requestOf(call.request)
      const write = async (response: ReadResp) => {
        if (!call.write(response)) await once(call, 'drain', { signal: cancelled.signal })
        cancelled.signal.throwIfAborted()
      }
      if (request.count === undefined) await subscribe(file, request, write, cancelled.signal)
      else await readPart(file, request, request.count, write)
      call.end()
    } catch (error) {
      if (!cancelled.signal.aborted) call.emit('error', error)
    }
  }

type Write = (response: ReadResp) => Promise<void>

const readPart = async (file: EventFile, { stream, from, backwards }: Request, count: number, write: Write) => {
  const readable = file.streams.readable(stream, Date.now())
  if (readable === 'deleted') throw streamDeleted(stream)
  if (count === 0 || (from === 'end' && !backwards))
    throw callError(status.UNKNOWN, 'Unexpected ReadStreamResult: Error')
  if (readable === 'missing') return write(notFound(stream))
  const { first, last } = readable
  const start = from === 'start' ? 0 : from === 'end' ? last : from
  let left = count
  if (backwards)
    for (let at = Math.min(start, last); at >= first && left > 0; at--, left--) await write(event(file, stream, at))
  else
    for (let at = Math.max(start, first); at <= file.streams.last(stream) && left > 0; at++, left--)
      await write(event(file, stream, at))
}

/** Goes on until the client leaves. On a stream that does not exist it has caught up only after the first event. */
const subscribe = async (file: EventFile, { stream, from }: Request, write: Write, signal: AbortSignal) => {
  const changes = on(file.changes, stream, { signal })
  if (file.streams.readable(stream, Date.now()) === 'deleted') throw streamDeleted(stream)
  let next = from === 'start' ? 0 : from === 'end' ? file.streams.last(stream) + 1 : from + 1
  await write(confirmation())
  let caughtUp = from === 'end'
  if (caughtUp) await write(caughtUpNow())
  do {
    const readable = file.streams.readable(stream, Date.now())
    if (readable === 'deleted') throw streamDeleted(stream)
    if (readable === 'missing') continue
    for (next = Math.max(next, readable.first); next <= file.streams.last(stream); next++)
      await write(event(file, stream, next))
    if (!caughtUp) await write(caughtUpNow())
    caughtUp = true
  } while (!(await changes.next()).done)
}

const requestOf = (request: ReadReq): Request => {
  const options = request.getOptions()
  const stream = options?.getStream()
  if (options === undefined || stream === undefined || options.hasFilter())
    throw callError(status.UNIMPLEMENTED, 'the double reads single streams only')
  return {
    stream: streamName(stream.getStreamIdentifier()),
    from: stream.hasStart() ? 'start' : stream.hasEnd() ? 'end' : Number(stream.getRevision()),
    backwards: options.getReadDirection() === streamsPb.ReadReq.Options.ReadDirection.BACKWARDS,
    count: options.hasSubscription() ? undefined : Number(options.getCount()),
  }
}

const event = (file: EventFile, stream: string, revision: number): ReadResp => {
  const stored = file.streams.event(stream, revision)
  const { metadata, data } = file.content(stored)
  const position = String(stored.position)
  const recorded = new streamsPb.ReadResp.ReadEvent.RecordedEvent()
    .setId(new sharedPb.UUID().setString(stored.id))
    .setStreamIdentifier(streamIdentifier(stream))
    .setStreamRevision(String(revision))
    .setPreparePosition(position)
    .setCommitPosition(position)
    .setCustomMetadata(metadata)
    .setData(data)
  recorded
    .getMetadataMap()
    .set('type', stored.type)
    .set('created', String(BigInt(stored.at) * TICKS_OF_A_MILLISECOND))
    .set('content-type', stored.contentType)
  const event = new streamsPb.ReadResp.ReadEvent().setEvent(recorded).setCommitPosition(position)
  return new streamsPb.ReadResp().setEvent(event)
}

/** The server counts time in ticks of 100 ns. */
const TICKS_OF_A_MILLISECOND = 10_000n

const notFound = (stream: string): ReadResp => {
  const missing = new streamsPb.ReadResp.StreamNotFound().setStreamIdentifier(streamIdentifier(stream))
  return new streamsPb.ReadResp().setStreamNotFound(missing)
}

const confirmation = (): ReadResp =>
  new streamsPb.ReadResp().setConfirmation(
    new streamsPb.ReadResp.SubscriptionConfirmation().setSubscriptionId(randomUUID()),
  )

const caughtUpNow = (): ReadResp => new streamsPb.ReadResp().setCaughtUp(new streamsPb.ReadResp.CaughtUp())

const notLeader = ({ address, port }: { address: string; port: number }): Partial<ServiceError> =>
  callError(status.NOT_FOUND, 'Leader info available', {
    exception: 'not-leader',
    'leader-endpoint-host': address,
    'leader-endpoint-port': String(port),
  })
