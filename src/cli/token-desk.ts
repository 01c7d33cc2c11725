import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { DataDirectory } from '../adapters/data-directory.js'
import { openSoundStore } from '../adapters/stores.js'
import type { Service } from '../application/service.js'
import type { TokenCreated } from '../budget/events.js'
import { secondsAfter } from '../budget/window.js'
import { openService } from '../composition.js'
import { readConfiguration, type StoreSettings } from '../configuration.js'
import { LedgerError } from '../ledger/errors.js'
import { EXIT } from './io.js'
import { type RunningService, runningService } from './running-service.js'

export type TokenRole = TokenCreated['role']

export interface TokenTerms {
  readonly role: TokenRole
  readonly source: string
  /** Days until it expires; undefined for never. */
  readonly days: number | undefined
}

/** A token as it is listed, without anything that could be used as one. */
export interface ListedToken {
  readonly id: string
  readonly role: TokenRole
  readonly source: string
  readonly createdAt: string
  readonly expiresAt: string | null
  readonly revoked: boolean
}

/** Where tokens are made, listed and revoked. */
export interface TokenDesk {
  create(terms: TokenTerms): Promise<{ readonly id: string; readonly token: string }>
  list(): Promise<readonly ListedToken[]>
  revoke(id: string, by: Manager): Promise<void>
}

type Manager = 'operator' | 'approver'

/** Tokens of approvers belong to approvers, all others to operators. */
export const managerOf = (role: TokenRole | undefined): Manager => (role === 'approver' ? 'approver' : 'operator')

/**
 * Through the running service if there is one, with the token in `tokenFile` or those in the directory. Else on the
 * directory itself, under its lock, where no token is needed.
 */
export const atTokenDesk = async <Result>(
  directory: DataDirectory,
  tokenFile: string | undefined,
  action: (desk: TokenDesk) => Promise<Result>,
): Promise<Result> => {
  const running = await runningService(directory, tokenFile)
  if (running !== undefined) return action(overHttp(running))
  const configuration = readConfiguration(process.env, { data: directory.path })
  await requireLedger(configuration.store)
  const service = await openService(configuration)
  try {
    return await action(onDirectory(service))
  } finally {
    await service.close()
  }
}

/** A name that was written wrong is no new ledger: only `serve` begins one. */
const requireLedger = async (settings: StoreSettings): Promise<void> => {
  if (settings.kind === 'sqlite') return
  const store = await openSoundStore(settings)
  const head = await store.head().finally(() => store.close())
  if (head === undefined)
    throw noLedger(`${JSON.stringify(settings.ledger)} (EPSILON_LEDGER) on the server of EPSILON_STORE`)
}

/** @param where it was looked for, as in "there is no ledger in …". */
export const noLedger = (where: string): LedgerError =>
  new LedgerError('STORE_MISSING', `there is no ledger ${where}`, {
    retry: 'never',
    hint: 'epsilon-ledger serve --data DIR makes one',
    exitCode: EXIT.notFound,
  })

const overHttp = (service: RunningService): TokenDesk => ({
  create: async ({ role, source, days }) => {
    const terms = { role, source, ...(days === undefined ? {} : { expiresInDays: days }) }
    const { id, token } = await service.ask(managerOf(role), 'POST', '/v1/tokens', terms)
    return { id: String(id), token: String(token) }
  },
  list: async () => {
    const { tokens } = await service.ask('operator', 'GET', '/v1/tokens')
    return tokens as unknown as readonly ListedToken[]
  },
  revoke: async (id, by) => {
    await service.ask(by, 'DELETE', `/v1/tokens/${encodeURIComponent(id)}`)
  },
})

const SYSTEM = { actor: { token: '', role: 'system', source: 'cli' }, cause: { kind: 'cli' } } as const

const onDirectory = (service: Service): TokenDesk => ({
  create: async ({ role, source, days }) => {
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
  },
  list: async () =>
    [...service.state.registry.tokens.values()].map(({ token, hash: _, ...facts }) => ({ id: token, ...facts })),
  revoke: (id) => submitted(service, { kind: 'revoke-token', ...SYSTEM, token: id }),
})

const submitted = async (service: Service, command: Parameters<Service['ledger']['submit']>[0]): Promise<void> => {
  const outcome = await service.ledger.submit(command)
  if (outcome.kind === 'answered') return
  throw new LedgerError(outcome.code, outcome.detail, {
    retry: 'never',
    exitCode: outcome.code === 'NOT_FOUND' ? EXIT.notFound : EXIT.precondition,
  })
}
