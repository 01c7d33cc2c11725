import type { AppendReq, AppendResp } from '@eventstore/db-client/generated/streams_pb.js'
import streamsPb from '@eventstore/db-client/generated/streams_pb.js'
import { type ServerReadableStream, type sendUnaryData, status } from '@grpc/grpc-js'
import type { Double } from './double.js'
import type { ProposedEvent } from './events.js'
import type { Expected } from './streams.js'
import { callError, empty, expectedOf, notReady, proposedEvent, streamDeleted, streamName } from './wire.js'

/** The append that the client uses where the call has credentials of its own. */
export const append =
  ({ file, conduct, maxAppendBytes, cut }: Double) =>
  async (call: ServerReadableStream<AppendReq, AppendResp>, answer: sendUnaryData<AppendResp>): Promise<void> => {
    let options: AppendReq.Options | undefined
    const events: ProposedEvent[] = []
    try {
      for await (const request of call as AsyncIterable<AppendReq>) {
        options ??= request.getOptions()
        const message = request.getProposedMessage()
        if (message !== undefined) events.push(proposedEvent(message))
      }
      await conduct.admission
      if (conduct.refuses) throw notReady()
      if (options === undefined) throw callError(status.INVALID_ARGUMENT, 'options are missing')
      const bytes = events.reduce((sum, { data }) => sum + data.length, 0)
      if (bytes > maxAppendBytes) throw tooLarge(maxAppendBytes)
      const stream = streamName(options.getStreamIdentifier())
      const expected = expectedOf(options, options.getRevision())
      const outcome = await file.append(stream, expected, events)
      if (outcome.is === 'deleted') throw streamDeleted(stream)
      const delivery = await conduct.delivery()
      if (delivery === 'cut') cut(call.getPeer())
      if (delivery !== 'answer') return
      answer(null, outcome.is === 'done' ? success(outcome) : wrongVersion(expected, outcome.last))
    } catch (error) {
      answer(error as Error)
    }
  }

const success = ({ last, position }: { last: number; position: number }): AppendResp => {
  const at = new streamsPb.AppendResp.Position()
    .setCommitPosition(String(position))
    .setPreparePosition(String(position))
  const success = new streamsPb.AppendResp.Success().setPosition(at)
  if (last < 0) success.setNoStream(empty())
  else success.setCurrentRevision(String(last))
  return new streamsPb.AppendResp().setSuccess(success)
}

/** Everything is said twice, for clients of server 20.6 too. */
const wrongVersion = (expected: Expected, last: number): AppendResp => {
  const wrong = new streamsPb.AppendResp.WrongExpectedVersion()
  if (last < 0) wrong.setNoStream2060(empty()).setCurrentNoStream(empty())
  else wrong.setCurrentRevision2060(last).setCurrentRevision(String(last))
  if (expected === 'any') wrong.setAny2060(empty()).setExpectedAny(empty())
  else if (expected === 'stream_exists') wrong.setStreamExists2060(empty()).setExpectedStreamExists(empty())
  else if (expected === 'no_stream') wrong.setExpectedNoStream(empty())
  else wrong.setExpectedRevision2060(Number(expected)).setExpectedRevision(String(expected))
  return new streamsPb.AppendResp().setWrongExpectedVersion(wrong)
}

const tooLarge = (limit: number) =>
  callError(status.INVALID_ARGUMENT, `Maximum Append Size of ${limit} Exceeded.`, {
    exception: 'maximum-append-size-exceeded',
    'maximum-append-size': String(limit),
  })
