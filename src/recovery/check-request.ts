import type { SpendAccepted, SpendPart, SpendRefused } from '../budget/events.js'
import { digestOf } from '../budget/parts.js'
import { type Audit, fail, type RecordPlace } from './audit.js'
import type { RecordedRequest } from './recorded-request.js'

/** Reads a recorded request, and checks that it is one that was not answered before, from the source that it charges for. */
export const checkRequest = (
  audit: Audit,
  kind: 'spend' | 'report' | 'reserve',
  data: SpendAccepted | SpendRefused,
  place: RecordPlace,
): RecordedRequest => {
  if ('unitCount' in data.spend && !('failing' in data))
    fail('EVENT_MALFORMED', place, 'it charges units that it only counts')
  const request = audit.requests.read(kind, data, partsOf(audit, data, place))
  audit.tally.requests++
  checkIdentity(audit, data, request, place)
  return request
}

/** The units of a request that comes later, from the source that it charges for, or from an operator who charges it. */
export const checkPart = (data: SpendPart, place: RecordPlace): void => {
  if (place.by !== `emitter:${data.source}` && !place.by.startsWith('operator:')) {
    fail(
      'SOURCE_MISMATCH',
      place,
      `it is a part for source ${JSON.stringify(data.source)}, but was asked by ${JSON.stringify(place.by)}`,
    )
  }
}

/** The parts that come before a record and belong to it, as many and with the digest that it says. */
const partsOf = (audit: Audit, data: SpendAccepted | SpendRefused, place: RecordPlace): readonly SpendPart[] => {
  const pending = audit.state.pending
  if (!('parts' in data) || data.parts === undefined) return []
  const { count, units, digest } = data.parts
  const own = pending.every(({ source, id }) => source === data.source && id === data.id)
  const named = pending.reduce((sum, part) => sum + part.units.length, 0)
  if (!own || pending.length !== count || named !== units || count === 0) {
    fail(
      'PARTS_MISMATCH',
      place,
      `it wants ${count} parts with ${units} units, and ${own ? pending.length : 0} with ${own ? named : 0} come before it`,
    )
  }
  const found = digestOf(pending)
  if (found !== digest) fail('PARTS_MISMATCH', place, `its parts have digest ${found}, and it says ${digest}`)
  return pending
}

/** Who asked, under which id, and that the hash is that of this very request. */
const checkIdentity = (
  audit: Audit,
  data: SpendAccepted | SpendRefused,
  request: RecordedRequest,
  place: RecordPlace,
): void => {
  const { state, tally } = audit
  // An operator charges in the name of the source whose message nobody could read.
  const isForMessage = 'quarantined' in data && data.quarantined !== undefined
  if (!isForMessage && place.by !== `emitter:${data.source}`) {
    fail(
      'SOURCE_MISMATCH',
      place,
      `it charges for source ${JSON.stringify(data.source)}, but was asked by ${JSON.stringify(place.by)}`,
    )
  }
  const [before] = state.candidates('request', data.source, data.id)
  if (before !== undefined) {
    fail(
      'REQUEST_REPEATED',
      place,
      `id ${JSON.stringify(data.id)} of source ${JSON.stringify(data.source)} was answered by record ${before} already`,
    )
  }
  if (!request.hashable) tally.hashesOutOfReach++
  else {
    tally.hashesRecomputed++
    if (request.parsed.hash !== data.hash) {
      fail('REQUEST_HASH_MISMATCH', place, `its request hashes to ${request.parsed.hash}, and it says ${data.hash}`)
    }
  }
}
