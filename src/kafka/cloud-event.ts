import { MOST_BODY_BYTES, readJson } from '../application/json-text.js'
import { nameProblem } from '../budget/names.js'
import {
  binaryEvent,
  type CarriedEvent,
  type Flaw,
  headerText,
  isObject,
  quoted,
  structuredEvent,
  type Text,
  tooLarge,
  Wrong,
} from './carried-event.js'
import { headerValues, type ReceivedMessage } from './wire-message.js'

/** Who sent an event, and what it is. `id`, `source` and `type` are names as the ledger takes them. */
export interface Envelope {
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject?: string
  /** RFC 3339, as it came. */
  readonly time?: string
}

/** CloudEvents 1.0; extension attributes are passed over. */
export interface CloudEvent extends Envelope {
  readonly data: unknown
}

/** Why a message is no event of anybody. The codes are stable. */
export const UNREADABLE = {
  NOT_CLOUD_EVENT: 'no CloudEvents content type, no header ce_specversion, and no JSON object with specversion',
  UNSUPPORTED_FORMAT: 'a CloudEvents content type other than application/cloudevents+json, such as that of a batch',
  UNSUPPORTED_SPECVERSION: 'a version of CloudEvents other than 1.0',
  MALFORMED: 'the value of a structured event is no JSON object',
  TOO_LARGE: 'the value of a structured event has more than 4 MiB',
  ATTRIBUTE_MISSING: 'no specversion, type, source or id',
  ATTRIBUTE_INVALID: 'one of these comes twice, or is no name of 1 to 256 bytes of UTF-8 without control characters',
} as const

export type UnreadableReason = keyof typeof UNREADABLE

export interface Unreadable {
  readonly kind: 'unreadable'
  readonly reason: UnreadableReason
  readonly detail: string
  /** What could be read all the same. */
  readonly known: Partial<Envelope>
}

export type EventReading =
  | { readonly kind: 'event'; readonly event: CloudEvent }
  /** It is clear who asks for what, but not with which data. */
  | { readonly kind: 'flawed'; readonly envelope: Envelope; readonly flaw: Flaw }
  | Unreadable

/**
 * Reads a message as a CloudEvent: structured mode (content type `application/cloudevents+json`, or none and a JSON
 * object that has `specversion`) or binary mode (headers `ce_…`, data in the value). Never throws.
 *
 * CloudEvents 1.0.2, Kafka protocol binding section 3, JSON event format section 3. Narrower than they are: `id`,
 * `source` and `type` are names of the ledger, and data is JSON, like a body over HTTP.
 */
export const readCloudEvent = (message: ReceivedMessage): EventReading => {
  const type = headerText(message, 'content-type')
  if (type instanceof Wrong) return unreadable('ATTRIBUTE_INVALID', `the header content-type ${type.problem}`)
  if (type !== undefined && STRUCTURED_JSON.test(type)) return structured(message)
  if (type !== undefined && STRUCTURED.test(type)) {
    return unreadable('UNSUPPORTED_FORMAT', `events come as application/cloudevents+json, not as ${quoted(type)}`)
  }
  if (headerValues(message, 'ce_specversion').length > 0) return eventOf(binaryEvent(message, type))
  return type === undefined ? untyped(message) : notAnEvent()
}

const STRUCTURED = /^application\/cloudevents/i
const STRUCTURED_JSON = /^application\/cloudevents\+json(?:\s*;.*)?$/i

const structured = ({ value }: ReceivedMessage): EventReading => {
  if (value === null) return unreadable('MALFORMED', 'the message has no value')
  if (value.length > MOST_BODY_BYTES) return unreadable('TOO_LARGE', tooLarge(value))
  const read = readJson(value)
  if ('problem' in read) return unreadable('MALFORMED', `the value ${read.problem}`)
  return isObject(read.value)
    ? eventOf(structuredEvent(read.value))
    : unreadable('MALFORMED', 'the value is no JSON object')
}

/** Without a content type, `specversion` tells an event from anything else. */
const untyped = ({ value }: ReceivedMessage): EventReading => {
  if (value === null) return notAnEvent()
  if (value.length > MOST_BODY_BYTES) return unreadable('TOO_LARGE', tooLarge(value))
  const read = readJson(value)
  const isEvent = 'value' in read && isObject(read.value) && Object.hasOwn(read.value, 'specversion')
  return isEvent ? eventOf(structuredEvent(read.value)) : notAnEvent()
}

const eventOf = (carried: CarriedEvent): EventReading => {
  const required = REQUIRED.map((name) => [name, carried.attribute(name)] as const)
  const known: Partial<Envelope> = Object.fromEntries(
    required.filter(([name, text]) => name !== 'specversion' && problemOf(text) === undefined),
  )
  for (const [name, text] of required) {
    if (text === undefined) return unreadable('ATTRIBUTE_MISSING', `the event has no ${name}`, known)
    const problem = problemOf(text)
    if (problem !== undefined) return unreadable('ATTRIBUTE_INVALID', `${name} ${problem}`, known)
    if (name === 'specversion' && text !== '1.0') return otherVersion(String(text), known)
  }
  return contentOf(known as Envelope, carried)
}

const REQUIRED = ['specversion', 'type', 'source', 'id'] as const

const problemOf = (text: Text): string | undefined => {
  if (text instanceof Wrong) return text.problem
  return text === undefined ? 'is missing' : nameProblem(text)
}

const contentOf = (required: Envelope, carried: CarriedEvent): EventReading => {
  const subject = carried.attribute('subject')
  const time = carried.attribute('time')
  const envelope = { ...required, ...textual('subject', subject), ...textual('time', time) }
  if (subject instanceof Wrong || subject === '') {
    return flawed(envelope, { code: 'INVALID', detail: 'subject must be a text of at least one character' })
  }
  if (time instanceof Wrong || (time !== undefined && !INSTANT.test(time))) {
    return flawed(envelope, { code: 'INVALID', detail: 'time must be an instant of RFC 3339' })
  }
  const data = carried.data()
  return 'value' in data ? { kind: 'event', event: { ...envelope, data: data.value } } : flawed(envelope, data)
}

const INSTANT =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/i

const textual = (name: 'subject' | 'time', text: Text): Partial<Envelope> =>
  typeof text === 'string' ? { [name]: text } : {}

const flawed = (envelope: Envelope, flaw: Flaw): EventReading => ({ kind: 'flawed', envelope, flaw })

const unreadable = (reason: UnreadableReason, detail: string, known: Partial<Envelope> = {}): Unreadable => ({
  kind: 'unreadable',
  reason,
  detail,
  known,
})

const notAnEvent = (): Unreadable => unreadable('NOT_CLOUD_EVENT', UNREADABLE.NOT_CLOUD_EVENT)

const otherVersion = (version: string, known: Partial<Envelope>): Unreadable =>
  unreadable('UNSUPPORTED_SPECVERSION', `specversion must be 1.0, and is ${quoted(version)}`, known)
