import type { Socket } from 'node:net'
import pg from 'pg'
import { LedgerError } from '../../ledger/errors.js'

export interface PostgresAddress {
  /** `postgres://user@host:port/database`, with what the client `pg` knows of further parameters, `sslmode` for one. */
  readonly url: string
  readonly ledger: string
  /** 0 where nothing is said. */
  readonly shard?: number
  /** Goes before one in the URL. */
  readonly password?: string | undefined
}

/** Which rows of which database hold the ledger, and how the database is reached. */
export class PostgresPlace {
  /** The value of the column `ledger` in all of its rows. */
  readonly key: string
  /** For messages: user, host, port and database, and never the password. */
  readonly name: string
  readonly role: string
  private readonly options: pg.ClientConfig

  /** @throws LedgerError CONFIGURATION_INVALID where the URL is none of a PostgreSQL; the message does not repeat it. */
  constructor({ url, ledger, shard = 0, password }: PostgresAddress) {
    this.key = `${ledger}/${shard}`
    this.options = {
      connectionString: withPassword(url, password),
      fallback_application_name: 'epsilon-ledger',
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      types: { getTypeParser: parserOf },
    }
    const { user = '', host, port, database = '' } = clientOf(this.options)
    this.role = user
    this.name = `PostgreSQL at ${host}:${port} (database ${database}, role ${user})`
  }

  /** A connection that is not open yet. */
  client(socket: Socket): pg.Client {
    return clientOf({ ...this.options, stream: () => socket })
  }

  pool(most: number, connectMs: number, stream: () => Socket): pg.Pool {
    return new pg.Pool({ ...this.options, max: most, connectionTimeoutMillis: connectMs, stream })
  }
}

const CONNECT_MS = 5_000
const KEEP_ALIVE_MS = 10_000

const withPassword = (url: string, password: string | undefined): string => {
  if (SEVERAL_HOSTS.test(url)) throw badUrl('it names several hosts; name one, behind which the primary is at any time')
  if (!/^postgres(?:ql)?:\/\//.test(url) || !URL.canParse(url)) throw badUrl('it is not of that form')
  const parsed = new URL(url)
  // Else a part of the password is taken for host or database, and shown.
  if (`${parsed.pathname}${parsed.search}${parsed.hash}`.includes('@')) {
    throw badUrl('a password in it has @, /, ? or # and must be percent-encoded')
  }
  requireTls(parsed.searchParams)
  if (password === undefined) return parsed.href
  parsed.searchParams.delete('password')
  parsed.password = encodeURIComponent(password)
  return parsed.href
}

const SEVERAL_HOSTS = /^postgres(?:ql)?:\/\/(?:[^@/?#]*@)?[^@/?#]*,/

/** With TLS, the server has to be the right one: whoever else answers would get the password, and could show any log. */
const requireTls = (parameters: URLSearchParams): void => {
  const other = ['ssl', 'sslnegotiation', 'uselibpqcompat'].find((name) => parameters.has(name))
  if (other !== undefined) throw badUrl(`it has ${other}; say sslmode=verify-full for TLS, or nothing for none`)
  const mode = parameters.get('sslmode')
  if (mode === null || mode === 'disable') return
  if (!/^(?:require|verify-ca|verify-full)$/.test(mode))
    throw badUrl(`sslmode is ${JSON.stringify(mode)}, and not verify-full or disable`)
  parameters.set('sslmode', 'verify-full')
}

/** What the client says of a wrong URL is about its parameters, and never holds the password. */
const clientOf = (options: pg.ClientConfig): pg.Client => {
  try {
    return new pg.Client(options)
  } catch (error) {
    throw badUrl((error as Error).message)
  }
}

const badUrl = (why: string): LedgerError =>
  new LedgerError('CONFIGURATION_INVALID', `the URL of PostgreSQL cannot be used: ${why}`, {
    retry: 'never',
    hint: 'Write it as postgres://user@host:5432/database, and the password beside it.',
    exitCode: 2,
  })

const BIGINT = 20

/** Numbers of blocks and records are safe integers; whoever reads a row looks whether they are. */
const parserOf = (oid: number, format?: 'text' | 'binary') =>
  oid === BIGINT ? Number : pg.types.getTypeParser(oid, format)
