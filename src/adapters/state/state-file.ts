import { createHash, hash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { endianness } from 'node:os'
import { LedgerError } from '../../ledger/errors.js'
import { blobOf, type Row, SqliteFile, type Statement, sqliteCode } from '../sqlite-file.js'
import type { Chunk, ChunkSink, ChunkSource } from './chunks.js'
import type { StatePosition } from './state-position.js'

/** What the file says of itself, in the same transaction as what it holds. */
export interface StateHead {
  readonly ledger: string
  readonly position: StatePosition
  /** Counts the flushes, from 1. */
  readonly flush: number
  /** The key of the state's hashes, in hex. */
  readonly salt: string
}

/**
 * Chunks of bytes in a SQLite file, and the position that they reflect. A write is one transaction.
 *
 * Every chunk has a SHA-256 over its name and bytes, and the head one over itself and all of them, so that a damaged,
 * missing, surplus or outdated chunk is noticed when the file is read, whatever put it there.
 */
export class StateFile implements ChunkSource {
  readonly head: StateHead | undefined
  readonly #digest: string
  readonly #page: Statement
  readonly #hashOf: Statement
  readonly #put: Statement
  readonly #remove: Statement
  readonly #setHead: Statement
  /** The exclusive or of the hashes of all chunks read or written. */
  #sum: Uint8Array = new Uint8Array(32)
  #read = 0

  private constructor(private readonly file: SqliteFile) {
    this.#page = file.prepare(
      `SELECT number, hash, bytes FROM chunk WHERE stream = ? AND number >= ? ORDER BY number LIMIT ${PAGE_CHUNKS}`,
    )
    this.#hashOf = file.prepare('SELECT hash FROM chunk WHERE stream = ? AND number = ?')
    this.#put = file.prepare('INSERT OR REPLACE INTO chunk (stream, number, hash, bytes) VALUES (?, ?, ?, ?)')
    this.#remove = file.prepare('DELETE FROM chunk WHERE stream = ? AND number = ?')
    this.#setHead = file.prepare(
      `INSERT OR REPLACE INTO head (only, ledger, epoch, block, seq, leaf, flush, salt, digest)
       VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    const row = file.prepare('SELECT * FROM head').get([])
    this.head = row && headIn(row)
    this.#digest = row === undefined ? '' : String(row['digest'])
    if (row === undefined && this.#count() > 0) throw new Error('it holds chunks without a head')
  }

  /** Opens or makes the file. @throws Error for one that is not of this format. */
  static open(path: string): StateFile {
    const file = new SqliteFile(path, BUSY_MS)
    try {
      file.exec(PRAGMAS)
      if (file.pragma('application_id') === 0 && file.pragma('schema_version') === 0) file.exec(SCHEMA)
      checkFormat(file)
      return new StateFile(file)
    } catch (error) {
      file.close()
      throw error
    }
  }

  static delete(path: string): void {
    for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
  }

  /** @throws Error for a chunk whose bytes are not those that were written. */
  *chunks(stream: string): Generator<Chunk, void, undefined> {
    for (let next = 0; ; ) {
      const rows = this.#page.all([stream, next])
      for (const row of rows) {
        const number = Number(row['number'])
        const bytes = blobOf(row['bytes'])
        const written = blobOf(row['hash'])
        const found = hashOf(stream, number, bytes)
        if (!found.equals(written)) throw new Error(`chunk ${number} of its ${stream} is damaged`)
        this.#sum = xor(this.#sum, found)
        this.#read++
        next = number + 1
        yield { number, bytes }
      }
      if (rows.length < PAGE_CHUNKS) return
    }
  }

  /** To be called when everything was read. @throws Error where that is not everything that was written. */
  checkComplete(): void {
    const isWhole = this.head !== undefined && digestOf(this.head, this.#sum) === this.#digest
    if (!isWhole || this.#read !== this.#count()) {
      throw new Error('its chunks are not those that its position vouches for')
    }
  }

  /**
   * Writes what `save` puts and removes, and the head, or nothing.
   *
   * @throws LedgerError STATE_NOT_WRITTEN: the file holds what it held before.
   */
  write(head: StateHead, save: (sink: ChunkSink) => void): void {
    try {
      this.file.exec('BEGIN IMMEDIATE')
      let sum = this.#sum
      const leave = (stream: string, number: number): void => {
        const row = this.#hashOf.get([stream, number])
        if (row !== undefined) sum = xor(sum, blobOf(row['hash']))
      }
      save({
        put: (stream, number, bytes) => {
          leave(stream, number)
          const added = hashOf(stream, number, bytes)
          this.#put.run([stream, number, added, bytes])
          sum = xor(sum, added)
        },
        remove: (stream, number) => {
          leave(stream, number)
          this.#remove.run([stream, number])
        },
      })
      const { ledger, position, flush, salt } = head
      const { epoch, block, seq, leaf } = position
      this.#setHead.run([ledger, epoch, block, seq, leaf, flush, salt, digestOf(head, sum)])
      this.file.exec('COMMIT')
      this.#sum = sum
      this.file.exec('PRAGMA shrink_memory')
    } catch (error) {
      this.file.rollbackQuietly()
      throw notWritten(error)
    }
  }

  close(): void {
    this.file.close()
  }

  #count(): number {
    return Number(this.file.prepare('SELECT count(*) AS chunks FROM chunk').get([])?.['chunks'])
  }
}

/** "EpsS", beside the "EpsL" of the log. */
const APPLICATION_ID = 0x45707353
/** To be raised with every change of what the chunks mean, and of what `evolve` makes of a record. */
const FORMAT = 5
/** Short, because everybody waits meanwhile; a flush that met another program's lock is made up for by the next one. */
const BUSY_MS = 200
const PAGE_CHUNKS = 16

/**
 * A rollback journal, since nobody reads while one large write follows the other: it is as fast as a write-ahead log
 * here, has no checkpoints, and a connection that lingers after its file was replaced can do no harm to the new one. The
 * cache holds a whole flush, so that no page is written before the journal is safe; it is given back afterwards.
 */
const PRAGMAS = `
  PRAGMA page_size = 16384;
  PRAGMA journal_mode = TRUNCATE;
  PRAGMA synchronous = NORMAL;
  PRAGMA cache_size = -32768;
`

const SCHEMA = `
  BEGIN;
  CREATE TABLE chunk (
    stream TEXT NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (stream, number)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE head (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    ledger TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    block INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    leaf TEXT NOT NULL,
    flush INTEGER NOT NULL,
    salt TEXT NOT NULL,
    digest TEXT NOT NULL
  ) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
  COMMIT;
`

const checkFormat = (file: SqliteFile): void => {
  const application = file.pragma('application_id')
  if (application !== APPLICATION_ID) throw new Error(`its application id is ${application}, not ${APPLICATION_ID}`)
  const format = file.pragma('user_version')
  if (format !== FORMAT) throw new Error(`its format is ${format}; this program knows format ${FORMAT}`)
}

const headIn = (row: Row): StateHead => ({
  ledger: String(row['ledger']),
  position: {
    epoch: Number(row['epoch']),
    block: Number(row['block']),
    seq: Number(row['seq']),
    leaf: String(row['leaf']),
  },
  flush: Number(row['flush']),
  salt: String(row['salt']),
})

const hashOf = (stream: string, number: number, bytes: Uint8Array): Buffer =>
  createHash('sha256').update(`${stream}\0${number}\0`).update(bytes).digest()

/** The chunks' numbers are in the byte order of the machine: on another one they would be others. */
const digestOf = ({ ledger, position, flush, salt }: StateHead, sum: Uint8Array): string => {
  const { epoch, block, seq, leaf } = position
  const all = [FORMAT, endianness(), ledger, epoch, block, seq, leaf, flush, salt, Buffer.from(sum).toString('hex')]
  return hash('sha256', JSON.stringify(all), 'hex')
}

const xor = (one: Uint8Array, other: Uint8Array): Uint8Array => one.map((byte, index) => byte ^ (other[index] ?? 0))

const notWritten = (error: unknown): LedgerError =>
  new LedgerError('STATE_NOT_WRITTEN', `the derived state was not written: ${(error as Error).message}`, {
    retry: 'now',
    hint: `The log is not concerned; the next start replays more of it. ${sqliteCode(error) === 'SQLITE_FULL' ? 'Make room on the disk.' : 'Look at the disk of the data directory.'}`,
    cause: error,
  })
