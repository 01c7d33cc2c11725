import { unreachable } from '../ledger/errors.js'
import { unauthorised } from './authority.js'
import type { Command } from './commands.js'
import { type DecisionContext, record, reject, type Verdict } from './context.js'
import { decidedInvalid, decideInvalid, decideOffsets, decideQuarantine, isPassed } from './decide-message.js'
import { decideHalt, decideResume, decideToken } from './decide-operations.js'
import { decideApproval, decidePolicy, decideRemoval } from './decide-policy.js'
import { decideDismissal, decideDismissalApproval } from './decide-quarantine.js'
import { decideExpiry, decideRelease, decideSettle } from './decide-reservation.js'
import { decideReset, decideResetApproval } from './decide-reset.js'
import { decideSpend } from './decide-spend.js'
import type { Draft } from './draft.js'

/**
 * The rule book: what a command leads to in this state.
 *
 * A pure function: time, ids, policy versions and costs are fixed in the command or the context. A refusal is a
 * value and an event, never an exception. The draft is read, not changed. Authority comes first: nobody else gets even
 * the repeat of an answer.
 */
export const decide = (state: Draft, command: Command, context: DecisionContext): Verdict =>
  unauthorised(state.registry, command, context) ?? decideAuthorised(state, command, context)

const decideAuthorised = (state: Draft, command: Command, context: DecisionContext): Verdict => {
  if (isPassed(state, command)) return { kind: 'passed' }
  const verdict = decideOpen(state, command, context)
  return verdict.kind === 'rejected' ? decidedInvalid(command, verdict) : verdict
}

const decideOpen = (state: Draft, command: Command, context: DecisionContext): Verdict => {
  switch (command.kind) {
    case 'spend':
    case 'report':
    case 'reserve':
      return decideSpend(state, command, context)
    case 'settle':
      return decideSettle(state, command, context)
    case 'release':
      return decideRelease(state, command, context)
    case 'invalid':
      return decideInvalid(command)
    case 'quarantine':
      return decideQuarantine(command)
    case 'record-offsets':
      return decideOffsets(state, command)
    case 'propose-dismissal':
      return decideDismissal(state, command)
    case 'approve-dismissal':
      return decideDismissalApproval(state, command)
    case 'propose-reset':
      return decideReset(state, command)
    case 'approve-reset':
      return decideResetApproval(state, command)
    case 'set-policy':
      return decidePolicy(state, command)
    case 'remove-policy':
      return decideRemoval(state, command)
    case 'approve-policy':
      return decideApproval(state, command)
    case 'halt':
      return decideHalt(command)
    case 'resume':
      return decideResume(state, command)
    case 'create-token':
    case 'revoke-token':
      return decideToken(state, command)
    case 'confirm-clock':
      return record({ type: 'ClockConfirmed', data: { reason: command.reason } })
    case 'expire':
      return decideExpiry(state, context)
    case 'open-ledger':
      return state.registry.ledger === ''
        ? record({ type: 'LedgerOpened', data: opening(command.ledger) })
        : reject('FORBIDDEN', `ledger ${state.registry.ledger} is open already`)
    default:
      return unreachable(command)
  }
}

const opening = (ledger: string) =>
  ({
    ledger,
    format: 1,
    costFn: 'exact-v1',
    scales: { loss: '1e15', delta: '1e18' },
    shard: 0,
    shards: 1,
    partitioner: 'murmur2',
  }) as const
