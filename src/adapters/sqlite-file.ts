import { closeSync, existsSync, openSync } from 'node:fs'
import Database from 'libsql'

export type SqlValue = string | number | null | Uint8Array
export type Row = Readonly<Record<string, unknown>>

/** One prepared statement. Parameters are always a list: libsql 0.5 aborts the process on a lone Buffer. */
export interface Statement {
  run(parameters: readonly SqlValue[]): void
  get(parameters: readonly SqlValue[]): Row | undefined
  all(parameters: readonly SqlValue[]): readonly Row[]
}

/**
 * A SQLite database through libsql's synchronous API, with its traps covered: everything that opens one goes through
 * here. A prepared statement that has failed keeps its lock until it is collected: begin transactions with {@link exec}. No other code
 * of this process may open and close the file by itself: POSIX drops a process's locks on a file with the first close.
 */
export class SqliteFile {
  private readonly database: Database.Database

  /** Waits up to `busyMs` for another connection's lock. Throws what SQLite says; nothing is created in a missing folder. */
  constructor(path: string, busyMs: number) {
    ownedByOne(path)
    this.database = new Database(path, { timeout: busyMs })
  }

  exec(sql: string): void {
    this.database.exec(sql)
  }

  prepare(sql: string): Statement {
    const statement = this.database.prepare<SqlValue[][]>(sql)
    return {
      run: (parameters) => void statement.run([...parameters]),
      get: (parameters) => statement.get([...parameters]) as Row | undefined,
      all: (parameters) => statement.all([...parameters]) as readonly Row[],
    }
  }

  /** The first row's only value. */
  pragma(source: string): unknown {
    const [row] = this.database.pragma(source) as readonly Row[]
    return row === undefined ? undefined : Object.values(row)[0]
  }

  /** Ends the transaction in progress, if any; for clearing up after an error, which is worth more than a second one. */
  rollbackQuietly(): void {
    try {
      if (this.database.inTransaction) this.database.exec('ROLLBACK')
    } catch {}
  }

  /** The file itself is let go only when the statements have been collected too; locks go with the transaction. */
  close(): void {
    this.database.close()
  }
}

/** Whose data was used is nobody else's business: SQLite would make a new file, and its journals, readable for all. */
const ownedByOne = (path: string): void => {
  if (!path.startsWith('file:') && !existsSync(path)) closeSync(openSync(path, 'wx', 0o600))
}

/** A blob of a row: libsql gives a Buffer to `get` and an ArrayBuffer to `all`. */
export const blobOf = (value: unknown): Uint8Array => {
  if (value instanceof Uint8Array) return value
  if (value instanceof ArrayBuffer) return new Uint8Array(value)
  throw new TypeError(`expected a blob, but the row has ${typeof value}`)
}

/** SQLite's name of an error, such as `SQLITE_CORRUPT`; undefined for anything else. */
export const sqliteCode = (error: unknown): string | undefined => {
  const code = error instanceof Error ? (error as Error & { code?: unknown }).code : undefined
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : undefined
}
