import { JSON_TYPE, MOST_BODY_BYTES, readJson, readUtf8 } from '../application/json-text.js'
import type { BodyProblemCode } from '../budget/problems.js'
import { headerValues, type ReceivedMessage } from './wire-message.js'

/** An event as either mode of the Kafka protocol binding carries it, before anybody has looked at what it says. */
export interface CarriedEvent {
  readonly attribute: (name: string) => Text
  readonly data: () => Data
}

/** The text of an attribute, undefined where it is not there, or why it is no text. */
export type Text = string | Wrong | undefined

/** Goes after the attribute's name. */
export class Wrong {
  constructor(readonly problem: string) {}
}

export type Data = { readonly value: unknown } | Flaw

/** What is wrong with an event whose sender, id and type are known; the codes are those of HTTP. */
export interface Flaw {
  readonly code: BodyProblemCode | 'INVALID'
  readonly detail: string
}

/** Binary mode: attributes in headers `ce_…`, data in the value. `type` is the content type. */
export const binaryEvent = (message: ReceivedMessage, type: string | undefined): CarriedEvent => ({
  attribute: (name) => headerText(message, `ce_${name}`),
  data: () => {
    if (type !== undefined && !JSON_TYPE.test(type)) return otherType(type)
    return message.value === null ? NO_DATA : jsonData(message.value)
  },
})

/** Structured mode: attributes and data are members of one JSON object. */
export const structuredEvent = (members: Members): CarriedEvent => ({
  attribute: (name) => memberText(members, name),
  data: () => {
    const type = memberText(members, 'datacontenttype')
    if (type instanceof Wrong) return { code: 'INVALID', detail: `datacontenttype ${type.problem}` }
    if (type !== undefined && !JSON_TYPE.test(type)) return otherType(type)
    const encoded = memberText(members, 'data_base64')
    const plain = Object.hasOwn(members, 'data')
    if (encoded === undefined) return plain ? { value: members['data'] } : NO_DATA
    return plain ? { code: 'INVALID', detail: 'an event has data or data_base64, not both' } : decoded(encoded)
  },
})

export type Members = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A header without a value is the same as none. */
export const headerText = (message: ReceivedMessage, name: string): Text => {
  const values = headerValues(message, name)
  if (values.length > 1) return new Wrong(`is given ${values.length} times`)
  const [value = null] = values
  return value === null ? undefined : (readUtf8(value) ?? new Wrong('is not UTF-8'))
}

/** JSON null is the same as nothing. */
const memberText = (members: Members, name: string): Text => {
  const value = Object.hasOwn(members, name) ? members[name] : null
  if (value === null) return undefined
  return typeof value === 'string' ? value : new Wrong('must be a string')
}

const jsonData = (bytes: Buffer): Data => {
  if (bytes.length > MOST_BODY_BYTES) return { code: 'TOO_LARGE', detail: tooLarge(bytes) }
  const read = readJson(bytes)
  return 'value' in read ? read : { code: 'MALFORMED', detail: `the data ${read.problem}` }
}

/** Base64 with its padding and without white space: the one text that stands for these bytes. */
const decoded = (encoded: string | Wrong): Data => {
  const bytes = encoded instanceof Wrong ? undefined : Buffer.from(encoded, 'base64')
  const isExact = bytes !== undefined && bytes.toString('base64') === encoded
  return isExact ? jsonData(bytes) : { code: 'MALFORMED', detail: 'data_base64 is not Base64' }
}

export const tooLarge = (bytes: Buffer): string =>
  `at most ${MOST_BODY_BYTES} bytes are read, and these are ${bytes.length}`

/** What a sender wrote, short enough for a message. */
export const quoted = (text: string): string => JSON.stringify(text.slice(0, 60))

const NO_DATA: Flaw = { code: 'MALFORMED', detail: 'the event has no data' }

const otherType = (type: string): Flaw => ({
  code: 'UNSUPPORTED_MEDIA_TYPE',
  detail: `the data of an event is application/json, not ${quoted(type)}`,
})
