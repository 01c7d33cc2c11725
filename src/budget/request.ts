import { createHash } from 'node:crypto'
import { AccountingError } from '../accounting/errors.js'
import { Fields } from '../accounting/fields.js'
import { parseRational, rationalText } from '../accounting/rational.js'
import { BODY_FIELDS, parseRelease, type Release } from '../accounting/release.js'
import { RELATIONS, type Relation } from '../accounting/units.js'
import { canonicalJson } from '../ledger/canonical.js'
import type { JsonObject, JsonValue } from '../ledger/record.js'
import type { Attributes, SpendRequest } from './commands.js'
import { nameFrom } from './names.js'

/** A request that was read, but whose costs are not computed yet. */
export interface ParsedRequest extends Omit<SpendRequest, 'costs'> {
  readonly release: Release
  /** Only for a reservation. */
  readonly expiresInSeconds: number
}

/** Which route a request came by: the same id means another command on another route. */
export type RequestKind = 'spend' | 'report' | 'reserve' | 'estimate'

const MOST_UNITS = 20_000
const MOST_SPEND_BYTES = 16 * 1024
/** A reservation lasts at most 30 days. */
const LONGEST_SECONDS = 30n * 86_400n

/**
 * Reads what a caller sent: attributes, a body, and what travels with it. Every field is checked, and unknown ones
 * are refused, so that a misspelt `delta` never becomes a default.
 *
 * @param source from the token, never from the body.
 * @throws AccountingError with the JSON pointer of what is wrong.
 */
export const parseRequest = (kind: RequestKind, wire: unknown, source: string): ParsedRequest => {
  const fields = new Fields(wire, '')
  const id = kind === 'estimate' ? '' : nameFrom(fields.take('id'), '/id')
  const attributes = { ...attributesFrom(fields), source }
  const onExhausted = exhaustedFrom(fields, kind)
  const neighboring = relationFrom(fields)
  const expiresInSeconds = kind === 'reserve' ? Number(fields.integer('expiresInSeconds', 1n, LONGEST_SECONDS)) : 0
  const travelling = { ...noiseFrom(fields), ...clippingFrom(fields) }
  const body = bodyFrom(fields)
  fields.end()
  const release = parseRelease(body, neighboring)
  const { id: _, ...sent } = wire as JsonObject
  const spend = withTextNumbers(sent)
  limitSize(spend)
  const meaning = {
    ...attributes,
    kind,
    neighboring,
    onExhausted,
    release: release.key,
    expiresInSeconds,
    ...travelling,
  }
  return { id, attributes, onExhausted, neighboring, spend, hash: hashOf(meaning), release, expiresInSeconds }
}

/** The release in a recorded or sent spend, without its attributes: what its cost is derived from. */
export const releaseOf = (spend: JsonObject): Release => {
  const neighboring = (spend['neighboring'] ?? 'add_or_remove_one') as Relation
  return parseRelease(
    Object.fromEntries(Object.entries(spend).filter(([name]) => BODY_FIELDS.includes(name))),
    neighboring,
  )
}

/** SHA-256 in hex of a normalised command. */
export const hashOf = (meaning: JsonObject): string => createHash('sha256').update(canonicalJson(meaning)).digest('hex')

const attributesFrom = (fields: Fields): Omit<Attributes, 'source'> => {
  const optional = (name: 'dataset' | 'analyst' | 'purpose') =>
    fields.has(name) ? { [name]: nameFrom(fields.take(name), `/${name}`) } : {}
  return { units: unitsFrom(fields), ...optional('dataset'), ...optional('analyst'), ...optional('purpose') }
}

const unitsFrom = (fields: Fields): readonly string[] => {
  if (fields.has('unit')) {
    if (fields.has('units')) throw new AccountingError('INVALID', 'give unit or units, not both', '/units')
    return [nameFrom(fields.take('unit'), '/unit')]
  }
  if (!fields.has('units')) return []
  const units = fields.list('units').map((unit, index) => nameFrom(unit, `/units/${index}`))
  if (units.length === 0) throw new AccountingError('INVALID', 'must name at least one unit', '/units')
  if (units.length > MOST_UNITS) {
    throw new AccountingError('OUT_OF_RANGE', `at most ${MOST_UNITS} units, and these are ${units.length}`, '/units')
  }
  if (new Set(units).size < units.length) {
    const twice = units.findIndex((unit, index) => units.indexOf(unit) < index)
    throw new AccountingError('INVALID', 'names a unit twice', `/units/${twice}`)
  }
  return units
}

const exhaustedFrom = (fields: Fields, kind: RequestKind): 'refuse' | 'drop' => {
  if (!fields.has('onExhausted')) return 'refuse'
  const value = fields.text('onExhausted')
  if (value !== 'refuse' && value !== 'drop')
    throw new AccountingError('INVALID', 'must be refuse or drop', '/onExhausted')
  if (kind === 'report' && value === 'drop') {
    throw new AccountingError('INVALID', 'a report has happened already: no unit can be left out of it', '/onExhausted')
  }
  return value
}

const relationFrom = (fields: Fields): Relation => {
  if (!fields.has('neighboring')) return 'add_or_remove_one'
  const value = fields.text('neighboring') as Relation
  if (!RELATIONS.includes(value))
    throw new AccountingError('INVALID', `must be one of ${RELATIONS.join(', ')}`, '/neighboring')
  return value
}

/** Which part of which noise stream was used: a commitment, never a seed. Counters are integers below 2^64. */
const noiseFrom = (fields: Fields): { readonly noise?: JsonObject } => {
  if (!fields.has('noise')) return {}
  const noise = new Fields(fields.take('noise'), '/noise')
  const stream = nameFrom(noise.take('stream'), '/noise/stream')
  const from = noise.integer('from', 0n, 2n ** 64n - 1n)
  const to = noise.integer('to', from, 2n ** 64n - 1n)
  noise.end()
  return { noise: { stream, from: String(from), to: String(to) } }
}

const MOST_STATISTICS = 32

/** Statistics of clipping: names with non-negative numbers. Kept with the spend; they change no cost. */
const clippingFrom = (fields: Fields): { readonly clipping?: JsonObject } => {
  if (!fields.has('clipping')) return {}
  const value = fields.take('clipping')
  if (
    typeof value !== 'object' ||
    value === null ||
    Array.isArray(value) ||
    Object.keys(value).length > MOST_STATISTICS
  ) {
    throw new AccountingError('INVALID', `must be an object with at most ${MOST_STATISTICS} numbers`, '/clipping')
  }
  const entries = Object.entries(value).map(([name, number]): [string, string] => {
    const pointer = `/clipping/${name.slice(0, 40)}`
    return [nameFrom(name, pointer), rationalText(parseRational(number, pointer))]
  })
  return { clipping: Object.fromEntries(entries) }
}

const bodyFrom = (fields: Fields): JsonObject =>
  Object.fromEntries(
    BODY_FIELDS.filter((name) => fields.has(name)).map((name) => [name, fields.take(name) as JsonValue]),
  )

/** What a record keeps: the request as it came, but its numbers as decimal strings, since a log holds no floats. */
export const withTextNumbers = (wire: JsonObject): JsonObject => textNumbers(wire) as JsonObject

const textNumbers = (value: unknown): JsonValue => {
  if (typeof value === 'number') return String(value)
  if (Array.isArray(value)) return value.map(textNumbers)
  if (typeof value !== 'object' || value === null) return value as JsonValue
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, textNumbers(inner)]))
}

const limitSize = (spend: JsonObject): void => {
  if (mostBytesOf(spend, 'units') + NO_UNITS.length <= MOST_SPEND_BYTES) return
  limitBody({ ...spend, units: [] }, 'a spend without its units')
}

/** @throws AccountingError OUT_OF_RANGE for JSON that is longer than a spend may be. */
export const limitBody = (body: unknown, what: string): void => {
  const bytes = Buffer.byteLength(JSON.stringify(body) ?? '')
  if (bytes <= MOST_SPEND_BYTES) return
  throw new AccountingError(
    'OUT_OF_RANGE',
    `${what} has at most ${MOST_SPEND_BYTES} bytes, and this has ${bytes}; use fewer parts, or shorter numbers`,
  )
}

const NO_UNITS = '"units":[],'

/**
 * At least the bytes of a value's JSON: a character takes at most six, and what stands around a string three. Nearly every
 * spend is small enough by this count, which writes and copies nothing.
 */
const mostBytes = (value: JsonValue): number => {
  if (typeof value === 'string') return 6 * value.length + 3
  if (typeof value !== 'object' || value === null) return String(value).length + 1
  return Array.isArray(value)
    ? value.reduce<number>((bytes, inner) => bytes + mostBytes(inner), 3)
    : mostBytesOf(value as JsonObject)
}

const mostBytesOf = (members: JsonObject, except?: string): number => {
  let bytes = 3
  for (const name in members) if (name !== except) bytes += mostBytes(name) + mostBytes(members[name] ?? null)
  return bytes
}
