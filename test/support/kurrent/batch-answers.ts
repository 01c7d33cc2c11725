import codePb from '@eventstore/db-client/generated/code_pb.js'
import sharedPb from '@eventstore/db-client/generated/shared_pb.js'
import type { Status } from '@eventstore/db-client/generated/status_pb.js'
import statusPb from '@eventstore/db-client/generated/status_pb.js'
import type { BatchAppendResp } from '@eventstore/db-client/generated/streams_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import anyPb from 'google-protobuf/google/protobuf/any_pb.js'
import emptyPb from 'google-protobuf/google/protobuf/empty_pb.js'
import type { Outcome } from './event-file.js'
import type { Expected } from './streams.js'
import { streamIdentifier } from './wire.js'

/** What an append came to. */
export const answerOf = (stream: string, expected: Expected, outcome: Outcome): BatchAppendResp => {
  if (outcome.is === 'deleted') return refusal(stream, deleted(stream))
  if (outcome.is === 'wrong-version') return refusal(stream, wrongVersion(expected, outcome.last))
  const success = new streamsPb.BatchAppendResp.Success()
  if (outcome.last < 0) success.setNoStream(new emptyPb.Empty())
  else success.setCurrentRevision(String(outcome.last))
  const position = String(outcome.position)
  success.setPosition(new sharedPb.AllStreamPosition().setCommitPosition(position).setPreparePosition(position))
  return new streamsPb.BatchAppendResp().setSuccess(success).setStreamIdentifier(streamIdentifier(stream))
}

export const refusal = (stream: string, error: Status): BatchAppendResp =>
  new streamsPb.BatchAppendResp().setError(error).setStreamIdentifier(streamIdentifier(stream))

const CODES = {
  BadRequest: codePb.Code.INVALID_ARGUMENT,
  MaximumAppendSizeExceeded: codePb.Code.INVALID_ARGUMENT,
  Timeout: codePb.Code.DEADLINE_EXCEEDED,
  StreamDeleted: codePb.Code.NOT_FOUND,
  WrongExpectedVersion: codePb.Code.ALREADY_EXISTS,
} as const

export const failure = (name: keyof typeof CODES, value: Uint8Array = new Uint8Array()): Status => {
  const details = new anyPb.Any()
  details.setTypeUrl(`type.googleapis.com/event_store.client.${name}`)
  details.setValue(value)
  return new statusPb.Status().setCode(CODES[name]).setMessage(name).setDetails(details)
}

export const badRequest = (error: unknown): Status =>
  failure('BadRequest', new sharedPb.BadRequest().setMessage((error as Error).message).serializeBinary())

export const tooLarge = (limit: number): Status =>
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
export const serverNotReady = (): Status => {
  const details = new anyPb.Any()
  details.setTypeUrl('type.googleapis.com/google.protobuf.Empty')
  return new statusPb.Status().setMessage('Server Is Not Ready').setDetails(details)
}
