import type { JsonObject } from '../ledger/record.js'
import type { SpendRefused } from './events.js'
import { type ProblemDocument, problemDocument, REQUEST_PROBLEMS } from './problems.js'

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
