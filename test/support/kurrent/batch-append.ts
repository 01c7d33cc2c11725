import codePb from '@eventstore/db-client/generated/code_pb.js'
import sharedPb from '@eventstore/db-client/generated/shared_pb.js'
import type { Status } from '@eventstore/db-client/generated/status_pb.js'
import statusPb from '@eventstore/db-client/generated/status_pb.js'
import type { AppendReq, BatchAppendReq, BatchAppendResp } from '@eventstore/db-client/generated/streams_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import type { ServerDuplexStream } from '@grpc/grpc-js'
import anyPb from 'google-protobuf/google/protobuf/any_pb.js'
import emptyPb from 'google-protobuf/google/protobuf/empty_pb.js'
import type { Double } from './double.js'
import type { Outcome } from './event-file.js'
import type { ProposedEvent } from './events.js'
import type { Expected } from './streams.js'
import { expectedOf, streamIdentifier, streamName, uuid } from './wire.js'

type Call = ServerDuplexStream<BatchAppendReq, BatchAppendResp>

/** An append whose parts are still arriving. */
interface Append {
  readonly stream: string
  readonly expected: Expected
  readonly events: ProposedEvent[]
  bytes: number
}

/** All appends of a client, on one call that stays open. Each is answered when it is done; errors are in the answers. */
export const batchAppend =
  (double: Double) =>
  (call: Call): void => {
    const appends = new Map<string, Append>()
    let unanswered = 0
    let ended = false
    const finish = () => ended && unanswered === 0 && call.end()
    call.on('error', () => undefined)
    call.on('end', () => {
      ended = true
      finish()
    })
    call.on('data', async (request: BatchAppendReq) => {
      unanswered++
      const answer = await answerTo(double, appends, request)
      if (answer !== undefined) await deliver(double, call, request, answer)
      unanswered--
      finish()
    })
  }

/** Undefined while parts of the append are missing. */
const answerTo = async (
  { file, conduct, maxAppendBytes }: Double,
  appends: Map<string, Append>,
  request: BatchAppendReq,
): Promise<BatchAppendResp | undefined> => {
  const id = request.getCorrelationId()?.getString() ?? ''
  const options = request.getOptions()
  const named = streamName(options?.getStreamIdentifier())
  if (options !== undefined) {
    const deadline = options.getDeadline()?.toDate()
    if (deadline !== undefined && deadline.getTime() <= Date.now()) return refused(named, failure('Timeout'))
    const expected = expectedOf(options, options.getStreamPosition())
    appends.set(id, { stream: named, expected, events: [], bytes: 0 })
  }
  const append = appends.get(id)
  if (append === undefined) return undefined
  const { stream, expected, events } = append
  try {
    for (const message of request.getProposedMessagesList()) {
      const event = proposedEvent(message)
      events.push(event)
      append.bytes += event.data.length
    }
  } catch (error) {
    appends.delete(id)
    return refused(stream, badRequest(error))
  }
  if (append.bytes > maxAppendBytes) {
    appends.delete(id)
    return refused(stream, tooLarge(maxAppendBytes))
  }
  if (!request.getIsFinal()) return undefined
  appends.delete(id)
  if (conduct.admission !== undefined) await conduct.admission
  if (conduct.refuses) return refused(stream, serverNotReady())
  return outcomeResponse(stream, expected, await file.append(stream, expected, events))
}

const deliver = async (
  { conduct, cut }: Double,
  call: Call,
  request: BatchAppendReq,
  answer: BatchAppendResp,
): Promise<void> => {
  const delivery = await conduct.delivery()
  if (delivery === 'cut') cut(call.getPeer())
  if (delivery === 'answer' && !call.cancelled) call.write(answer.setCorrelationId(request.getCorrelationId()))
}

export const proposedEvent = (message: BatchAppendReq.ProposedMessage | AppendReq.ProposedMessage): ProposedEvent => ({
  id: uuid(message.getId()),
  type: message.getMetadataMap().get('type') ?? '',
  contentType: message.getMetadataMap().get('content-type') ?? '',
  metadata: message.getCustomMetadata_asU8(),
  data: message.getData_asU8(),
})

const outcomeResponse = (stream: string, expected: Expected, outcome: Outcome): BatchAppendResp => {
  if (outcome.is === 'deleted') return refused(stream, deleted(stream))
  if (outcome.is === 'wrong-version') return refused(stream, wrongVersion(expected, outcome.last))
  const success = new streamsPb.BatchAppendResp.Success()
  if (outcome.last < 0) success.setNoStream(new emptyPb.Empty())
  else success.setCurrentRevision(String(outcome.last))
  const position = String(outcome.position)
  success.setPosition(new sharedPb.AllStreamPosition().setCommitPosition(position).setPreparePosition(position))
  return new streamsPb.BatchAppendResp().setSuccess(success).setStreamIdentifier(streamIdentifier(stream))
}

const refused = (stream: string, error: Status): BatchAppendResp =>
  new streamsPb.BatchAppendResp().setError(error).setStreamIdentifier(streamIdentifier(stream))

const CODES = {
  BadRequest: codePb.Code.INVALID_ARGUMENT,
  MaximumAppendSizeExceeded: codePb.Code.INVALID_ARGUMENT,
  Timeout: codePb.Code.DEADLINE_EXCEEDED,
  StreamDeleted: codePb.Code.NOT_FOUND,
  WrongExpectedVersion: codePb.Code.ALREADY_EXISTS,
} as const

const failure = (name: keyof typeof CODES, value: Uint8Array = new Uint8Array()): Status => {
  const details = new anyPb.Any()
  details.setTypeUrl(`type.googleapis.com/event_store.client.${name}`)
  details.setValue(value)
  return new statusPb.Status().setCode(CODES[name]).setMessage(name).setDetails(details)
}

const badRequest = (error: unknown): Status =>
  failure('BadRequest', new sharedPb.BadRequest().setMessage((error as Error).message).serializeBinary())

const tooLarge = (limit: number): Status =>
  failure(
    'MaximumAppendSizeExceeded',
    new sharedPb.MaximumAppendSizeExceeded().setMaxappendsize(limit).serializeBinary(),
  )

const deleted = (stream: string): Status =>
  failure('StreamDeleted', new sharedPb.StreamDeleted().setStreamIdentifier(streamIdentifier(stream)).serializeBinary())

const wrongVersion = (expected: Expected, last: number): Status => {
  const none = new emptyPb.Empty()
  const value = new sharedPb.WrongExpectedVersion()
  if (last < 0) value.setCurrentNoStream(none)
  else value.setCurrentStreamRevision(String(last))
  if (expected === 'any') value.setExpectedAny(none)
  else if (expected === 'stream_exists') value.setExpectedStreamExists(none)
  else if (expected === 'no_stream') value.setExpectedNoStream(none)
  else value.setExpectedStreamPosition(String(expected))
  return failure('WrongExpectedVersion', value.serializeBinary())
}

/** What a server says that is still starting; the client does not know it. */
const serverNotReady = (): Status => {
  const details = new anyPb.Any()
  details.setTypeUrl('type.googleapis.com/google.protobuf.Empty')
  return new statusPb.Status().setMessage('Server Is Not Ready').setDetails(details)
}
