import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { LedgerError } from '../ledger/errors.js'
import { type DiskTrouble, diskTrouble } from './disk-trouble.js'
import { replaceFile, syncFolder } from './durable-file.js'
import { SqliteFile, sqliteCode } from './sqlite-file.js'

/** The folder of one ledger: its log, what is derived from it, its secrets, and the lock that keeps it to one process. */
export class DataDirectory {
  private lock: SqliteFile | undefined

  private constructor(readonly path: string) {}

  /**
   * Makes the folder where it is missing (mode 0700), and locks it. Throws `LOCKED` while another process has it. The lock is the
   * kernel's: it ends with the process, however that ends. Throws `DATA_UNUSABLE` where there cannot be such a folder, and where
   * there is too little room to keep an append.
   */
  static open(path: string): DataDirectory {
    const directory = new DataDirectory(resolve(path))
    try {
      directory.make()
      directory.takeLock()
    } catch (error) {
      throw error instanceof LedgerError ? error : unusable(directory.path, error)
    }
    directory.requireRoom()
    return directory
  }

  /** Without a lock, for those who only read. Throws `DATA_MISSING`. */
  static inspect(path: string): DataDirectory {
    const directory = new DataDirectory(resolve(path))
    if (existsSync(directory.path)) return directory
    throw new LedgerError('DATA_MISSING', `there is no data directory ${directory.path}`, {
      retry: 'never',
      exitCode: 10,
    })
  }

  /** Path of a file in the folder. */
  file(name: string): string {
    return join(this.path, name)
  }

  has(name: string): boolean {
    return existsSync(this.file(name))
  }

  /** Text of a secret file, or undefined where there is none. */
  readSecret(name: string): string | undefined {
    try {
      return readFileSync(this.file(name), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw new LedgerError('SECRET_UNREADABLE', `${this.file(name)} cannot be read: ${(error as Error).message}`, {
        retry: 'never',
        cause: error,
        exitCode: 12,
      })
    }
  }

  /** Writes or replaces a file that only its owner may read (mode 0600). */
  writeSecret(name: string, text: string): void {
    replaceFile(this.file(name), Buffer.from(text), 0o600)
  }

  /** Takes away a file that nothing needs any more. */
  remove(name: string): void {
    rmSync(this.file(name), { force: true })
  }

  /** The 32 bytes that the signing key comes from. Throws `KEY_MISSING` and `KEY_UNREADABLE`. */
  readSigningSeed(): Uint8Array {
    const text = this.readSecret(SIGNING_KEY)
    if (text === undefined) throw keyError('KEY_MISSING', `${this.file(SIGNING_KEY)} is missing`)
    if (!/^[0-9a-f]{64}\n$/.test(text))
      throw keyError('KEY_UNREADABLE', `${this.file(SIGNING_KEY)} does not hold 64 hex digits`)
    return Buffer.from(text.trim(), 'hex')
  }

  /** Makes the seed of a new ledger. Never replaces one: what it has signed could not be told from a forgery. */
  createSigningSeed(): Uint8Array {
    if (this.has(SIGNING_KEY)) throw keyError('KEY_EXISTS', `${this.file(SIGNING_KEY)} is there already`)
    const seed = randomBytes(32)
    this.writeSecret(SIGNING_KEY, `${seed.toString('hex')}\n`)
    return seed
  }

  /** Lets another process have the folder. */
  release(): void {
    this.lock?.rollbackQuietly()
    this.lock?.close()
    this.lock = undefined
  }

  private make(): void {
    if (existsSync(this.path)) return
    mkdirSync(this.path, { recursive: true, mode: 0o700 })
    syncFolder(join(this.path, '..'))
  }

  /** A service that starts on its last bytes would end in the middle of an append, and leave callers without an answer. */
  private requireRoom(): void {
    const trouble = diskTrouble(this.path)
    if (trouble === undefined) return
    this.release()
    throw noRoom(trouble)
  }

  /** The transaction that stays open is the lock; the row, written before, tells others whose it is. */
  private takeLock(): void {
    const lock = new SqliteFile(this.file('lock'), LOCK_WAIT_MS)
    try {
      lock.exec('BEGIN IMMEDIATE')
      lock.exec('CREATE TABLE IF NOT EXISTS holder (only INTEGER PRIMARY KEY CHECK (only = 1), pid INTEGER NOT NULL)')
      lock.exec(`INSERT OR REPLACE INTO holder VALUES (1, ${process.pid})`)
      lock.exec('COMMIT')
      lock.exec('BEGIN IMMEDIATE')
    } catch (error) {
      const refusal = sqliteCode(error)?.startsWith('SQLITE_BUSY') ? locked(this.path, holderIn(lock)) : error
      lock.rollbackQuietly()
      lock.close()
      throw refusal
    }
    this.lock = lock
  }
}

/** Long enough for another process to read whose the lock is. */
const LOCK_WAIT_MS = 100

const SIGNING_KEY = 'signing.key'

const holderIn = (lock: SqliteFile): unknown => {
  try {
    return lock.prepare('SELECT pid FROM holder').get([])?.['pid']
  } catch {
    return undefined
  }
}

const locked = (path: string, pid: unknown): LedgerError =>
  new LedgerError('LOCKED', `${path} is in use by ${pid === undefined ? 'another process' : `process ${pid}`}`, {
    retry: 'after-restart',
    hint: 'One process serves a data directory. Stop the other one, or ask it over HTTP.',
    exitCode: 11,
  })

const unusable = (path: string, cause: unknown): LedgerError => {
  const trouble = diskTrouble(path, cause)
  if (trouble !== undefined) return noRoom(trouble, cause)
  return new LedgerError('DATA_UNUSABLE', `${path} cannot be used as a data directory: ${(cause as Error).message}`, {
    retry: 'never',
    hint: 'Name a folder that this user may write to.',
    cause,
    exitCode: 3,
  })
}

const noRoom = ({ detail, hint }: DiskTrouble, cause?: unknown): LedgerError =>
  new LedgerError('DATA_UNUSABLE', detail, {
    retry: 'after-restart',
    hint,
    ...(cause === undefined ? {} : { cause }),
    exitCode: 3,
  })

const keyError = (code: string, message: string): LedgerError =>
  new LedgerError(code, message, { retry: 'never', hint: 'Put the key back from where it is kept safe.', exitCode: 12 })
