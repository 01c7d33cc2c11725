import type { Outcome } from '../application/ledger.js'
import type { Answered } from '../budget/decider.js'
import { ProblemError } from './problem.js'

/** What was recorded. @throws ProblemError where the command was rejected: nothing of it was. */
export const recorded = (outcome: Outcome): Answered => {
  if (outcome.kind === 'answered') return outcome
  throw new ProblemError(outcome.code, outcome.detail, outcome.errors)
}
