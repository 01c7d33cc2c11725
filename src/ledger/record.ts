import { hash } from 'node:crypto'
import { canonicalJson } from './canonical.js'
import { LedgerError } from './errors.js'

/** SHA-256(0x00 ‖ record), RFC 6962 section 2.1, as 64 lower-case hex digits. */
export type Leaf = string

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject

/** A JSON object whose numbers are safe integers; amounts are decimal strings. */
export interface JsonObject {
  readonly [name: string]: JsonValue
}

/** What made a record: a request, an operator's command, the ledger itself, or one message of a topic. */
export type Cause = { readonly kind: 'http' } | { readonly kind: 'cli' } | { readonly kind: 'system' } | KafkaCause

/** The message that a record answers. */
export interface KafkaCause {
  readonly kind: 'kafka'
  readonly topic: string
  readonly partition: number
  /** A decimal string: offsets pass 2^53. */
  readonly offset: string
  /** Where the broker shows it. */
  readonly leaderEpoch?: number
  /** First 16 bytes of a SHA-256 over the message as it is stored, in hex: a topic that was made anew has another one. */
  readonly digest: string
  /** The message came in a transaction. It may be an aborted one that the client let through: charged, never left out. */
  readonly transactional?: true
}

export interface RecordHeader {
  /** RFC 3339 in UTC with three decimals of a second; never earlier than that of the record before. */
  readonly at: string
  /** Who asked: `service:trainer`, `operator:…`, `system`. */
  readonly by: string
  readonly cause: Cause
  /** Goes up with every recovery. */
  readonly epoch: number
  /** Leaf of the record before; 64 zeros in the first. */
  readonly prev: Leaf
  /** Gap free within an epoch, from 0 in the first. */
  readonly seq: number
  readonly type: string
  /** Version of the type's data. */
  readonly v: number
}

export interface LedgerRecord extends RecordHeader {
  readonly data: JsonObject
}

/** What a decision adds to the ledger. `data` must be plain JSON as {@link canonicalJson} takes it; it is checked then. */
export interface EventBody {
  readonly type: string
  readonly v: number
  readonly data: object
}

/** `prev` of the first record. */
export const GENESIS_PREV: Leaf = '0'.repeat(64)

/** An entry of a C2SP tile has a length of two bytes. */
export const MOST_RECORD_BYTES = 65_535

/**
 * The canonical text of a record; its UTF-8 bytes are what is stored and hashed.
 * Throws `RECORD_TOO_LARGE` beyond 65,535 bytes, `VALUE_NOT_CANONICAL` and `RECORD_INVALID` for what could not be read back.
 */
export const encodeRecord = (record: RecordHeader & { readonly data: object }): string => {
  const problem = problemInContent(record)
  if (problem !== undefined) {
    throw new LedgerError('RECORD_INVALID', `record ${record.seq} (${record.type}) was not written: ${problem}`, {
      retry: 'never',
    })
  }
  const text = textOf(record)
  if (text.length * 3 > MOST_RECORD_BYTES) checkSize(record, Buffer.byteLength(text))
  return text
}

/**
 * Reads a record and checks that these are its canonical bytes, so that one record has one form and one hash: another
 * order of names, a name given twice, `__proto__`, an unknown field, white space, or bad UTF-8 is `RECORD_NOT_CANONICAL`; what is no
 * record at all is `RECORD_UNREADABLE`.
 *
 * `trusted` leaves the comparison out: for bytes whose hash is already known to be right, as at the writer's start.
 */
export const decodeRecord = (bytes: Uint8Array, trust: 'checked' | 'trusted' = 'checked'): LedgerRecord => {
  if (bytes.length > MOST_RECORD_BYTES) throw unreadable(`they are ${bytes.length}; at most ${MOST_RECORD_BYTES} fit`)
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  const record = parse(text)
  const problem = problemOf(record)
  if (problem !== undefined) throw unreadable(problem)
  if (trust === 'checked' && !isCanonical(record, text, bytes)) {
    throw new LedgerError(
      'RECORD_NOT_CANONICAL',
      `the bytes of record ${record.seq} are not its canonical form (RFC 8785)`,
      {
        retry: 'never',
        exitCode: 20,
      },
    )
  }
  return record
}

/** The RFC 6962 leaf hash of a record, given as its bytes or as its well-formed text. */
export const leafHash = (record: string | Uint8Array): Leaf => {
  if (typeof record === 'string') return hash('sha256', `\0${record}`, 'hex')
  const prefixed = Buffer.allocUnsafe(record.length + 1)
  prefixed[0] = 0
  prefixed.set(record, 1)
  return hash('sha256', prefixed, 'hex')
}

const textOf = (record: RecordHeader & { readonly data: object }): string =>
  `{"at":"${record.at}","by":${canonicalJson(record.by)},"cause":${canonicalJson(record.cause)},"data":${canonicalJson(record.data)}` +
  `,"epoch":${record.epoch},"prev":"${record.prev}","seq":${record.seq},"type":"${record.type}","v":${record.v}}`

const checkSize = (record: RecordHeader, bytes: number): void => {
  if (bytes <= MOST_RECORD_BYTES) return
  throw new LedgerError(
    'RECORD_TOO_LARGE',
    `record ${record.seq} (${record.type}) would have ${bytes} bytes; at most ${MOST_RECORD_BYTES} fit`,
    { retry: 'never', hint: 'Name fewer or shorter things in one request.' },
  )
}

const parse = (text: string): LedgerRecord => {
  try {
    return JSON.parse(text) as LedgerRecord
  } catch (error) {
    throw unreadable((error as Error).message)
  }
}

/** The first field that a record cannot have. */
const problemOf = (record: Fields): string | undefined => {
  if (!isObject(record)) return 'it is no JSON object'
  if (typeof record.prev !== 'string' || !leafForm.test(record.prev)) return '"prev" is no leaf'
  if (!isCount(record.epoch)) return '"epoch" is no whole number'
  if (!isCount(record.seq)) return '"seq" is no whole number'
  return problemInContent(record)
}

/** The same of what a decision brings along; the rest is the ledger's own. */
const problemInContent = (record: Fields): string | undefined => {
  if (typeof record.at !== 'string' || !instant.test(record.at)) return '"at" is no instant in UTC with milliseconds'
  if (typeof record.by !== 'string' || record.by === '') return '"by" names nobody'
  if (!isObject(record.cause) || typeof (record.cause as Cause).kind !== 'string') return '"cause" has no kind'
  if (!isObject(record.data)) return '"data" is no object'
  if (typeof record.type !== 'string' || !typeForm.test(record.type)) return '"type" is no name'
  if (!isCount(record.v) || record.v === 0) return '"v" is no version'
  return undefined
}

type Fields = Partial<Record<keyof LedgerRecord, unknown>>

const instant = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/
const leafForm = /^[0-9a-f]{64}$/
const typeForm = /^[A-Za-z][A-Za-z0-9]*$/

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** A byte that is no UTF-8 is read as U+FFFD, which the text alone would not show. */
const isCanonical = (record: LedgerRecord, text: string, bytes: Uint8Array): boolean => {
  try {
    if (textOf(record) !== text) return false
  } catch {
    return false
  }
  return !text.includes('\ufffd') || Buffer.from(text).equals(bytes)
}

const unreadable = (why: string): LedgerError =>
  new LedgerError('RECORD_UNREADABLE', `these bytes are no record: ${why}`, { retry: 'never', exitCode: 20 })
