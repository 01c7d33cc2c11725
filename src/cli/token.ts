import { DataDirectory } from '../adapters/data-directory.js'
import { nameFrom } from '../budget/names.js'
import { readStoreSettings } from '../configuration.js'
import { LedgerError } from '../ledger/errors.js'
import { EXIT, type Io, usage, writeJson, writeLine } from './io.js'
import { type Options, parseOptions } from './options.js'
import { table } from './table.js'
import { atTokenDesk, type ListedToken, managerOf, noLedger, type TokenRole } from './token-desk.js'

const ROLES: readonly TokenRole[] = ['emitter', 'auditor', 'operator', 'approver']
const MOST_DAYS = 36_500

/** `token create|list|revoke`: through the running service if there is one, else on the directory itself. */
export const run = async (args: readonly string[], io: Io): Promise<number> => {
  const options = parseOptions(args, {
    values: ['data', 'role', 'source', 'expires', 'token-file'],
    flags: ['yes'],
    positionals: 2,
  })
  const [action, id] = options.positionals
  const directory = DataDirectory.inspect(options.required('data'))
  if (readStoreSettings(process.env).kind === 'sqlite' && !directory.has('ledger.db'))
    throw noLedger(`in ${directory.path}`)
  switch (action) {
    case 'create':
      return create(directory, options, io)
    case 'list':
      return list(directory, options, io)
    case 'revoke':
      return revoke(directory, id ?? missingId(), options, io)
    default:
      throw usage(`token ${action ?? ''}: the actions are create, list and revoke`)
  }
}

/** Whose token is used with a running service; the files of the first tokens where nobody says. */
const tokenFileFrom = (options: Options): string | undefined =>
  options.value('token-file') ?? (process.env['EPSILON_TOKEN_FILE'] || undefined)

const create = async (directory: DataDirectory, options: Options, io: Io): Promise<number> => {
  const role = roleFrom(options.required('role'))
  const source = nameFrom(options.value('source') ?? role, '--source')
  const days = options.integer('expires', 1, MOST_DAYS)
  const { id, token } = await atTokenDesk(directory, tokenFileFrom(options), (desk) =>
    desk.create({ role, source, days }),
  )
  if (options.flag('json')) writeJson(io, { id, token, role, source })
  else writeLine(io, token)
  return EXIT.ok
}

const list = async (directory: DataDirectory, options: Options, io: Io): Promise<number> => {
  const tokens = await atTokenDesk(directory, tokenFileFrom(options), (desk) => desk.list())
  if (options.flag('json')) writeJson(io, { tokens })
  else writeLine(io, table([['id', 'role', 'source', 'created', 'expires', 'state'], ...tokens.map(rowOf)]))
  return EXIT.ok
}

const rowOf = (token: ListedToken): readonly string[] => [
  token.id,
  token.role,
  token.source,
  token.createdAt,
  token.expiresAt ?? 'never',
  stateOf(token),
]

const stateOf = ({ revoked, expiresAt }: ListedToken): 'valid' | 'revoked' | 'expired' => {
  if (revoked) return 'revoked'
  return expiresAt !== null && Date.parse(expiresAt) <= Date.now() ? 'expired' : 'valid'
}

const revoke = async (directory: DataDirectory, id: string, options: Options, io: Io): Promise<number> => {
  const warnings = await atTokenDesk(directory, tokenFileFrom(options), async (desk) => {
    const tokens = await desk.list()
    const token = tokens.find((one) => one.id === id)
    const last = token === undefined ? undefined : lastOfRole(token, tokens)
    if (last !== undefined && !options.flag('yes')) throw lastToken(last)
    if (last !== undefined) io.stderr.write(`warning: ${last}\n`)
    await desk.revoke(id, managerOf(token?.role))
    return last === undefined ? [] : [last]
  })
  if (options.flag('json')) writeJson(io, { id, revoked: true, warnings })
  else writeLine(io, `revoked ${id}`)
  return EXIT.ok
}

/** What is lost with the last valid token of a role that manages others; undefined for any other token. */
const lastOfRole = (token: ListedToken, tokens: readonly ListedToken[]): string | undefined => {
  if (token.role !== 'operator' && token.role !== 'approver') return undefined
  const valid = tokens.filter((one) => one.role === token.role && stateOf(one) === 'valid')
  if (valid.length !== 1 || valid[0]?.id !== token.id) return undefined
  return `${token.id} is the last valid ${token.role} token: without it nobody can ${MANAGES[token.role]} over HTTP`
}

const MANAGES = {
  operator: 'set policies, halt spending, or make tokens of emitters, auditors and operators',
  approver: "approve what raises a cap, or make an approver's token",
} as const

const lastToken = (what: string): LedgerError =>
  new LedgerError('LAST_TOKEN', what, {
    retry: 'never',
    hint: 'Make another one first: token create. With --yes it is revoked all the same; a new one can then be made only on the stopped directory.',
    exitCode: EXIT.precondition,
  })

const roleFrom = (text: string): TokenRole => {
  const role = ROLES.find((name) => name === text)
  if (role === undefined) throw usage(`--role must be one of ${ROLES.join(', ')}, not ${JSON.stringify(text)}`)
  return role
}

const missingId = (): never => {
  throw usage('token revoke needs the id of a token; token list shows them')
}
