import { integerFrom } from '../accounting/fields.js'
import type { SpendAccepted, SpendPart, SpendRefused } from '../budget/events.js'
import { type ParsedRequest, parseRequest, type RequestKind } from '../budget/request.js'
import type { JsonObject } from '../ledger/record.js'

/** A request as its record tells it. */
export interface RecordedRequest {
  readonly parsed: ParsedRequest
  /** Every unit that was asked for; undefined where the record gives only their number. */
  readonly units: readonly string[] | undefined
  readonly dropped: readonly string[]
  /** Whether the units stand in their first order, so that the request's hash can be recomputed. */
  readonly hashable: boolean
}

/**
 * Reads a recorded request by the same grammar as the one that came in. With many units they stand in parts; a refusal
 * of many units keeps only their number.
 *
 * @throws AccountingError where it could never have been accepted as a request.
 */
export const readRecorded = (
  kind: Exclude<RequestKind, 'estimate'>,
  data: SpendAccepted | SpendRefused,
  parts: readonly SpendPart[],
): RecordedRequest => {
  const inParts = parts.flatMap((part) => part.units)
  const droppedInParts = parts.flatMap((part) => part.dropped)
  const { unitCount, ...spend } = data.spend
  const wire = { ...spend, id: data.id, ...(parts.length > 0 ? { units: [...inParts, ...droppedInParts] } : {}) }
  const parsed = parseRequest(kind, wire, data.source)
  const dropped = parts.length > 0 ? droppedInParts : 'dropped' in data ? (data.dropped ?? []) : []
  return {
    parsed,
    units: unitCount === undefined ? parsed.attributes.units : undefined,
    dropped,
    hashable: unitCount === undefined && droppedInParts.length === 0,
  }
}

const LAST_COUNTER = 2n ** 64n - 1n

/** The noise that a spend names. */
export const noiseOf = (spend: JsonObject) => {
  const noise = spend['noise'] as JsonObject | undefined
  if (noise === undefined) return undefined
  return {
    stream: noise['stream'] as string,
    from: integerFrom(noise['from'], 0n, LAST_COUNTER, '/noise/from'),
    to: integerFrom(noise['to'], 0n, LAST_COUNTER, '/noise/to'),
  }
}
