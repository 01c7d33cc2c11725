import type { BudgetEvent } from '../budget/events.js'
import { isDigest, isOffset, isPartition, isTopic, partitionText } from '../budget/topics.js'
import { canonicalJson } from '../ledger/canonical.js'
import type { Cause, KafkaCause } from '../ledger/record.js'
import { type Audit, fail, type RecordPlace } from './audit.js'

/**
 * What made a record is one of the known causes; a message is answered by one decision, in the order of its partition,
 * and all records of a decision name the same one.
 */
export const checkCause = (audit: Audit, event: BudgetEvent, place: RecordPlace): void => {
  const { cause } = place
  checkForm(cause, place)
  checkParts(audit, event, place)
  if (cause.kind !== 'kafka') return
  audit.tally.kafkaRecords++
  const next = audit.state.offset(cause.topic, cause.partition)?.next ?? 0n
  if (BigInt(cause.offset) < next) {
    fail(
      'OFFSET_REPEATED',
      place,
      `it answers message ${cause.offset} of ${partitionText(cause)}, but all before ${next} were handled already`,
    )
  }
}

/** A decision that one person or message asked for, and parts that came with another, do not belong together. */
const checkParts = (audit: Audit, { type, data }: BudgetEvent, place: RecordPlace): void => {
  const isPart = type === 'SpendPart'
  if (!isPart && !('parts' in data && data.parts !== undefined)) return
  const asked = `by ${place.by} through ${canonicalJson(place.cause)}`
  if (isPart && data.part === 0) audit.partsAsked = asked
  else if (audit.partsAsked !== asked)
    fail('CAUSE_INVALID', place, `it was asked for ${asked}, but the parts before it ${audit.partsAsked}`)
}

const MUST: Readonly<Record<Cause['kind'], readonly string[]>> = {
  http: ['kind'],
  cli: ['kind'],
  system: ['kind'],
  kafka: ['kind', 'topic', 'partition', 'offset', 'digest'],
}
const MAY: Partial<Record<Cause['kind'], readonly string[]>> = { kafka: ['leaderEpoch', 'transactional'] }

const checkForm = (cause: Cause, place: RecordPlace): void => {
  const must = Object.hasOwn(MUST, cause.kind) ? MUST[cause.kind] : undefined
  const known = [...(must ?? []), ...(MAY[cause.kind] ?? [])]
  const names = Object.keys(cause)
  const isWhole = must?.every((name) => names.includes(name)) === true && names.every((name) => known.includes(name))
  if (isWhole && (cause.kind !== 'kafka' || isMessage(cause))) return
  fail('CAUSE_INVALID', place, `${JSON.stringify(cause).slice(0, 300)} is no cause that this program knows`)
}

const isMessage = ({ topic, partition, offset, leaderEpoch = 0, digest, transactional = true }: KafkaCause): boolean =>
  isTopic(topic) &&
  isPartition(partition) &&
  isOffset(offset) &&
  Number.isSafeInteger(leaderEpoch) &&
  isDigest(digest) &&
  transactional === true
