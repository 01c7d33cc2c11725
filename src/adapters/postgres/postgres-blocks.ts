import type { Block } from '../../ledger/block.js'
import { LedgerError } from '../../ledger/errors.js'
import type { Row, Statement } from './postgres-connections.js'
import type { PostgresPlace } from './postgres-place.js'

const COLUMNS = 'number, first, last, leaf, bytes'

/** A reader holds a page in memory, and there may be many: 1 MiB and one block at most. */
export const pageFrom = ({ key }: PostgresPlace, seq: number): Statement => ({
  text: `
    SELECT ${COLUMNS} FROM (
      SELECT *, sum(octet_length(bytes)) OVER (ORDER BY last) - octet_length(bytes) AS bytes_before
      FROM epsilon_blocks WHERE ledger = $1 AND last >= $2 ORDER BY last LIMIT 500) AS page
    WHERE bytes_before < 1048576 ORDER BY last`,
  values: [key, seq],
})

/** The block that holds a record, or else the first above it. */
export const blockFrom = ({ key }: PostgresPlace, seq: number): Statement => ({
  text: `SELECT ${COLUMNS} FROM epsilon_blocks WHERE ledger = $1 AND last >= $2 ORDER BY last LIMIT 1`,
  values: [key, seq],
})

export const blocksBetween = ({ key }: PostgresPlace, from: number, to: number): Statement => ({
  text: `SELECT ${COLUMNS} FROM epsilon_blocks WHERE ledger = $1 AND number BETWEEN $2 AND $3`,
  values: [key, from, to],
})

/** The last block, without its bytes. */
export const headOf = ({ key }: PostgresPlace): Statement => ({
  text: `SELECT number, first, last, leaf, '' :: bytea AS bytes FROM epsilon_blocks WHERE ledger = $1 ORDER BY number DESC LIMIT 1`,
  values: [key],
})

/** @throws LedgerError STORE_UNREADABLE where the numbers are none that a block has. */
export const blockIn = (row: Row, { name, key }: PostgresPlace): Block => {
  const { number, first, last, leaf, bytes } = row
  for (const value of [number, first, last]) {
    if (Number.isSafeInteger(value) && (value as number) >= 0) continue
    throw new LedgerError(
      'STORE_UNREADABLE',
      `a row of ${key} in ${name} is none that a ledger wrote: block ${number} holds records ${first} to ${last}`,
      { retry: 'never', hint: 'Keep the table as it is, and restore into an empty place.', exitCode: 20 },
    )
  }
  return { number, first, last, leaf, bytes } as unknown as Block
}
