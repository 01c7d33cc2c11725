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
})

const integerFrom = (environment: Environment, setting: Setting): number => {
  const text = environment[setting.variable]
  if (text === undefined || text === '') return setting.standard
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (value >= setting.least && value <= setting.most) return value
  throw new LedgerError(
    'CONFIGURATION_INVALID',
    `${setting.variable} (${setting.meaning}) must be an integer between ${setting.least} and ${setting.most}, not ${JSON.stringify(text)}`,
    { retry: 'never', hint: `unset it for the default of ${setting.standard}` },
  )
}
