import { type Block, type Position, positionOf, samePosition } from '../../ledger/block.js'
import { LedgerError } from '../../ledger/errors.js'
import { AppendConflict, appendUncertain } from '../../ledger/event-store.js'
import { Backoff } from '../backoff.js'
import { blockIn, blocksBetween, headOf } from './postgres-blocks.js'
import { FIRST_PAUSE_MS, type PostgresConnections, type Statement } from './postgres-connections.js'
import { isTaken, NotConnected, refusalIn, unreachable } from './postgres-trouble.js'

/**
 * One append, which ends when its outcome is known.
 *
 * An INSERT whose answer is lost may still be carried out, seconds later, by a server that was frozen. So "it is not there" is
 * never concluded from a look at the rows. The same INSERT is sent again instead: it waits for the first one where that is under
 * way, and of two only one can have the keys. Once the rows are there, or another's in their place, no late INSERT changes anything.
 */
export class PostgresAppend {
  /** An INSERT was sent, and what became of it was not heard. */
  private unclear = false
  private readonly position: Position

  constructor(
    private readonly connections: PostgresConnections,
    private readonly blocks: readonly Block[],
    private readonly after: Position | undefined,
  ) {
    this.position = positionOf(blocks.at(-1) as Block)
  }

  /**
   * @throws AppendConflict; LedgerError APPEND_UNCERTAIN, or where surely nothing was written STORE_UNREACHABLE or what the
   * server refuses.
   */
  async settled(patienceMs: number): Promise<Position> {
    const { place, closing, connectMs } = this.connections
    const deadline = performance.now() + patienceMs
    const backoff = new Backoff(FIRST_PAUSE_MS)
    for (;;) {
      let trouble: unknown
      try {
        return await this.attempt(deadline)
      } catch (error) {
        if (error instanceof AppendConflict) throw error
        const refusal = error instanceof LedgerError ? error : refusalIn(error, place)
        if (refusal !== undefined && !this.unclear) throw refusal
        trouble = error
      }
      if (closing.aborted || performance.now() + backoff.nextMs + connectMs >= deadline) {
        if (this.unclear) throw appendUncertain(this.blocks, trouble)
        throw this.connections.closedError() ?? unreachable(place, trouble)
      }
      await backoff.wait(closing)
    }
  }

  private async attempt(deadline: number): Promise<Position> {
    if (await this.insert(deadline)) return this.position
    if (!this.unclear || (await this.isTakenByOthers(deadline))) throw await this.conflict(deadline)
    // What is seen may be on the primary alone, if it was killed while the first INSERT waited for a standby.
    const { unconfirmed } = await this.connections.once(BARRIER, deadline)
    if (unconfirmed) throw new Error('the server stopped waiting for its standby')
    return this.position
  }

  /** Whether the blocks were added, durably. */
  private async insert(deadline: number): Promise<boolean> {
    const { connections } = this
    try {
      const { rows, unconfirmed } = await connections.once(this.statement(), deadline)
      if (unconfirmed) throw new Error('the server stopped waiting for its standby')
      return rows[0]?.['added'] === this.blocks.length
    } catch (error) {
      if (isTaken(error)) return false
      this.unclear ||= !(error instanceof NotConnected) && refusalIn(error, connections.place) === undefined
      throw error
    }
  }

  /** False where exactly these blocks are there. Throws where neither they are nor anything that keeps them out. */
  private async isTakenByOthers(deadline: number): Promise<boolean> {
    const [{ number: firstNumber }, { number: lastNumber }] = [this.blocks[0] as Block, this.blocks.at(-1) as Block]
    const from = this.after?.block ?? firstNumber
    const { rows } = await this.connections.once(blocksBetween(this.connections.place, from, lastNumber), deadline)
    const kept = new Map(rows.map((row) => [row['number'], blockIn(row, this.connections.place)]))
    if (this.blocks.every((block) => isSame(block, kept.get(block.number)))) return false
    if (kept.has(firstNumber)) return true
    const before = this.after && kept.get(this.after.block)
    if (before !== undefined && !samePosition(positionOf(before), this.after)) return true
    throw new Error(`block ${firstNumber} is not there, and cannot follow block ${from}`)
  }

  private async conflict(deadline: number): Promise<AppendConflict> {
    const { rows } = await this.connections.once(headOf(this.connections.place), deadline)
    const [row] = rows
    return new AppendConflict(this.after, row && positionOf(blockIn(row, this.connections.place)))
  }

  /** All bytes are one value, as they are: lists of values travel as text. */
  private statement(): Statement {
    const { blocks, after } = this
    const sizes = blocks.map(({ bytes }) => bytes.length)
    const starts: number[] = []
    let start = 1
    for (const size of sizes) {
      starts.push(start)
      start += size
    }
    const values: unknown[] = [
      this.connections.place.key,
      blocks.map(({ number }) => number),
      blocks.map(({ first }) => first),
      blocks.map(({ last }) => last),
      blocks.map(({ leaf }) => leaf),
      starts,
      sizes,
      Buffer.concat(blocks.map(({ bytes }) => bytes)),
    ]
    if (after === undefined) return { text: insertWhere(IS_EMPTY), values }
    return { text: insertWhere(ENDS_WITH), values: [...values, after.block, after.seq, after.leaf] }
  }
}

/** One statement is one transaction: all blocks or none. The setting holds for it alone, and goes before all others. */
const insertWhere = (condition: string): string => `
  WITH added AS (
    INSERT INTO epsilon_blocks (ledger, number, first, last, leaf, bytes)
    SELECT $1, number, first, last, leaf, substring($8::bytea FROM start FOR size)
    FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::int[], $7::int[])
      AS block (number, first, last, leaf, start, size)
    WHERE ${condition}
    RETURNING number)
  SELECT count(*) AS added, set_config('synchronous_commit', 'on', true) FROM added`

const IS_EMPTY = 'NOT EXISTS (SELECT FROM epsilon_blocks WHERE ledger = $1)'

const ENDS_WITH = `
  EXISTS (SELECT FROM epsilon_blocks WHERE ledger = $1 AND number = $9 AND last = $10 AND leaf = $11)
  AND NOT EXISTS (SELECT FROM epsilon_blocks WHERE ledger = $1 AND number > $9)`

/** Commits something that is no row, and waits as for a row: when it returns, all that was visible before is as durable. */
const BARRIER: Statement = {
  text: `SELECT set_config('synchronous_commit', 'on', true), pg_logical_emit_message(true, 'epsilon_blocks', '')`,
}

const isSame = (block: Block, kept: Block | undefined): boolean =>
  kept !== undefined &&
  kept.first === block.first &&
  kept.last === block.last &&
  kept.leaf === block.leaf &&
  Buffer.compare(kept.bytes, block.bytes) === 0
