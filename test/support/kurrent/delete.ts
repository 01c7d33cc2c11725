import type { DeleteReq, DeleteResp, TombstoneReq, TombstoneResp } from '@eventstore/db-client/generated/streams_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import type { Double } from './double.js'
import type { Outcome } from './event-file.js'
import type { Expected } from './streams.js'
import { callError, expectedOf, notReady, streamDeleted, streamName } from './wire.js'

/** Deletes softly: the revisions go on with the next event. */
export const deleteStream =
  (double: Double) =>
  async (call: ServerUnaryCall<DeleteReq, DeleteResp>, answer: sendUnaryData<DeleteResp>): Promise<void> => {
    try {
      const position = await perform(double, call.request, 'Delete', (stream, expected) =>
        double.file.delete(stream, expected),
      )
      const at = new streamsPb.DeleteResp.Position().setCommitPosition(position).setPreparePosition(position)
      answer(null, new streamsPb.DeleteResp().setPosition(at))
    } catch (error) {
      answer(error as Error)
    }
  }

/** Deletes for good: nothing with this name can be read or appended again. */
export const tombstoneStream =
  (double: Double) =>
  async (call: ServerUnaryCall<TombstoneReq, TombstoneResp>, answer: sendUnaryData<TombstoneResp>): Promise<void> => {
    try {
      const position = await perform(double, call.request, 'Tombstone', (stream, expected) =>
        double.file.tombstone(stream, expected),
      )
      const at = new streamsPb.TombstoneResp.Position().setCommitPosition(position).setPreparePosition(position)
      answer(null, new streamsPb.TombstoneResp().setPosition(at))
    } catch (error) {
      answer(error as Error)
    }
  }

/** The position of the deletion; throws the error of the call. */
const perform = async (
  { conduct }: Double,
  request: DeleteReq | TombstoneReq,
  operation: string,
  act: (stream: string, expected: Expected) => Promise<Outcome>,
): Promise<string> => {
  await conduct.admission
  if (conduct.refuses) throw notReady()
  const options = request.getOptions()
  if (options === undefined) throw callError(status.INVALID_ARGUMENT, 'options are missing')
  const stream = streamName(options.getStreamIdentifier())
  const expected = expectedOf(options, options.getRevision())
  const outcome = await act(stream, expected)
  if (outcome.is === 'deleted') throw streamDeleted(stream)
  if (outcome.is === 'wrong-version') throw wrongVersion(operation, stream, expected, outcome.last)
  return String(outcome.position)
}

/** How trailers say the words. */
const NUMBERS = { no_stream: -1n, any: -2n, stream_exists: -4n } as const

const wrongVersion = (operation: string, stream: string, expected: Expected, last: number) => {
  const wanted = typeof expected === 'bigint' ? expected : NUMBERS[expected]
  const versions = `Expected version: ${wanted}, Actual version: ${last}`
  return callError(
    status.FAILED_PRECONDITION,
    `${operation} failed due to WrongExpectedVersion. Stream: ${stream}, ${versions}`,
    {
      exception: 'wrong-expected-version',
      'stream-name': stream,
      'expected-version': String(wanted),
      'actual-version': String(last),
    },
  )
}
