import type { Command, QuarantineMessage, RecordInvalid, RecordOffsets } from './commands.js'
import { type Rejection, record, type Verdict } from './context.js'
import type { RequestInvalid } from './events.js'
import { invalidRequest, isUnavailable, type NamedRequest, problemOfRejection } from './problems.js'
import type { BudgetState } from './state.js'

/**
 * Whether the message that a command stands for is handled already: batches that were fetched before a rebalance, and
 * consumers that should be dead, bring messages a second time.
 */
export const isPassed = (state: BudgetState, { cause }: Command): boolean =>
  cause.kind === 'kafka' && BigInt(cause.offset) < (state.offset(cause.topic, cause.partition)?.next ?? 0n)

/**
 * A message that asks for permission and can never get it has its decision all the same, so that its offset is in the
 * log. What may still be decided later stays unrecorded, and so does what has happened, or may have: a report, and what a
 * lost record may have permitted.
 */
export const decidedInvalid = (command: Command, verdict: Rejection): Verdict => {
  const asked = requestOf(command)
  if (command.cause.kind !== 'kafka' || asked === undefined || isUnavailable(verdict.code)) return verdict
  if (verdict.mayHaveRun) return verdict
  const [request, named] = asked
  return record({ type: 'RequestInvalid', data: invalidRequest(request, named, problemOfRejection(verdict)) })
}

const requestOf = (
  command: Command,
): readonly [request: RequestInvalid['request'], named: NamedRequest] | undefined => {
  const { source } = command.actor
  switch (command.kind) {
    case 'spend':
    case 'reserve':
      return [command.kind, { source, id: command.request.id, unit: command.request.attributes.units[0] }]
    case 'settle':
    case 'release':
      return [command.kind, { source, id: command.id }]
    default:
      return undefined
  }
}

export const decideInvalid = ({ invalid }: RecordInvalid): Verdict => record({ type: 'RequestInvalid', data: invalid })

export const decideQuarantine = ({ message }: QuarantineMessage): Verdict =>
  record({ type: 'MessageQuarantined', data: message })

export const decideOffsets = (state: BudgetState, { topic, partition, next, digest }: RecordOffsets): Verdict => {
  if (BigInt(next) <= (state.offset(topic, partition)?.next ?? 0n)) return { kind: 'passed' }
  return record({ type: 'OffsetsRecorded', data: { topic, partition, next, digest } })
}
