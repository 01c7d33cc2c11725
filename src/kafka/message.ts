import type { Ingest } from '../application/ingest.js'
import { firstUnitOf, nameProblem } from '../budget/names.js'
import { invalidRequest, REQUEST_PROBLEMS, type RequestProblemCode } from '../budget/problems.js'
import type { JsonObject, KafkaCause } from '../ledger/record.js'
import { isObject, type Members } from './carried-event.js'
import { type CloudEvent, type Envelope, readCloudEvent } from './cloud-event.js'
import { quarantined } from './quarantined-message.js'
import type { ReceivedMessage } from './wire-message.js'

/** What events ask for, by their type. */
export const REQUESTS = {
  'epsilon.spend.v1': 'spend',
  'epsilon.reserve.v1': 'reserve',
  'epsilon.settle.v1': 'settle',
  'epsilon.release.v1': 'release',
  'epsilon.report.v1': 'report',
} as const

export type EventRequest = (typeof REQUESTS)[keyof typeof REQUESTS]

/**
 * What a message asks of the ledger: one of the requests, as over HTTP; a decision `invalid`, where it asks for permission
 * but for nothing that can be decided; or the quarantine, where a spend may have happened that nobody can account.
 * Every message is exactly one of these. Never throws.
 *
 * The body of a request is read where that of HTTP is read, by the ledger.
 *
 * @param sources who may spend this way; undefined: everybody that the topic lets write.
 */
export const ingestOf = (message: ReceivedMessage, cause: KafkaCause, sources?: ReadonlySet<string>): Ingest => {
  const reading = readCloudEvent(message)
  if (reading.kind === 'unreadable') return quarantined(message, cause, reading.reason, reading.detail, reading.known)
  const envelope = reading.kind === 'event' ? reading.event : reading.envelope
  const request = requestOf(envelope)
  if (request === undefined) return quarantined(message, cause, 'UNKNOWN_TYPE', UNKNOWN_TYPE, envelope)
  const id = reading.kind === 'event' ? idOf(request, reading.event) : envelope.id
  const data = reading.kind === 'event' ? reading.event.data : undefined
  const asked = { message, cause, request, envelope, id, data }
  if (sources !== undefined && !sources.has(envelope.source)) return refused(asked, forbidden(envelope.source))
  return reading.kind === 'event' ? asking(asked) : refused(asked, reading.flaw)
}

const UNKNOWN_TYPE = `the type must be one of ${Object.keys(REQUESTS).join(', ')}`

/** A message of which it is clear who asks for what. */
interface Asked {
  readonly message: ReceivedMessage
  readonly cause: KafkaCause
  readonly request: EventRequest
  readonly envelope: Envelope
  /** The request's; that of the reservation where one is closed. */
  readonly id: string
  /** Undefined where it cannot be read. */
  readonly data: unknown
}

interface Refusal {
  readonly code: RequestProblemCode
  readonly detail: string
  /** In the data. */
  readonly pointer?: string
}

const requestOf = ({ type }: Envelope): EventRequest | undefined =>
  Object.hasOwn(REQUESTS, type) ? REQUESTS[type as keyof typeof REQUESTS] : undefined

/** A reservation is closed once, whatever asks for it; the id of such an event names nothing but the message. */
const idOf = (request: EventRequest, { id, data }: CloudEvent): string => {
  if ((request !== 'settle' && request !== 'release') || !isObject(data)) return id
  return reservationProblem(data) === undefined ? (data['reservation'] as string) : id
}

const reservationProblem = (data: Members): string | undefined => {
  if (!Object.hasOwn(data, 'reservation')) return 'reservation is missing'
  const { reservation } = data
  return typeof reservation === 'string' ? nameProblem(reservation) : 'must be a string'
}

const asking = (asked: Asked): Ingest => {
  const { request, cause, id, data } = asked
  if (!isObject(data)) return refused(asked, { code: 'INVALID', detail: 'expected a JSON object', pointer: '' })
  const { source } = asked.envelope
  if (request === 'settle' || request === 'release') {
    const problem = reservationProblem(data)
    if (problem !== undefined) return refused(asked, { code: 'INVALID', detail: problem, pointer: '/reservation' })
    const { reservation: _, ...wire } = data as JsonObject
    return { request, source, id, wire, cause }
  }
  if (Object.hasOwn(data, 'id')) return refused(asked, ID_IN_DATA)
  return { request, source, wire: { ...(data as JsonObject), id }, cause }
}

const ID_IN_DATA: Refusal = {
  code: 'INVALID',
  detail: 'the id is that of the event: leave it out of the data',
  pointer: '/id',
}

const forbidden = (source: string): Refusal => ({
  code: 'FORBIDDEN',
  detail: `source ${JSON.stringify(source)} may not spend this way`,
})

/** Whoever asks for permission loses nothing by a no. What has happened must not be lost. */
const refused = (
  { message, cause, request, envelope, id, data }: Asked,
  { code, detail, pointer }: Refusal,
): Ingest => {
  if (request === 'report') return quarantined(message, cause, 'REPORT_INVALID', `${code}: ${detail}`, envelope)
  const [status] = REQUEST_PROBLEMS[code]
  const errors = pointer === undefined ? {} : { errors: [{ pointer, detail }] }
  const { source } = envelope
  return {
    request: 'invalid',
    invalid: invalidRequest(request, { source, id, unit: firstUnitOf(data) }, { status, code, detail, ...errors }),
    cause,
  }
}
