import { answerOf } from '../budget/answer.js'
import type { Prior } from '../budget/context.js'
import { eventOf } from '../budget/event-of.js'
import type { BudgetEvent, SpendPart } from '../budget/events.js'
import { firstUnitOf } from '../budget/names.js'
import { refusalDocument, refusalOf } from '../budget/refusal.js'
import type { Registry } from '../budget/registry.js'
import type { JsonObject, Leaf, LedgerRecord } from '../ledger/record.js'
import type { OutgoingMessage } from './wire-message.js'

export const DECISION_TYPE = 'epsilon.decision.v1'

/** One record with what it takes to say it as a decision. */
export interface DecisionRecord {
  readonly record: LedgerRecord
  readonly leaf: Leaf
  /** The parts before it that carry its units. */
  readonly parts: readonly SpendPart[]
  /** The record that opened the reservation which this one closes, or was to close: it knows the units. */
  readonly opened?: Pick<Prior, 'event' | 'parts'>
}

/** How a decision is sent: every decision up to record `head` had been acknowledged by the topic before. */
export interface Sending {
  readonly head: number
  /** The same request was answered before; this is the same decision once more. */
  readonly repeat?: boolean
}

/**
 * The decision that a record is, as a CloudEvent in binary mode: data is the answer over HTTP, whose request it was, and
 * what made the record. The same record always gives the same id and the same data.
 *
 * Key is the first unit of the request, so that decisions about one unit stay in order; the request's id where the record
 * names no unit (nobody could read one, or more than 100 were refused).
 *
 * @returns undefined for records that answer no request.
 */
export const decisionMessage = (
  decision: DecisionRecord,
  registry: Registry,
  { head, repeat = false }: Sending,
): OutgoingMessage | undefined => {
  const { record } = decision
  const event = eventOf(record)
  const answer = httpAnswer(event, decision, registry)
  if (answer === undefined) return undefined
  const { source, id } = event.data as { readonly source: string; readonly id: string }
  const data = { ...answer, spend: { source, id }, cause: record.cause as JsonObject }
  return {
    key: Buffer.from(unitOf(event, decision) ?? id),
    value: Buffer.from(JSON.stringify(data)),
    headers: {
      ce_specversion: '1.0',
      ce_id: decisionId(record),
      ce_source: decisionSource(registry.ledger),
      ce_type: DECISION_TYPE,
      ce_subject: id,
      ce_time: record.at,
      'content-type': 'application/json',
      head: String(head),
      ...(repeat ? { epsilon_repeat: 'true' } : {}),
    },
  }
}

/** `ce_id` of a decision. */
export const decisionId = ({ epoch, seq }: Pick<LedgerRecord, 'epoch' | 'seq'>): string => `${epoch}-${seq}`

/** `ce_source` of the decisions of a ledger. */
export const decisionSource = (ledger: string): string => `/ledgers/${ledger}`

const httpAnswer = (
  event: BudgetEvent,
  { record, leaf, parts }: DecisionRecord,
  registry: Registry,
): JsonObject | undefined => {
  const receipt = { ledger: registry.ledger, epoch: record.epoch, seq: record.seq, leaf }
  const facts = answerOf(event, parts, receipt, registry)
  const refused = refusalOf(event)
  return refused !== undefined && facts !== undefined ? refusalDocument(refused, facts) : facts
}

const unitOf = (event: BudgetEvent, { parts, opened }: DecisionRecord): string | undefined => {
  return opened === undefined ? firstUnit(event, parts) : firstUnit(opened.event, opened.parts)
}

const firstUnit = ({ data }: BudgetEvent, parts: readonly SpendPart[]): string | undefined =>
  firstUnitOf('spend' in data ? data.spend : data) ?? parts.find((part) => part.units.length > 0)?.units[0]
