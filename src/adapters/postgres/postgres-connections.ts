import { setMaxListeners } from 'node:events'
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { LedgerError } from '../../ledger/errors.js'
import { Backoff } from '../backoff.js'
import type { PostgresPlace } from './postgres-place.js'
import { closed, isTaken, NotConnected, refusalIn, unreachable } from './postgres-trouble.js'

export type Row = Readonly<Record<string, unknown>>

export interface Statement {
  readonly text: string
  readonly values?: readonly unknown[]
}

export interface Patience {
  /** How long a server may be away before the answer is that it is. */
  readonly patienceMs: number
  /** Ends the waiting at once, also when the connections are closed; where there is none, closing alone does. */
  readonly signal?: AbortSignal
}

export interface Answer {
  readonly rows: readonly Row[]
  /** The commit stopped waiting for its standbys, which somebody told it to: it is on the primary alone, perhaps. */
  readonly unconfirmed: boolean
}

/** A few connections, made when they are needed and dropped when anything is wrong with them. */
export class PostgresConnections {
  private readonly pool: pg.Pool
  private readonly busy = new Set<pg.PoolClient>()
  private readonly sockets = new Set<Socket>()
  private readonly over = new AbortController()

  /** How long a connection may take to come about. */
  readonly connectMs: number
  /** How long one is believed in that does not answer; after that another one is tried. */
  private readonly answerMs: number

  constructor(
    readonly place: PostgresPlace,
    patienceMs: number,
  ) {
    this.connectMs = Math.min(MOST_CONNECT_MS, patienceMs / 3)
    this.answerMs = Math.min(MOST_ANSWER_MS, patienceMs / 3)
    this.pool = place.pool(MOST_CONNECTIONS, this.connectMs, () => this.newSocket())
    // Everything that waits for an answer listens.
    setMaxListeners(0, this.over.signal)
    // An idle connection that breaks is dropped by the pool.
    this.pool.on('error', () => undefined)
  }

  /** Aborted when it is closed. */
  get closing(): AbortSignal {
    return this.over.signal
  }

  /**
   * One statement, sent once, in a transaction of its own. Rejects with {@link NotConnected} where it was not sent; after any
   * other error but the server's own refusal it may still be carried out, now or later. After `deadline`, by the monotonic
   * clock, no answer is waited for.
   */
  async once({ text, values }: Statement, deadline = Number.POSITIVE_INFINITY): Promise<Answer> {
    const client = await this.connection()
    let unconfirmed = false
    const notice = ({ routine }: { readonly routine?: string | undefined }): void => {
      unconfirmed ||= routine === 'SyncRepWaitForLSN'
    }
    let spoilt: unknown
    client.on('notice', notice)
    try {
      const limit = Math.max(1, Math.min(deadline - performance.now(), this.answerMs))
      const query: pg.QueryConfig & { query_timeout: number } = {
        text,
        values: [...(values ?? [])],
        query_timeout: limit,
      }
      return { rows: (await client.query<Row>(query)).rows, unconfirmed }
    } catch (error) {
      spoilt = isTaken(error) ? undefined : error
      throw error
    } finally {
      client.off('notice', notice)
      this.giveBack(client, spoilt !== undefined)
    }
  }

  /**
   * What a statement that only reads gives, asked again while the server is away.
   *
   * @throws LedgerError STORE_UNREACHABLE when patience ends, or what {@link refusalIn} says; STORE_CLOSED.
   */
  async ask(statement: Statement, { patienceMs, signal }: Patience): Promise<readonly Row[]> {
    const deadline = performance.now() + patienceMs
    const backoff = new Backoff(FIRST_PAUSE_MS)
    const enough = signal ?? this.closing
    for (;;) {
      try {
        return (await unlessAborted(() => this.once(statement), enough)).rows
      } catch (error) {
        const last = this.closedError() ?? refusalIn(error, this.place)
        if (last !== undefined) throw last
        if (enough.aborted || performance.now() + backoff.nextMs > deadline) throw unreachable(this.place, error)
      }
      await backoff.wait(enough)
    }
  }

  closedError(): LedgerError | undefined {
    return this.over.signal.aborted ? closed(this.place) : undefined
  }

  /** Ends all connections; what still waits for an answer does not get it. */
  async close(): Promise<void> {
    if (this.over.signal.aborted) return
    this.over.abort()
    // With a statement under way, that breaks the connection.
    for (const client of this.busy) void client.end()
    const ended = this.pool.end()
    await Promise.race([ended, sleep(GOODBYE_MS, undefined, { ref: false })])
    // A server that is frozen says no goodbye, and lets nobody in who is still at its door.
    for (const socket of this.sockets) socket.destroy()
    await ended
  }

  private async connection(): Promise<pg.PoolClient> {
    try {
      const client = await this.pool.connect()
      // The statement that is under way says what went wrong.
      client.on('error', ignore)
      this.busy.add(client)
      return client
    } catch (error) {
      throw new NotConnected(error)
    }
  }

  private newSocket(): Socket {
    const socket = new Socket()
    this.sockets.add(socket)
    return socket.once('close', () => this.sockets.delete(socket))
  }

  private giveBack(client: pg.PoolClient, spoilt: boolean): void {
    this.busy.delete(client)
    client.release(spoilt)
    client.off('error', ignore)
  }
}

const MOST_CONNECTIONS = 4
/** Of the first pause between attempts: most connections break once and are there again. */
export const FIRST_PAUSE_MS = 5
const MOST_CONNECT_MS = 5_000
/** A server that was frozen may go on with the same connection. */
const MOST_ANSWER_MS = 10_000
const GOODBYE_MS = 300

const ignore = (): void => undefined

const unlessAborted = async <Result>(action: () => Promise<Result>, signal: AbortSignal): Promise<Result> => {
  if (signal.aborted) throw signal.reason
  let stop = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([action(), aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
