import type { MessageQuarantined, OffsetsRecorded, RequestInvalid } from '../budget/events.js'
import { firstUnitOf } from '../budget/names.js'
import { REQUEST_PROBLEMS, type RequestProblemCode } from '../budget/problems.js'
import { isDigest, isOffset, isPartition, isTopic, partitionText } from '../budget/topics.js'
import { type Audit, fail, type RecordPlace } from './audit.js'

const REQUESTS: readonly RequestInvalid['request'][] = ['spend', 'reserve', 'settle', 'release']

/** An invalid request has the answer that HTTP would have given for good. Why it was invalid is in no record. */
export const checkInvalid = (data: RequestInvalid, place: RecordPlace): void => {
  const { source, request, unit, status, code, detail, errors = [] } = data
  if (place.by !== `emitter:${source}`) {
    fail(
      'SOURCE_MISMATCH',
      place,
      `it answers source ${JSON.stringify(source)}, but was asked by ${JSON.stringify(place.by)}`,
    )
  }
  const known = Object.hasOwn(REQUEST_PROBLEMS, code) ? REQUEST_PROBLEMS[code as RequestProblemCode][0] : undefined
  // What cannot even be read is 422, whatever its code means in a decision.
  if (known === undefined || known >= 500 || (status !== known && status !== 422)) {
    fail('EVENT_MALFORMED', place, `it says ${status} ${code}; the code has status ${known ?? 'none'}`)
  }
  if (unit !== undefined && firstUnitOf(data) !== unit) fail('EVENT_MALFORMED', place, `its unit ${unit} is no name`)
  if (!REQUESTS.includes(request) || typeof detail !== 'string' || !Array.isArray(errors))
    fail('EVENT_MALFORMED', place, `it is about a ${request}, with detail ${detail}`)
}

export const checkQuarantined = (audit: Audit, data: MessageQuarantined, place: RecordPlace): void => {
  audit.tally.quarantined++
  const { reason, detail, bytes, key, source = '', id = '', ceType = '' } = data
  const isWhole = [reason, detail, key ?? '', source, id, ceType].every((text) => typeof text === 'string')
  if (!isWhole || !Number.isSafeInteger(bytes) || bytes < 0)
    fail('EVENT_MALFORMED', place, `it quarantines a message of ${bytes} bytes for ${reason}: ${detail}`)
}

/** Messages without a record are handled once, and in their order. */
export const checkOffsets = (audit: Audit, data: OffsetsRecorded, place: RecordPlace): void => {
  const { topic, partition, next, digest } = data
  if (!isTopic(topic) || !isPartition(partition) || !isOffset(next) || !(digest === null || isDigest(digest)))
    fail('EVENT_MALFORMED', place, `it records offset ${next} of ${partitionText(data)} with digest ${digest}`)
  const handled = audit.state.offset(topic, partition)?.next ?? 0n
  if (BigInt(next) <= handled) {
    fail(
      'OFFSET_REPEATED',
      place,
      `it says that ${partitionText(data)} is handled up to ${next}, but all before ${handled} were already`,
    )
  }
}
