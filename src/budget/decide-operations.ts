import type { CreateToken, HaltSpending, ResumeSpending, RevokeToken } from './commands.js'
import { record, reject, type Verdict } from './context.js'
import { sameScope, scopeToJson } from './halts.js'
import type { BudgetState } from './state.js'

export const decideHalt = (command: HaltSpending): Verdict =>
  record({ type: 'Halted', data: { scope: scopeToJson(command.scope), reason: command.reason } })

export const decideResume = (state: BudgetState, command: ResumeSpending): Verdict => {
  const halted = state.registry.halts.some(({ scope }) => sameScope(scope, command.scope))
  if (!halted)
    return reject('NOT_FOUND', 'no halt has exactly this scope; GET /v1/ledger lists those that are in force')
  return record({ type: 'Resumed', data: { scope: scopeToJson(command.scope), reason: command.reason } })
}

/** Whether the actor may manage such a token was asked before. */
export const decideToken = (state: BudgetState, command: CreateToken | RevokeToken): Verdict => {
  if (command.kind === 'create-token') return record({ type: 'TokenCreated', data: command.created })
  const token = state.registry.tokens.get(command.token)
  if (token === undefined) return reject('NOT_FOUND', `there is no token ${JSON.stringify(command.token)}`)
  if (token.revoked) return reject('NOT_FOUND', `token ${JSON.stringify(command.token)} is revoked already`)
  return record({ type: 'TokenRevoked', data: { token: command.token } })
}
