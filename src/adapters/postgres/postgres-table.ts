import { LedgerError } from '../../ledger/errors.js'
import type { PostgresConnections, Row } from './postgres-connections.js'
import type { PostgresPlace } from './postgres-place.js'
import { grantSql, isTaken, isThere, mayNot, refusalIn, unreachable } from './postgres-trouble.js'

/** Ledgers are compared byte by byte: an order that depends on the system's languages changes with the system, and spoils an index. */
const TABLE = `epsilon_blocks (
  ledger text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  first bigint NOT NULL,
  last bigint NOT NULL,
  leaf text COLLATE "C" NOT NULL,
  bytes bytea NOT NULL,
  PRIMARY KEY (ledger, number),
  UNIQUE (ledger, last)
);`

/** What the owner of the database runs where the service's role may not make a table. */
export const TABLE_SQL = `CREATE TABLE IF NOT EXISTS ${TABLE}`

/** What the service's role runs where it may: as the owner it could do everything, and leaves itself what it needs. */
const OWN_TABLE_SQL = `CREATE TABLE ${TABLE}
REVOKE ALL ON epsilon_blocks FROM CURRENT_USER;
GRANT SELECT, INSERT ON epsilon_blocks TO CURRENT_USER;`

/**
 * Makes the table where there is none, and looks whether one that is there is ours.
 *
 * @throws LedgerError STORE_NOT_CREATED with the SQL for the owner of the database, STORE_FORMAT_UNKNOWN, STORE_UNREACHABLE,
 * STORE_READ_ONLY.
 */
export const prepareTable = async (connections: PostgresConnections): Promise<void> => {
  const { place } = connections
  try {
    const found = await shapeOf(connections)
    if (found.length === 0) await create(connections)
    checkShape(found.length === 0 ? await shapeOf(connections) : found, place)
  } catch (error) {
    if (error instanceof LedgerError) throw error
    throw refusalIn(error, place) ?? unreachable(place, error)
  }
}

const create = async (connections: PostgresConnections): Promise<void> => {
  try {
    await connections.once({ text: OWN_TABLE_SQL })
  } catch (error) {
    if (mayNot(error)) throw notCreated(connections.place, error)
    // Two that begin at the same moment both try, and one of them finds the table there, or fails on the catalogue's own keys.
    if (!isThere(error) && !isTaken(error)) throw error
  }
}

/** One line for each thing that matters; none where there is no table. */
const shapeOf = async (connections: PostgresConnections): Promise<readonly string[]> =>
  (await connections.once({ text: SHAPE })).rows.map((row: Row) => String(row['line']))

const checkShape = (found: readonly string[], { name }: PostgresPlace): void => {
  const wrong = [
    ...found.filter((line) => !EXPECTED.includes(line)),
    ...EXPECTED.filter((line) => !found.includes(line)),
  ]
  if (wrong.length === 0) return
  throw new LedgerError(
    'STORE_FORMAT_UNKNOWN',
    `the table epsilon_blocks in ${name} has another shape than this program's: ${wrong.join('; ')}`,
    {
      retry: 'never',
      hint: 'Use the version of the program that made it, or another schema for this one.',
      exitCode: 3,
    },
  )
}

const EXPECTED: readonly string[] = [
  'kept: permanent',
  'column ledger: text COLLATE "C" NOT NULL',
  'column number: bigint NOT NULL',
  'column first: bigint NOT NULL',
  'column last: bigint NOT NULL',
  'column leaf: text COLLATE "C" NOT NULL',
  'column bytes: bytea NOT NULL',
  'key: PRIMARY KEY (ledger, number)',
  'key: UNIQUE (ledger, last)',
]

const SHAPE = `
  SELECT 'kept: ' || CASE relpersistence WHEN 'p' THEN 'permanent' ELSE 'not after a crash' END AS line
    FROM pg_class WHERE oid = to_regclass('epsilon_blocks')
  UNION ALL
  SELECT 'column ' || attname || ': ' || format_type(atttypid, atttypmod)
         || coalesce((SELECT ' COLLATE "' || collname || '"' FROM pg_collation c WHERE c.oid = attcollation), '')
         || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END
    FROM pg_attribute WHERE attrelid = to_regclass('epsilon_blocks') AND attnum > 0 AND NOT attisdropped
  UNION ALL
  SELECT 'key: ' || pg_get_constraintdef(oid)
    FROM pg_constraint WHERE conrelid = to_regclass('epsilon_blocks') AND contype IN ('p', 'u')`

const notCreated = ({ name, role }: PostgresPlace, cause: unknown): LedgerError =>
  new LedgerError('STORE_NOT_CREATED', `${name} has no table epsilon_blocks, and the role may not create it`, {
    retry: 'after-restart',
    hint: `The owner of the database runs:\n${TABLE_SQL}\n${grantSql(role)}\n-- In a schema that the role has USAGE on, and finds by its search_path.`,
    cause,
    exitCode: 3,
  })
