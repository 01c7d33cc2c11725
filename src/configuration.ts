import { LedgerError } from './ledger/errors.js'

/** Everything that an operator can set, read once; nothing else looks at the environment. */
export interface Configuration {
  /** The data directory. */
  readonly data: string
  readonly host: string
  readonly port: number
  /** Threads that compute costs. */
  readonly costThreads: number
  /** Costs that are remembered. */
  readonly costCacheEntries: number
  /** The most commands that one durable append decides. */
  readonly maxBatch: number
  /** The most commands that may wait; beyond it callers get 503. */
  readonly maxWaiting: number
  /** Records between two flushes of the derived state. */
  readonly flushRecords: number
  readonly store: StoreSettings
}

/** Where the log is kept: in the data directory, or on a server that other instances use too. */
export type StoreSettings = { readonly kind: 'sqlite' } | ServerSettings

/** A log on a server. Secrets stay in their files until a connection needs them. */
export interface ServerSettings {
  readonly kind: 'postgres' | 'kurrentdb'
  /** May hold a name and a password: never to be shown as it is. */
  readonly url: string
  /** Which of the ledgers there: the name of its stream. */
  readonly ledger: string
  readonly username: string | undefined
  readonly passwordFile: string | undefined
}

interface Setting {
  readonly variable: string
  readonly standard: number
  readonly least: number
  readonly most: number
  readonly meaning: string
}

/** Settings by environment variable; `docs/configuration.md` says what a wrong value costs. */
export const SETTINGS = {
  costThreads: {
    variable: 'EPSILON_COST_THREADS',
    standard: 1,
    least: 1,
    most: 64,
    meaning: 'threads that compute costs',
  },
  costCacheEntries: {
    variable: 'EPSILON_COST_CACHE_ENTRIES',
    standard: 10_000,
    least: 0,
    most: 10_000_000,
    meaning: 'costs that are remembered',
  },
  maxBatch: {
    variable: 'EPSILON_MAX_BATCH',
    standard: 5_000,
    least: 1,
    most: 100_000,
    meaning: 'most commands in one durable append',
  },
  maxWaiting: {
    variable: 'EPSILON_MAX_WAITING',
    standard: 50_000,
    least: 1,
    most: 10_000_000,
    meaning: 'most commands that may wait before callers get 503',
  },
  flushRecords: {
    variable: 'EPSILON_FLUSH_RECORDS',
    standard: 131_072,
    least: 1,
    most: 100_000_000,
    meaning: 'records between two flushes of the derived state; a restart replays at most so many',
  },
} as const satisfies Record<string, Setting>

type Environment = Readonly<Record<string, string | undefined>>

/**
 * @param environment the process's variables.
 * @param given what the command line says; it goes before the environment.
 * @throws LedgerError CONFIGURATION_INVALID.
 */
export const readConfiguration = (
  environment: Environment,
  given: { readonly data: string; readonly host?: string; readonly port?: number },
): Configuration => ({
  data: given.data,
  host: given.host ?? environment['EPSILON_HOST'] ?? '127.0.0.1',
  port:
    given.port ??
    integerFrom(environment, { variable: 'EPSILON_PORT', standard: 4280, least: 0, most: 65_535, meaning: 'port' }),
  costThreads: integerFrom(environment, SETTINGS.costThreads),
  costCacheEntries: integerFrom(environment, SETTINGS.costCacheEntries),
  maxBatch: integerFrom(environment, SETTINGS.maxBatch),
  maxWaiting: integerFrom(environment, SETTINGS.maxWaiting),
  flushRecords: integerFrom(environment, SETTINGS.flushRecords),
  store: readStoreSettings(environment),
})

/** The variables of the log's store; `docs/configuration.md` says what a wrong value costs. */
export const STORE_VARIABLES = {
  store: 'EPSILON_STORE',
  ledger: 'EPSILON_LEDGER',
  postgres: { url: 'EPSILON_POSTGRES_URL', passwordFile: 'EPSILON_POSTGRES_PASSWORD_FILE' },
  kurrentdb: {
    url: 'EPSILON_KURRENTDB_URL',
    username: 'EPSILON_KURRENTDB_USERNAME',
    passwordFile: 'EPSILON_KURRENTDB_PASSWORD_FILE',
  },
} as const

/** @throws LedgerError CONFIGURATION_INVALID. */
export const readStoreSettings = (environment: Environment): StoreSettings => {
  const kind = environment[STORE_VARIABLES.store] || 'sqlite'
  if (kind === 'sqlite') return { kind }
  if (kind !== 'postgres' && kind !== 'kurrentdb') {
    throw invalid(STORE_VARIABLES.store, `is ${JSON.stringify(kind)}`, 'use one of sqlite, postgres, kurrentdb')
  }
  const { url } = STORE_VARIABLES[kind]
  const given = environment[url]
  if (!given) throw invalid(url, `is missing, and ${STORE_VARIABLES.store} is ${kind}`, `write ${EXAMPLES[kind]}`)
  const settings = serverSettings(given, environment)
  if (settings.kind === kind) return settings
  throw invalid(url, `names a server of another kind than ${kind}`, `write ${EXAMPLES[kind]}`)
}

/** The server that a URL names, with what the environment says beside it. @throws LedgerError CONFIGURATION_INVALID. */
export const serverSettings = (url: string, environment: Environment): ServerSettings => {
  const kind = KINDS.find(([scheme]) => scheme.test(url))?.[1]
  if (kind === undefined) {
    throw invalid(
      'the URL of a store',
      `begins with ${JSON.stringify(url.split(':')[0])}`,
      `write ${EXAMPLES.postgres} or ${EXAMPLES.kurrentdb}`,
    )
  }
  const variables = STORE_VARIABLES[kind]
  return {
    kind,
    url,
    ledger: ledgerFrom(environment),
    username: 'username' in variables ? environment[variables.username] || undefined : undefined,
    passwordFile: environment[variables.passwordFile] || undefined,
  }
}

const KINDS = [
  [/^postgres(?:ql)?:/, 'postgres'],
  [/^(?:esdb|kurrentdb)(?:\+discover)?:/, 'kurrentdb'],
] as const

const EXAMPLES = { postgres: 'postgres://USER@HOST/DATABASE', kurrentdb: 'esdb://HOST:2113?tls=true' } as const

/** It becomes a part of a stream's name, and of a key. */
const ledgerFrom = (environment: Environment): string => {
  const name = environment[STORE_VARIABLES.ledger] || 'main'
  if (/^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) return name
  throw invalid(STORE_VARIABLES.ledger, `is ${JSON.stringify(name)}`, 'use 1 to 63 of a-z, 0-9 and the hyphen')
}

const invalid = (variable: string, what: string, hint: string): LedgerError =>
  new LedgerError('CONFIGURATION_INVALID', `${variable} ${what}`, { retry: 'never', hint, exitCode: 2 })

const integerFrom = (environment: Environment, setting: Setting): number => {
  const text = environment[setting.variable]
  if (text === undefined || text === '') return setting.standard
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (value >= setting.least && value <= setting.most) return value
  throw new LedgerError(
    'CONFIGURATION_INVALID',
    `${setting.variable} (${setting.meaning}) must be an integer between ${setting.least} and ${setting.most}, not ${JSON.stringify(text)}`,
    { retry: 'never', hint: `unset it for the default of ${setting.standard}`, exitCode: 2 },
  )
}
