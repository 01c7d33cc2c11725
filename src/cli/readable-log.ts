import { DataDirectory } from '../adapters/data-directory.js'
import { openServerStore } from '../adapters/stores.js'
import { readStoreSettings } from '../configuration.js'
import type { Block, Position } from '../ledger/block.js'
import type { EventStore } from '../ledger/event-store.js'
import { ReadOnlyStore } from './read-only-store.js'

/** A log that is only read, wherever it is kept. Errors are those of its store. */
export interface ReadableLog {
  /** Of its last record; undefined for an empty log. */
  head(): Promise<Position | undefined>
  /** Blocks in order, from the one after `after`, or else the first, up to number `last`. */
  blocks(last: number, after?: Position): AsyncIterable<Block>
  /** The block that should end there. */
  block(position: Position): Promise<Block | undefined>
  close(): Promise<void>
}

/** The log of a data directory: its own file, or the one on the server that the environment names. */
export const openLogOf = async (data: string, settings = readStoreSettings(process.env)): Promise<ReadableLog> => {
  if (settings.kind !== 'sqlite') return new LogOnServer(await openServerStore(settings))
  return new LogInFile(ReadOnlyStore.open(DataDirectory.inspect(data).file('ledger.db')))
}

/** Beside a running service, through a connection that cannot write. */
export class LogInFile implements ReadableLog {
  constructor(private readonly store: ReadOnlyStore) {}

  async head(): Promise<Position | undefined> {
    return this.store.head()
  }

  async *blocks(last: number, after?: Position): AsyncGenerator<Block, void, undefined> {
    yield* this.store.blocks(last, after === undefined ? 0 : after.block + 1)
  }

  async block({ block }: Position): Promise<Block | undefined> {
    const [found] = this.store.blocks(block, block)
    return found
  }

  async close(): Promise<void> {
    this.store.close()
  }
}

/** Through the store that a service would write with; nothing here appends. */
export class LogOnServer implements ReadableLog {
  constructor(private readonly store: EventStore) {}

  head(): Promise<Position | undefined> {
    return this.store.head()
  }

  async *blocks(last: number, after?: Position): AsyncGenerator<Block, void, undefined> {
    for await (const block of this.store.read(after === undefined ? 0 : after.seq + 1)) {
      if (block.number > last) return
      yield block
    }
  }

  async block({ seq }: Position): Promise<Block | undefined> {
    return this.store.blockOf(seq)
  }

  close(): Promise<void> {
    return this.store.close()
  }
}
