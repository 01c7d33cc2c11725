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

/** Tokens of approvers belong to approvers, all others to operators: nobody makes their own second person. */
export const decideToken = (state: BudgetState, command: CreateToken | RevokeToken): Verdict => {
  if (command.kind === 'create-token') {
    const problem = mayManage(command, command.created.role)
    return problem ?? record({ type: 'TokenCreated', data: command.created })
  }
  const token = state.registry.tokens.get(command.token)
  if (token === undefined) return reject('NOT_FOUND', `there is no token ${JSON.stringify(command.token)}`)
  const problem = mayManage(command, token.role)
  if (problem !== undefined) return problem
  if (token.revoked) return reject('NOT_FOUND', `token ${JSON.stringify(command.token)} is revoked already`)
  return record({ type: 'TokenRevoked', data: { token: command.token } })
}

const mayManage = (command: CreateToken | RevokeToken, role: string): Verdict | undefined => {
  const { role: own } = command.actor
  if (own === 'system' || own === (role === 'approver' ? 'approver' : 'operator')) return undefined
  return reject(
    'FORBIDDEN',
    `a token of role ${role} is created and revoked by ${role === 'approver' ? 'an approver' : 'an operator'}, not by the role ${own}`,
  )
}
