import type { Block, Position } from '../../ledger/block.js'
import { positionOf } from '../../ledger/block.js'
import { LedgerError } from '../../ledger/errors.js'
import { assertFollows, EventStore } from '../../ledger/event-store.js'
import { AppendSignal } from '../append-signal.js'
import { PostgresAppend } from './postgres-append.js'
import { blockFrom, blockIn, headOf, pageFrom } from './postgres-blocks.js'
import { type Patience, PostgresConnections } from './postgres-connections.js'
import { CHANNEL, PostgresListener } from './postgres-listener.js'
import { type PostgresAddress, PostgresPlace } from './postgres-place.js'
import { prepareTable } from './postgres-table.js'
import { closed, notGranted, readOnly } from './postgres-trouble.js'

export interface PostgresOptions extends PostgresAddress {
  /** How long a server may be away, or an outcome unknown, before callers are told: 30,000 where nothing is said. */
  readonly patienceMs?: number
}

/**
 * Blocks in one table of a PostgreSQL, one block a row; many ledgers can share it. Durable when an append resolves: the commit
 * waits for the disk, and for synchronous standbys where the server names some, whatever database and role say. All
 * blocks of an append are kept or none.
 */
export class PostgresStore extends EventStore {
  private readonly appended = new AppendSignal()
  private readonly listener: PostgresListener
  private readonly recent: Block[] = []
  private failure: LedgerError | undefined

  private constructor(
    private readonly connections: PostgresConnections,
    private readonly patience: Patience,
  ) {
    super()
    this.listener = new PostgresListener(connections.place, () => this.appended.raise())
  }

  /**
   * Opens a ledger's rows, of which there may be none yet, and makes the table where there is none.
   *
   * @throws LedgerError CONFIGURATION_INVALID, STORE_UNREACHABLE, STORE_NOT_CREATED, STORE_READ_ONLY, STORE_FORMAT_UNKNOWN.
   */
  static async open({ patienceMs = 30_000, ...address }: PostgresOptions): Promise<PostgresStore> {
    const connections = new PostgresConnections(new PostgresPlace(address), patienceMs)
    try {
      await prepareTable(connections)
    } catch (error) {
      await connections.close()
      throw error
    }
    return new PostgresStore(connections, { patienceMs })
  }

  override async append(blocks: readonly Block[], after: Position | undefined): Promise<Position> {
    assertFollows(blocks, after)
    if (this.failure !== undefined) throw this.failure
    const head = await this.settled(new PostgresAppend(this.connections, blocks, after))
    this.appended.raise()
    this.tellOthers()
    return head
  }

  override read(fromSeq: number): AsyncIterable<Block> {
    return this.pages(fromSeq, this.patience)
  }

  override async blockOf(seq: number): Promise<Block | undefined> {
    const known = this.recent.find(({ first, last }) => first <= seq && seq <= last)
    if (known !== undefined) return known
    const block = await this.one(blockFrom(this.place, seq))
    if (block === undefined || block.first > seq) return undefined
    this.recent.unshift(block)
    this.recent.length = Math.min(this.recent.length, MOST_RECENT)
    return block
  }

  override async head(): Promise<Position | undefined> {
    const block = await this.one(headOf(this.place))
    return block && positionOf(block)
  }

  /** Goes on by itself when the server was away, however long. */
  override async *subscribe(fromSeq: number, signal: AbortSignal): AsyncGenerator<Block, void, undefined> {
    const leave = this.listener.join()
    const over = AbortSignal.any([signal, this.connections.closing])
    const read = (seq: number) => this.pages(seq, { patienceMs: Number.POSITIVE_INFINITY, signal: over })
    try {
      yield* this.appended.follow(read, fromSeq, signal)
    } catch (error) {
      if (!over.aborted) throw error
    } finally {
      leave()
    }
  }

  /** Also whether an append would be taken. Gaps between the blocks are left to verification where there are more than {@link MOST_COUNTED}. */
  override async inspect(): Promise<LedgerError | undefined> {
    const { key } = this.place
    const [row] = await this.connections.ask({ text: INSPECTION, values: [key, MOST_COUNTED] }, this.patience)
    const { standby, readOnly: noWrites, mayInsert, fsync, least, most, count } = row as unknown as Inspection
    if (standby) return readOnly(this.place, 'it is a standby')
    if (noWrites) return readOnly(this.place, 'default_transaction_read_only is on')
    if (!mayInsert) return notGranted(this.place)
    if (fsync !== 'on')
      return this.unsound(
        'STORE_NOT_DURABLE',
        `fsync is ${fsync} there`,
        'Turn it on. What was written without it may go with the next power cut.',
      )
    if (least === null || most === null) return undefined
    if (least > 0) return this.unsound('STREAM_TRUNCATED', `its first block is ${least}, not 0`, KEEP)
    if (count === null || count === most + 1) return undefined
    return this.unsound(
      'STREAM_TRUNCATED',
      `its last block is ${most}, but it has ${count} blocks, not ${most + 1}`,
      KEEP,
    )
  }

  override async serverTimeMs(): Promise<number | undefined> {
    const [row] = await this.connections.ask({ text: SERVER_TIME }, this.patience)
    return row?.['ms'] as number | undefined
  }

  override async close(): Promise<void> {
    this.failure ??= closed(this.place)
    this.appended.close()
    this.listener.close()
    await this.connections.close()
  }

  private get place(): PostgresPlace {
    return this.connections.place
  }

  private async settled(append: PostgresAppend): Promise<Position> {
    try {
      return await append.settled(this.patience.patienceMs)
    } catch (error) {
      if (error instanceof LedgerError && error.code === 'APPEND_UNCERTAIN') this.failure = error
      throw error
    }
  }

  private async *pages(fromSeq: number, patience: Patience): AsyncGenerator<Block, void, undefined> {
    let next = fromSeq
    for (;;) {
      const rows = await this.connections.ask(pageFrom(this.place, next), patience)
      if (rows.length === 0) return
      for (const row of rows) {
        const block = blockIn(row, this.place)
        yield block
        next = block.last + 1
      }
    }
  }

  private async one(statement: {
    readonly text: string
    readonly values?: readonly unknown[]
  }): Promise<Block | undefined> {
    const [row] = await this.connections.ask(statement, this.patience)
    return row && blockIn(row, this.place)
  }

  /** After the commit, for a server lets only one transaction that notifies commit at a time. If it is lost, others poll. */
  private tellOthers(): void {
    const values = [CHANNEL, this.place.key]
    void this.connections.once({ text: 'SELECT pg_notify($1, $2)', values }).catch(() => undefined)
  }

  private unsound(code: string, what: string, hint: string): LedgerError {
    const message = `the ledger ${this.place.key} in ${this.place.name} is not sound: ${what}`
    return new LedgerError(code, message, { retry: 'never', hint, exitCode: 20 })
  }
}

/** Each of up to 512 KiB. */
const MOST_RECENT = 8
/** Counting reads an index, for about a second where there are so many. */
const MOST_COUNTED = 1_000_000
const KEEP = 'Keep the table as it is, and restore into an empty place.'

interface Inspection {
  readonly standby: boolean
  readonly readOnly: boolean
  readonly mayInsert: boolean
  readonly fsync: string
  readonly least: number | null
  readonly most: number | null
  readonly count: number | null
}

const SERVER_TIME = 'SELECT (extract(epoch FROM clock_timestamp()) * 1000) :: float8 AS ms'

const INSPECTION = `
  SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS "readOnly",
    has_table_privilege('epsilon_blocks', 'INSERT') AS "mayInsert", current_setting('fsync') AS fsync, least, most, CASE WHEN most - least < $2::bigint THEN
      (SELECT count(*) FROM epsilon_blocks WHERE ledger = $1) END AS count
  FROM (SELECT (SELECT min(number) FROM epsilon_blocks WHERE ledger = $1) AS least,
               (SELECT max(number) FROM epsilon_blocks WHERE ledger = $1) AS most) AS ends`
