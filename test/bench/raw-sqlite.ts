import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { blobOf, SqliteFile } from '../../src/adapters/sqlite-file.js'
import { recordsOf } from '../../src/ledger/block.js'

/** The records of a service's log, in groups of so many. The service must be stopped. */
export const recordGroups = (
  ledger: string,
  from: number,
  records: number,
  perGroup: number,
): readonly Uint8Array[][] => {
  const file = new SqliteFile(ledger, 5_000)
  const rows = file.prepare('SELECT * FROM blocks WHERE last >= ? ORDER BY number LIMIT ?').all([from, records])
  const lines = rows.flatMap((row) => [
    ...recordsOf({
      number: row['number'] as number,
      first: row['first'] as number,
      last: row['last'] as number,
      leaf: row['leaf'] as string,
      bytes: blobOf(row['bytes']),
    }),
  ])
  file.close()
  const wanted = lines.filter(({ seq }) => seq >= from).slice(0, records)
  const groups: Uint8Array[][] = []
  for (let at = 0; at + perGroup <= wanted.length; at += perGroup) {
    groups.push(wanted.slice(at, at + perGroup).map(({ bytes }) => bytes))
  }
  return groups
}

/**
 * Records a second that SQLite alone takes (WAL, `synchronous=FULL`, one transaction a group): one row a record, or one
 * row a group. It decides nothing, hashes nothing and answers nobody.
 */
export const appendRaw = (folder: string, groups: readonly Uint8Array[][], row: 'record' | 'group'): number => {
  const path = join(folder, 'raw.db')
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
  const file = new SqliteFile(path, 5_000)
  file.pragma('journal_mode=WAL')
  file.exec('PRAGMA synchronous=FULL; CREATE TABLE log (seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL)')
  const insert = file.prepare('INSERT INTO log (bytes) VALUES (?)')
  const blobs = row === 'record' ? groups : groups.map((group) => [Buffer.concat(group)])
  const from = performance.now()
  for (const group of blobs) {
    file.exec('BEGIN IMMEDIATE')
    for (const bytes of group) insert.run([bytes])
    file.exec('COMMIT')
  }
  const seconds = (performance.now() - from) / 1_000
  file.close()
  return groups.reduce((sum, group) => sum + group.length, 0) / seconds
}
