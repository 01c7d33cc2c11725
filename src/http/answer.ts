import type { FastifyReply } from 'fastify'
import type { Ledger, Outcome } from '../application/ledger.js'
import { refusalDocument, refusalOf } from '../budget/refusal.js'
import type { JsonObject } from '../ledger/record.js'
import { problem, problemHeaders, problemOf, withErrors } from './problem.js'

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
  const { event, replayed } = outcome
  const shown = ledger.shown(outcome)
  const refused = refusalOf(event)
  if (refused === undefined) return { status: accepted, body: shown, replayed }
  const body = refusalDocument(refused, shown)
  return { status: body.status, body, replayed }
}

/** Sets status and headers, and returns the body. */
export const send = (reply: FastifyReply, { status, body, replayed }: Reply): JsonObject => {
  reply.status(status)
  if (status >= 400) reply.headers(problemHeaders(status))
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
