import assert from 'node:assert/strict'
import { closeSync, existsSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Block, type Position, positionOf, samePosition } from '../ledger/block.js'
import { LedgerError } from '../ledger/errors.js'
import { AppendConflict, appendUncertain, assertFollows, EventStore } from '../ledger/event-store.js'
import { AppendSignal } from './append-signal.js'
import { syncFolder } from './durable-file.js'
import { blobOf, type Row, SqliteFile, type Statement } from './sqlite-file.js'

/**
 * Blocks in one SQLite file, one block a row, readable with any SQLite shell. Durable when an append resolves: write-ahead log with
 * `synchronous=FULL`, one fsync an append; all blocks of an append are kept or none.
 */
export class SqliteStore extends EventStore {
  private readonly appended = new AppendSignal()
  private readonly headRow: Statement
  private readonly setHead: Statement
  private readonly insert: Statement
  private readonly page: Statement
  private readonly containing: Statement
  private failure: LedgerError | undefined
  private sinceCheckpoint = 0
  private hasWritten = false

  private constructor(
    private readonly path: string,
    private readonly file: SqliteFile,
  ) {
    super()
    this.headRow = file.prepare('SELECT block, seq, leaf FROM head')
    this.setHead = file.prepare('INSERT OR REPLACE INTO head (only, block, seq, leaf) VALUES (1, ?, ?, ?)')
    this.insert = file.prepare('INSERT INTO blocks (number, first, last, leaf, bytes) VALUES (?, ?, ?, ?, ?)')
    this.page = file.prepare(`SELECT * FROM blocks WHERE number >= ? ORDER BY number LIMIT ${PAGE_BLOCKS}`)
    this.containing = file.prepare('SELECT * FROM blocks WHERE first <= ? ORDER BY first DESC LIMIT 1')
  }

  /** Makes a new, empty store. Throws `STORE_EXISTS` where there is one already, `STORE_NOT_CREATED` where it cannot be. */
  static create(path: string): SqliteStore {
    if (existsSync(path) || existsSync(`${path}-wal`)) {
      throw new LedgerError('STORE_EXISTS', `${path} is there already`, {
        retry: 'never',
        hint: 'Open it, or choose another place.',
      })
    }
    try {
      build(path)
    } catch (error) {
      throw new LedgerError('STORE_NOT_CREATED', `${path} could not be created: ${(error as Error).message}`, {
        retry: 'after-restart',
        hint: 'Look at the free space and the rights of that folder.',
        cause: error,
      })
    }
    return SqliteStore.open(path)
  }

  /** Throws `STORE_MISSING` where there is no file, `STORE_UNREADABLE` where it is none of ours or damaged. */
  static open(path: string): SqliteStore {
    if (!existsSync(path)) {
      throw new LedgerError('STORE_MISSING', `there is no ledger at ${path}`, {
        retry: 'never',
        hint: 'Name the data directory of a ledger, or start the service once to create one.',
        exitCode: 10,
      })
    }
    const file = readable(path, () => {
      const opened = new SqliteFile(path, BUSY_MS)
      checkIdentity(path, opened)
      opened.exec('PRAGMA synchronous=FULL')
      // Checkpoints are ours, so that an error in one is seen: SQLite's automatic ones swallow it.
      opened.pragma('wal_autocheckpoint=0')
      opened.pragma('journal_mode=WAL')
      return opened
    })
    assert.deepEqual([file.pragma('journal_mode'), file.pragma('synchronous')], ['wal', SYNCHRONOUS_FULL])
    return readable(path, () => new SqliteStore(path, file))
  }

  override async append(blocks: readonly Block[], after: Position | undefined): Promise<Position> {
    assertFollows(blocks, after)
    if (this.failure !== undefined) throw this.failure
    const conflict = this.attempt(blocks, () => this.insertAll(blocks, after))
    if (conflict !== undefined) throw conflict
    this.hasWritten = true
    this.attempt(blocks, () => this.checkpointWhenDue(blocks))
    this.appended.raise()
    return positionOf(blocks.at(-1) as Block)
  }

  override async *read(fromSeq: number): AsyncGenerator<Block, void, undefined> {
    let next = this.firstNumber(fromSeq)
    for (;;) {
      const rows = readable(this.path, () => this.page.all([next]))
      for (const row of rows) yield blockIn(row)
      if (rows.length < PAGE_BLOCKS) return
      next = (rows.at(-1)?.['number'] as number) + 1
    }
  }

  override blockOf(seq: number): Block | undefined {
    const block = this.blockFrom(seq)
    return block !== undefined && seq <= block.last ? block : undefined
  }

  override async head(): Promise<Position | undefined> {
    return readable(this.path, () => this.currentHead())
  }

  override subscribe(fromSeq: number, signal: AbortSignal): AsyncIterable<Block> {
    return this.appended.follow((seq) => this.read(seq), fromSeq, signal)
  }

  /** The writer's handle leaves everything in the one file; a reader's must not hold up the writer by doing so. */
  override async close(): Promise<void> {
    if (this.failure === undefined && this.hasWritten) this.file.pragma('wal_checkpoint(TRUNCATE)')
    this.failure ??= new LedgerError('STORE_CLOSED', `${this.path} was closed`, { retry: 'after-restart' })
    this.appended.close()
    this.file.close()
  }

  private insertAll(blocks: readonly Block[], after: Position | undefined): AppendConflict | undefined {
    this.file.exec('BEGIN IMMEDIATE')
    const head = this.currentHead()
    if (!samePosition(head, after)) {
      this.file.exec('ROLLBACK')
      return new AppendConflict(after, head)
    }
    for (const { number, first, last, leaf, bytes } of blocks) this.insert.run([number, first, last, leaf, bytes])
    const { block, seq, leaf } = positionOf(blocks.at(-1) as Block)
    this.setHead.run([block, seq, leaf])
    this.file.exec('COMMIT')
    return undefined
  }

  private checkpointWhenDue(blocks: readonly Block[]): void {
    for (const { bytes } of blocks) this.sinceCheckpoint += bytes.length
    if (this.sinceCheckpoint < CHECKPOINT_BYTES) return
    this.file.pragma('wal_checkpoint(PASSIVE)')
    this.sinceCheckpoint = 0
  }

  /** After any error the outcome is unknown and the handle is done with: a later fsync may call lost pages clean. */
  private attempt<Result>(blocks: readonly Block[], action: () => Result): Result {
    try {
      return action()
    } catch (error) {
      this.file.rollbackQuietly()
      this.failure = appendUncertain(blocks, error)
      throw this.failure
    }
  }

  private currentHead(): Position | undefined {
    const row = this.headRow.get([])
    return row && { block: row['block'] as number, seq: row['seq'] as number, leaf: row['leaf'] as string }
  }

  private firstNumber(fromSeq: number): number {
    const block = this.blockFrom(fromSeq)
    if (block === undefined) return 0
    return fromSeq <= block.last ? block.number : block.number + 1
  }

  /** The last block that begins at `seq` or below. */
  private blockFrom(seq: number): Block | undefined {
    const row = readable(this.path, () => this.containing.get([seq]))
    return row && blockIn(row)
  }
}

/** "EpsL": `file` and `sqlite3` show it, and no other program's database has it. */
const APPLICATION_ID = 0x4570734c
const FORMAT = 1
const SYNCHRONOUS_FULL = 2
const BUSY_MS = 5_000
/** A slow reader holds a page of blocks in memory, and there may be many. */
const PAGE_BLOCKS = 2
const CHECKPOINT_BYTES = 4 * 1024 * 1024

const SCHEMA = `
  CREATE TABLE blocks (
    number INTEGER PRIMARY KEY,
    first INTEGER NOT NULL UNIQUE,
    last INTEGER NOT NULL,
    leaf TEXT NOT NULL,
    bytes BLOB NOT NULL
  ) STRICT;
  CREATE TABLE head (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    block INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    leaf TEXT NOT NULL
  ) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
`

/** The file gets its name only when it is whole: one without its tables is never a new ledger, but a damaged one. */
const build = (path: string): void => {
  const draft = `${path}.new`
  rmSync(draft, { force: true })
  closeSync(openSync(draft, 'wx', 0o600))
  const file = new SqliteFile(draft, BUSY_MS)
  file.exec('PRAGMA synchronous=FULL')
  file.exec(`BEGIN; ${SCHEMA} COMMIT`)
  file.close()
  renameSync(draft, path)
  syncFolder(dirname(path))
}

const checkIdentity = (path: string, file: SqliteFile): void => {
  const application = file.pragma('application_id')
  if (application !== APPLICATION_ID)
    throw unreadable(path, `its application id is ${application}, not ${APPLICATION_ID}`)
  const format = file.pragma('user_version')
  if (format === FORMAT) return
  throw new LedgerError('STORE_FORMAT_UNKNOWN', `${path} has format ${format}; this program knows format ${FORMAT}`, {
    retry: 'never',
    hint: 'Use the version of the program that wrote it, or a newer one.',
    exitCode: 3,
  })
}

/** A row of `blocks` as the block it is. */
export const blockIn = (row: Row): Block => ({
  number: row['number'] as number,
  first: row['first'] as number,
  last: row['last'] as number,
  leaf: row['leaf'] as string,
  bytes: blobOf(row['bytes']),
})

/** What `action` reads from the store at `path`. @throws LedgerError STORE_UNREADABLE where SQLite cannot. */
export const readable = <Result>(path: string, action: () => Result): Result => {
  try {
    return action()
  } catch (error) {
    if (error instanceof LedgerError) throw error
    throw unreadable(path, (error as Error).message, error)
  }
}

const unreadable = (path: string, why: string, cause?: unknown): LedgerError =>
  new LedgerError('STORE_UNREADABLE', `${path} cannot be read as a ledger: ${why}`, {
    retry: 'never',
    hint: 'Keep the file as it is, and restore into an empty place.',
    cause,
    exitCode: 20,
  })
