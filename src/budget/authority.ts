import { unreachable } from '../ledger/errors.js'
import type { Cause } from '../ledger/record.js'
import type { Actor, Command } from './commands.js'
import { type DecisionContext, type Rejection, reject } from './context.js'
import type { TokenCreated } from './events.js'
import type { Registry, TokenEntry } from './registry.js'

type Role = TokenCreated['role']

/**
 * What somebody wants recorded: a command, or `charge`, the report that an operator makes for a message which nobody could
 * read. `part` and `declare-gap` are known by their records alone.
 */
export type Errand = Command['kind'] | 'charge' | 'part' | 'declare-gap'

/**
 * Whose business an errand is: that of a role; of whoever manages the token in question; of an emitter who sent a message;
 * of the ledger because of a message; of an emitter or of an operator who charges; or (null) of the ledger alone.
 */
const BUSINESS: { readonly [errand in Errand]: Role | 'manager' | 'message' | 'topic' | 'charger' | null } = {
  spend: 'emitter',
  report: 'emitter',
  reserve: 'emitter',
  settle: 'emitter',
  release: 'emitter',
  charge: 'operator',
  part: 'charger',
  invalid: 'message',
  quarantine: 'topic',
  'record-offsets': null,
  'propose-dismissal': 'operator',
  'approve-dismissal': 'approver',
  'propose-reset': 'operator',
  'approve-reset': 'approver',
  'set-policy': 'operator',
  'remove-policy': 'operator',
  'approve-policy': 'approver',
  halt: 'operator',
  resume: 'operator',
  'create-token': 'manager',
  'revoke-token': 'manager',
  'confirm-clock': 'operator',
  expire: null,
  'open-ledger': null,
  'declare-gap': null,
}

/** Who asks for what, and which way it came: a command says it before its record, and the record keeps it. */
export interface Asking {
  readonly errand: Errand
  /** As {@link askerOf} names them. */
  readonly by: string
  readonly cause: Cause
  /** Number of the record, the first one where there are several. */
  readonly seq: number
  /** Role of the token that is created or revoked; undefined for one that is not there, and for all else. */
  readonly managed: string | undefined
}

/** Role and source, as `by` of a record has them: `emitter:trainer`. */
export const askerOf = ({ role, source }: Pick<Actor, 'role' | 'source'>): string => `${role}:${source}`

/** Only a topic, the command line of a stopped ledger, and the ledger itself speak without a token. */
export const needsToken = ({ kind }: Cause): boolean => kind === 'http'

/** Whether a token opens anything at `at`, an instant as records have it. */
export const isGood = ({ revoked, expiresAt }: TokenEntry, at: string): boolean =>
  !revoked && (expiresAt === null || at < expiresAt)

/**
 * Why they may not ask for this, this way; undefined where they may. The one rule for what is decided and for what is
 * verified. It says nothing of tokens: see {@link needsToken}.
 */
export const askingProblem = (asking: Asking): string | undefined => (mayAsk(asking) ? undefined : needOf(asking))

/**
 * Why a command is not heard, by the state and at the instant of its own record: a token that ended while the request
 * waited for its costs or for the writer opens nothing any more. Not recorded: whoever may not ask leaves no trace.
 */
export const unauthorised = (
  registry: Registry,
  command: Command,
  { at, seq }: DecisionContext,
): Rejection | undefined => {
  const { actor, cause } = command
  const tokenProblem = needsToken(cause) ? problemWith(registry.tokens.get(actor.token), actor, at) : undefined
  if (tokenProblem !== undefined) return reject('UNAUTHENTICATED', tokenProblem)
  const managed = managedBy(registry, command)
  const problem = askingProblem({ errand: errandOf(command), by: askerOf(actor), cause, seq, managed })
  return problem === undefined ? undefined : reject('FORBIDDEN', problem)
}

const errandOf = (command: Command): Errand =>
  command.kind === 'report' && command.quarantined !== undefined ? 'charge' : command.kind

const problemWith = (token: TokenEntry | undefined, { role, source }: Actor, at: string): string | undefined => {
  if (token === undefined || token.role !== role || token.source !== source) {
    return `${role}:${source} has no such token; send a valid one`
  }
  if (isGood(token, at)) return undefined
  if (token.revoked) return 'the token was revoked before this was decided; send a valid one'
  return `the token expired at ${token.expiresAt}, and it is ${at}; send a valid one`
}

const managedBy = ({ tokens }: Registry, command: Command): Role | undefined => {
  if (command.kind === 'create-token') return command.created.role
  return command.kind === 'revoke-token' ? tokens.get(command.token)?.role : undefined
}

const mayAsk = ({ errand, by, cause, seq, managed }: Asking): boolean => {
  const business = BUSINESS[errand]
  switch (cause.kind) {
    case 'http':
      return rolesOf(errand, managed).some((role) => by.startsWith(`${role}:`))
    case 'kafka':
      if (business === 'topic') return by === 'system:ledger'
      return (business === 'emitter' || business === 'message' || business === 'charger') && by.startsWith('emitter:')
    case 'cli':
      return business === 'manager' && by === 'system:cli'
    case 'system':
      return by === 'system:ledger' && (business === null || isFirstToken(errand, seq, managed))
    default:
      return unreachable(cause)
  }
}

/** Whose token may stand behind an errand. */
const rolesOf = (errand: Errand, managed: string | undefined): readonly Role[] => {
  const business = BUSINESS[errand]
  switch (business) {
    case 'manager':
      return managersOf(managed)
    case 'charger':
      return ['emitter', 'operator']
    case 'message':
    case 'topic':
    case null:
      return []
    default:
      return [business]
  }
}

/** Nobody makes their own second person. */
const managersOf = (managed: string | undefined): readonly Role[] => {
  if (managed === undefined) return ['operator', 'approver']
  return managed === 'approver' ? ['approver'] : ['operator']
}

/** No token can make the first two: those of the two people that a raise takes. */
const isFirstToken = (errand: Errand, seq: number, managed: string | undefined): boolean =>
  errand === 'create-token' && seq <= 2 && (managed === 'operator' || managed === 'approver')

const needOf = ({ errand, by, cause, managed }: Asking): string => {
  const roles = rolesOf(errand, managed).join(' or ')
  const asked = `it was asked for by ${JSON.stringify(by)} through ${JSON.stringify(cause.kind)}`
  switch (BUSINESS[errand]) {
    case null:
      return `this is for the ledger itself, and ${asked}`
    case 'message':
    case 'topic':
      return `this is for the message of a topic, and ${asked}`
    case 'manager':
      return `a token of role ${managed} is created and revoked by the role ${roles}, and ${asked}`
    default:
      return `this needs the role ${roles}, and ${asked}`
  }
}
