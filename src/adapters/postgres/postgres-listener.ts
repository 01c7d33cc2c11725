import { Socket } from 'node:net'
import type pg from 'pg'
import { pause } from '../../application/pause.js'
import type { PostgresPlace } from './postgres-place.js'

export const CHANNEL = 'epsilon_blocks'

/**
 * Says that others have appended, perhaps: when they notify, once a second, and when a connection was made again. It listens
 * on a connection of its own, while anybody follows.
 */
export class PostgresListener {
  private followers = 0
  private stop: AbortController | undefined

  constructor(
    private readonly place: PostgresPlace,
    private readonly onChange: () => void,
  ) {}

  /** Listens until the function that it gives is called. */
  join(): () => void {
    this.followers++
    if (this.stop === undefined) this.start()
    return () => {
      if (--this.followers === 0) this.close()
    }
  }

  close(): void {
    this.stop?.abort()
    this.stop = undefined
  }

  private start(): void {
    this.stop = new AbortController()
    const { signal } = this.stop
    // Not every way to a server carries notifications, and a connection may be dead for a while before anybody knows.
    const poll = setInterval(this.onChange, POLL_MS)
    signal.addEventListener('abort', () => clearInterval(poll))
    void this.listen(signal)
  }

  private async listen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.session(signal).catch(() => undefined)
      await pause(POLL_MS, signal)
    }
  }

  /** Ends with its connection. */
  private async session(signal: AbortSignal): Promise<void> {
    const socket = new Socket()
    const client = this.place.client(socket)
    const ended = new Promise<void>((resolve) => client.once('end', resolve))
    // Nothing is under way here that a server would have to be told the end of.
    const end = (): void => void socket.destroy()
    client.on('error', end)
    client.on('notification', ({ payload }: pg.Notification) => payload === this.place.key && this.onChange())
    signal.addEventListener('abort', end)
    try {
      await client.connect()
      if (signal.aborted) return end()
      await client.query(LISTEN)
      this.onChange()
      await ended
    } finally {
      signal.removeEventListener('abort', end)
      end()
    }
  }
}

const POLL_MS = 1_000

const LISTEN: pg.QueryConfig & { query_timeout: number } = { text: `LISTEN ${CHANNEL}`, query_timeout: 10_000 }
