import type { JsonObject } from '../ledger/record.js'
import type { BudgetEvent, SpendRefused } from './events.js'
import { type ProblemDocument, problemDocument, REQUEST_PROBLEMS } from './problems.js'

/**
 * What a record refuses; undefined for one that refuses nothing. What was charged because its decision is lost, and is
 * beyond a cap, refuses too: whoever waits for a permit must not take the charge for one.
 */
export const refusalOf = (event: BudgetEvent): SpendRefused | undefined => {
  if (event.type === 'SpendRefused' || event.type === 'ReservationRefused') return event.data
  if (event.type !== 'SpendReported' || event.data.undecided === undefined) return undefined
  const { source, id, hash, spend, violations } = event.data
  if (violations.length === 0) return undefined
  const refused = { failing: violations, failingCount: violations.length, largestCount: '0' }
  return { source, id, hash, spend, code: 'BUDGET_EXHAUSTED', ...refused }
}

/** A recorded refusal as callers see it: a problem document with the facts of the decision. */
export const refusalDocument = (refused: SpendRefused, facts: JsonObject): ProblemDocument => ({
  ...problemDocument(refused.code, REQUEST_PROBLEMS[refused.code], detailOf(refused)),
  ...facts,
})

const detailOf = ({ code, failing, failingCount, largestCount }: SpendRefused): string => {
  const [first] = failing
  const where = first === undefined ? '' : `, first policy ${first.policy} key ${JSON.stringify(first.key)}`
  return code === 'COST_INFINITE'
    ? `the release has no finite cost in ${numberOf(failingCount)}${where}`
    : `too little is left in ${numberOf(failingCount)}${where}; the largest count that fits is ${largestCount}`
}

const numberOf = (budgets: number): string => (budgets === 1 ? '1 budget' : `${budgets} budgets`)
