import type { BatchAppendReq, BatchAppendResp } from '@eventstore/db-client/generated/streams_pb.js'
import type { ServerDuplexStream } from '@grpc/grpc-js'
import { ArrivingAppends } from './arriving-appends.js'
import { answerOf, refusal, serverNotReady } from './batch-answers.js'
import type { Double } from './double.js'

type Call = ServerDuplexStream<BatchAppendReq, BatchAppendResp>

/** All appends of a client, on one call that stays open. Each is answered when it is done; errors are in the answers. */
export const batchAppend =
  (double: Double) =>
  (call: Call): void => {
    const arriving = new ArrivingAppends(double.maxAppendBytes)
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
      const answer = await answerTo(double, arriving, request)
      if (answer !== undefined) await deliver(double, call, answer.setCorrelationId(request.getCorrelationId()))
      unanswered--
      finish()
    })
  }

/** Undefined while parts of the append are missing. */
const answerTo = async (
  { file, conduct }: Double,
  arriving: ArrivingAppends,
  request: BatchAppendReq,
): Promise<BatchAppendResp | undefined> => {
  const arrived = arriving.take(request)
  if (arrived === undefined) return undefined
  const { stream, expected, events, refused } = arrived
  if (refused !== undefined) return refusal(stream, refused)
  // Nothing is waited for without need: appends are judged in the order in which they came.
  if (conduct.admission !== undefined) await conduct.admission
  if (conduct.refuses) return refusal(stream, serverNotReady())
  return answerOf(stream, expected, await file.append(stream, expected, events))
}

const deliver = async ({ conduct, cut }: Double, call: Call, answer: BatchAppendResp): Promise<void> => {
  const delivery = await conduct.delivery()
  if (delivery === 'cut') cut(call.getPeer())
  if (delivery === 'answer' && !call.cancelled) call.write(answer)
}
