import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { DataDirectory } from '../adapters/data-directory.js'
import type { Service } from '../application/service.js'
import type { TokenCreated } from '../budget/events.js'
import { nameFrom } from '../budget/names.js'
import { secondsAfter } from '../budget/window.js'
import { openService } from '../composition.js'
import { readConfiguration } from '../configuration.js'
import { LedgerError } from '../ledger/errors.js'
import type { JsonObject } from '../ledger/record.js'
import { EXIT, type Io, usage, writeJson, writeLine } from './io.js'
import { type Options, parseOptions } from './options.js'
import { runningService } from './running-service.js'
import { table } from './table.js'

const ROLES: readonly TokenCreated['role'][] = ['emitter', 'auditor', 'operator', 'approver']
const MOST_DAYS = 36_500
const SYSTEM = { actor: { token: '', role: 'system', source: 'cli' }, cause: { kind: 'cli' } } as const

/** `token create|list|revoke`: through the running service if there is one, else on the directory itself. */
export const run = async (args: readonly string[], io: Io): Promise<number> => {
  const options = parseOptions(args, { values: ['data', 'role', 'source', 'expires'], positionals: 2 })
  const [action, id] = options.positionals
  const directory = DataDirectory.inspect(options.required('data'))
  if (!directory.has('ledger.db')) throw noLedger(directory)
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

const create = async (directory: DataDirectory, options: Options, io: Io): Promise<number> => {
  const role = roleFrom(options.required('role'))
  const source = nameFrom(options.value('source') ?? role, '--source')
  const days = options.integer('expires', 1, MOST_DAYS)
  const service = await runningService(directory)
  const made =
    service === undefined
      ? await createDirectly(directory, { role, source, days })
      : await service.ask(role === 'approver' ? 'approver' : 'operator', 'POST', '/v1/tokens', {
          role,
          source,
          ...(days === undefined ? {} : { expiresInDays: days }),
        })
  const { id, token } = made
  if (options.flag('json')) writeJson(io, { id, token, role, source })
  else writeLine(io, String(token))
  return EXIT.ok
}

const createDirectly = (
  directory: DataDirectory,
  {
    role,
    source,
    days,
  }: { readonly role: TokenCreated['role']; readonly source: string; readonly days: number | undefined },
): Promise<JsonObject> =>
  onDirectory(directory, async (service) => {
    const secret = randomBytes(32).toString('base64url')
    const created = {
      token: randomUUID(),
      role,
      source,
      hash: createHash('sha256').update(secret).digest('hex'),
      expiresAt: days === undefined ? null : secondsAfter(service.at(), days * 86_400),
    }
    await submitted(service, { kind: 'create-token', ...SYSTEM, created })
    return { id: created.token, token: secret }
  })

const list = async (directory: DataDirectory, options: Options, io: Io): Promise<number> => {
  const service = await runningService(directory)
  const tokens =
    service === undefined
      ? await listDirectly(directory)
      : ((await service.ask('operator', 'GET', '/v1/tokens'))['tokens'] as readonly JsonObject[])
  if (options.flag('json')) writeJson(io, { tokens })
  else writeLine(io, table([['id', 'role', 'source', 'created', 'expires', 'state'], ...tokens.map(rowOf)]))
  return EXIT.ok
}

const rowOf = ({ id, role, source, createdAt, expiresAt, revoked }: JsonObject): readonly string[] =>
  [id, role, source, createdAt, expiresAt ?? 'never', revoked === true ? 'revoked' : 'valid'].map(String)

const listDirectly = (directory: DataDirectory): Promise<readonly JsonObject[]> =>
  onDirectory(directory, async ({ state }) =>
    [...state.registry.tokens.values()].map(({ token, hash: _, ...facts }) => ({ id: token, ...facts })),
  )

const revoke = async (directory: DataDirectory, id: string, options: Options, io: Io): Promise<number> => {
  const service = await runningService(directory)
  if (service === undefined) {
    await onDirectory(directory, (opened) => submitted(opened, { kind: 'revoke-token', ...SYSTEM, token: id }))
  } else {
    const tokens = (await service.ask('operator', 'GET', '/v1/tokens'))['tokens'] as readonly JsonObject[]
    const role = tokens.find((token) => token['id'] === id)?.['role']
    await service.ask(role === 'approver' ? 'approver' : 'operator', 'DELETE', `/v1/tokens/${encodeURIComponent(id)}`)
  }
  if (options.flag('json')) writeJson(io, { id, revoked: true })
  else writeLine(io, `revoked ${id}`)
  return EXIT.ok
}

/** Opens the ledger as the service does, under the directory's lock, for as long as it takes. */
const onDirectory = async <Result>(
  directory: DataDirectory,
  action: (service: Service) => Promise<Result>,
): Promise<Result> => {
  const service = await openService(readConfiguration(process.env, { data: directory.path }))
  try {
    return await action(service)
  } finally {
    await service.close()
  }
}

const submitted = async (service: Service, command: Parameters<Service['ledger']['submit']>[0]): Promise<void> => {
  const outcome = await service.ledger.submit(command)
  if (outcome.kind === 'answered') return
  throw new LedgerError(outcome.code, outcome.detail, {
    retry: 'never',
    exitCode: outcome.code === 'NOT_FOUND' ? EXIT.notFound : EXIT.precondition,
  })
}

const roleFrom = (text: string): TokenCreated['role'] => {
  const role = ROLES.find((name) => name === text)
  if (role === undefined) throw usage(`--role must be one of ${ROLES.join(', ')}, not ${JSON.stringify(text)}`)
  return role
}

const missingId = (): never => {
  throw usage('token revoke needs the id of a token; token list shows them')
}

const noLedger = (directory: DataDirectory): LedgerError =>
  new LedgerError('STORE_MISSING', `there is no ledger in ${directory.path}`, {
    retry: 'never',
    hint: 'epsilon-ledger serve --data DIR makes one',
    exitCode: EXIT.notFound,
  })
