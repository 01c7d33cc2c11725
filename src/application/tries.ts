import type { Rejection } from '../budget/context.js'
import type { Answer, Answered } from '../budget/decider.js'
import { LedgerError } from '../ledger/errors.js'

/** How often a command is asked again because the policies changed under it or its twin was being written. */
export const MOST_TRIES = 20

/** Not the last word: costs are missing since the policies changed, or the same request is being written. */
export const isPassing = (answer: Answer | Error): answer is Exclude<Answer, Answered | Rejection> =>
  !(answer instanceof Error) && answer.kind !== 'answered' && answer.kind !== 'rejected'

export const unsettled = (): LedgerError =>
  new LedgerError('BUSY', `the policies changed ${MOST_TRIES} times while this request was decided`, {
    retry: 'now',
    hint: 'send the same request again',
  })
