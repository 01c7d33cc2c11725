import { LedgerError } from '../../ledger/errors.js'
import type { PostgresPlace } from './postgres-place.js'

/** No connection was made, so nothing was asked of the server. */
export class NotConnected extends Error {
  constructor(override readonly cause: unknown) {
    super(messageOf(cause))
  }
}

/** Somebody has the key already. */
export const isTaken = (error: unknown): boolean => codeOf(error) === '23505'

/** Somebody has made the table already. */
export const isThere = (error: unknown): boolean => codeOf(error) === '42P07'

/** The role may not, or there is no schema where it might. */
export const mayNot = (error: unknown): boolean => ['42501', '3F000'].includes(codeOf(error))

/**
 * What the server's last word is: it took nothing, and asking again would not help. Undefined for all that may pass, and for
 * all after which something may have been kept.
 */
export const refusalIn = (error: unknown, place: PostgresPlace): LedgerError | undefined => {
  const code = codeOf(error)
  const { name, role } = place
  const said = messageOf(error instanceof NotConnected ? error.cause : error)
  if (code === READ_ONLY)
    return readOnly(place, 'it takes no writes: a standby, or default_transaction_read_only is on')
  if (DAMAGED.includes(code)) {
    const hint = 'Keep the database as it is, and look at the log of the server.'
    return new LedgerError('STORE_UNREADABLE', `${name} cannot read its own data: ${said}`, trouble(error, hint, 20))
  }
  if (error instanceof NotConnected) {
    if (!WRONG_LOGIN.test(code)) return undefined
    return unreachable(place, error, 'Look at role, password and database, and at pg_hba.conf of the server.')
  }
  if (!FINAL.test(code)) return undefined
  const hint = mayNot(error) ? rightsOf(role) : 'Look at the table epsilon_blocks and at the log of the server.'
  return new LedgerError('STORE_REFUSED', `${name} refuses: ${said}`, trouble(error, hint, 3))
}

/** The role cannot append. */
export const notGranted = ({ name, role }: PostgresPlace): LedgerError =>
  new LedgerError('STORE_REFUSED', `${name} does not let this role insert into epsilon_blocks`, {
    retry: 'after-restart',
    hint: rightsOf(role),
    exitCode: 3,
  })

const rightsOf = (role: string): string => `The owner of the database gives the rights: ${grantSql(role)}`

/** The rights that the service's role needs, and no others. */
export const grantSql = (role: string): string =>
  `GRANT SELECT, INSERT ON epsilon_blocks TO "${role.replaceAll('"', '""')}";`

export const readOnly = ({ name }: PostgresPlace, why: string): LedgerError =>
  new LedgerError('STORE_READ_ONLY', `${name} is read-only: ${why}`, {
    retry: 'after-restart',
    hint: 'Name the primary server, and let the role write there.',
    exitCode: 3,
  })

export const unreachable = ({ name }: PostgresPlace, error: unknown, hint = hintFor(messageOf(error))): LedgerError =>
  new LedgerError('STORE_UNREACHABLE', `${name} cannot be reached: ${messageOf(error)}`, {
    ...trouble(error, hint, 3),
    retry: 'after-restart',
  })

/** What the client itself finds has no code. */
const hintFor = (said: string): string => {
  if (/password must be/.test(said))
    return 'The server wants a password, and none was given: name a file with it in EPSILON_POSTGRES_PASSWORD_FILE.'
  if (/certificate|SSL|altnames/i.test(said))
    return 'Look at sslmode and sslrootcert in the URL, and at the certificate of the server.'
  return 'Look whether the server runs and the network lets this machine reach it, then start again.'
}

export const closed = ({ name }: PostgresPlace): LedgerError =>
  new LedgerError('STORE_CLOSED', `the store on ${name} was closed`, { retry: 'after-restart' })

/** Codes of https://www.postgresql.org/docs/current/errcodes-appendix.html */
const READ_ONLY = '25006'
const DAMAGED = ['XX001', 'XX002']
const WRONG_LOGIN = /^(?:28|3D|42)/
/** Wrong data, broken constraints, missing rights or tables, limits of the program: never after a commit. */
const FINAL = /^(?:0A|22|23|3F|42|54)/

const codeOf = (error: unknown): string => {
  const { code } = ((error instanceof NotConnected ? error.cause : error) ?? {}) as { readonly code?: unknown }
  return typeof code === 'string' ? code : ''
}

/** A connection that several addresses refused has its reasons inside. */
const messageOf = (error: unknown): string => {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join(', ')
  return error instanceof Error ? error.message : String(error)
}

const trouble = (cause: unknown, hint: string, exitCode: number) => ({ retry: 'never' as const, hint, cause, exitCode })
