import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { SqliteFile } from '../adapters/sqlite-file.js'
import { blockIn, readable } from '../adapters/sqlite-store.js'
import type { Block, Position } from '../ledger/block.js'
import { LedgerError } from '../ledger/errors.js'
import { EXIT } from './io.js'

/**
 * The blocks of a ledger's file, through a connection that cannot write: beside a running service, after one that
 * cannot start, and on a medium that takes no writes.
 */
export class ReadOnlyStore {
  private constructor(
    private readonly path: string,
    private readonly file: SqliteFile,
  ) {}

  /** Throws `STORE_MISSING`, and `STORE_UNREADABLE` for what is no ledger. */
  static open(path: string): ReadOnlyStore {
    if (!existsSync(path)) {
      throw new LedgerError('STORE_MISSING', `there is no ledger at ${path}`, {
        retry: 'never',
        hint: 'name the data directory of a ledger with --data',
        exitCode: EXIT.notFound,
      })
    }
    return readable(path, () => {
      try {
        return ReadOnlyStore.#opened(path, 'mode=ro')
      } catch (error) {
        // Nobody writes where nothing can be written, and a log that was closed has nothing beside its file.
        if (existsSync(`${path}-wal`)) throw error
        return ReadOnlyStore.#opened(path, 'immutable=1')
      }
    })
  }

  static #opened(path: string, mode: string): ReadOnlyStore {
    const file = new SqliteFile(`${pathToFileURL(path)}?${mode}`, BUSY_MS)
    file.prepare('SELECT block, seq, leaf FROM head').get([])
    return new ReadOnlyStore(path, file)
  }

  /** What the last append left beside the blocks; undefined for an empty log. */
  head(): Position | undefined {
    const row = readable(this.path, () => this.file.prepare('SELECT block, seq, leaf FROM head').get([]))
    return row && { block: row['block'] as number, seq: row['seq'] as number, leaf: row['leaf'] as string }
  }

  /** Blocks in order, up to block number `last`, from the first or from number `from`; throws `STORE_UNREADABLE` where the file is damaged. */
  *blocks(last: number, from = 0): Generator<Block, void, undefined> {
    const page = this.file.prepare('SELECT * FROM blocks WHERE number >= ? AND number <= ? ORDER BY number LIMIT 16')
    for (let next = from; next <= last; ) {
      const rows = readable(this.path, () => page.all([next, last]))
      for (const row of rows) yield blockIn(row)
      const end = rows.at(-1)?.['number']
      if (typeof end !== 'number') return
      next = end + 1
    }
  }

  /** Whether SQLite finds its own structures whole; the first thing that it says otherwise. */
  quickCheck(): string {
    return readable(this.path, () => String(this.file.pragma('quick_check(1)')))
  }

  close(): void {
    this.file.close()
  }
}

const BUSY_MS = 5_000
