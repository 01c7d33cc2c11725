import type { FastifyReply } from 'fastify'
import type { Ledger, Outcome } from '../application/ledger.js'
import type { Answered } from '../budget/decider.js'
import type { ProblemDocument } from '../budget/problems.js'
import type { JsonObject } from '../ledger/record.js'
import { PROBLEM_TYPE, problem, problemOf, RETRY_AFTER_SECONDS, withErrors } from './problem.js'

/** An answer with its status; `replayed` where the same request was answered before. */
export interface Reply {
  readonly status: number
  readonly body: JsonObject
  readonly replayed: boolean
}

/** Says what became of a request that charges budgets. `accepted` is the status of success. */
export const replyOf = (outcome: Outcome, accepted: number, ledger: Ledger): Reply => {
  if (outcome.kind === 'rejected') {
    const body = problem(outcome.code, outcome.detail, withErrors(outcome.errors))
    return { status: body.status, body, replayed: false }
  }
  const shown = ledger.shown(outcome)
  const body = shown['decision'] === 'refused' ? refusal(outcome, shown) : shown
  return { status: body === shown ? accepted : 409, body, replayed: outcome.replayed }
}

/** A refusal is a problem document with the same facts as any decision. */
const refusal = ({ event }: Answered, shown: JsonObject): ProblemDocument => {
  if (event.type !== 'SpendRefused' && event.type !== 'ReservationRefused')
    throw new RangeError(`${event.type} refuses nothing`)
  const { code, failing, failingCount, largestCount } = event.data
  const first = failing[0]
  const where = first === undefined ? '' : `, first policy ${first.policy} key ${JSON.stringify(first.key)}`
  const detail =
    code === 'COST_INFINITE'
      ? `the release has no finite cost in ${numberOf(failingCount)}${where}`
      : `too little is left in ${numberOf(failingCount)}${where}; the largest count that fits is ${largestCount}`
  return problem(code, detail, shown)
}

const numberOf = (budgets: number): string => (budgets === 1 ? '1 budget' : `${budgets} budgets`)

/** Sets status and headers, and returns the body. */
export const send = (reply: FastifyReply, { status, body, replayed }: Reply): JsonObject => {
  reply.status(status)
  if (status >= 400) reply.header('content-type', PROBLEM_TYPE)
  if (status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS)
  if (replayed) reply.header('idempotency-replayed', 'true')
  return body
}

/** One place of a batch's answer. */
export const batchItem = (outcome: Outcome | Error, ledger: Ledger): JsonObject => {
  if (!(outcome instanceof Error)) {
    const { status, body, replayed } = replyOf(outcome, 201, ledger)
    return replayed ? { ...body, status, replayed } : { ...body, status }
  }
  const document = problemOf(outcome)
  // What nobody expected belongs to the filter, which logs it: the whole batch is answered with 500.
  if (document === undefined) throw outcome
  return document
}
