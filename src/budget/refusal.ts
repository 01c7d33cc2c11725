import type { JsonObject } from '../ledger/record.js'
import type { BudgetEvent, SpendRefused } from './events.js'
import { type ProblemDocument, problemDocument, REQUEST_PROBLEMS } from './problems.js'

/** What a record says no to, and how much of it would have passed. */
export interface Refusal extends Pick<SpendRefused, 'source' | 'id' | 'failing' | 'failingCount' | 'largestCount'> {
  readonly code: SpendRefused['code'] | 'UNDECIDED'
}

/**
 * What a record refuses; undefined for one that refuses nothing. What was charged because its decision is lost refuses too,
 * whether there was room or not: the lost records may have permitted what is charged after it, and then there was none.
 */
export const refusalOf = (event: BudgetEvent): Refusal | undefined => {
  if (event.type === 'SpendRefused' || event.type === 'ReservationRefused') return event.data
  if (event.type !== 'SpendReported' || event.data.undecided === undefined) return undefined
  const { source, id, violations } = event.data
  return { source, id, code: 'UNDECIDED', failing: violations, failingCount: violations.length, largestCount: '0' }
}

/** A recorded refusal as callers see it: a problem document with the facts of the decision. */
export const refusalDocument = (refused: Refusal, facts: JsonObject): ProblemDocument => ({
  ...problemDocument(refused.code, REQUEST_PROBLEMS[refused.code], detailOf(refused)),
  ...facts,
})

const detailOf = ({ code, failing, failingCount, largestCount }: Refusal): string => {
  if (code === 'UNDECIDED') return UNDECIDED
  const [first] = failing
  const where = first === undefined ? '' : `, first policy ${first.policy} key ${JSON.stringify(first.key)}`
  return code === 'COST_INFINITE'
    ? `the release has no finite cost in ${numberOf(failingCount)}${where}`
    : `too little is left in ${numberOf(failingCount)}${where}; the largest count that fits is ${largestCount}`
}

const UNDECIDED =
  'an older copy of the ledger was restored, and the first decision of this request may be lost: it is charged in full, and this is no permit; an answer that came before holds, and a new release takes a new id'

const numberOf = (budgets: number): string => (budgets === 1 ? '1 budget' : `${budgets} budgets`)
