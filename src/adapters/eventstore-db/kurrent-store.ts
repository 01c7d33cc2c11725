import { type Block, type Position, positionOf, samePosition } from '../../ledger/block.js'
import { LedgerError } from '../../ledger/errors.js'
import { AppendConflict, assertFollows, EventStore } from '../../ledger/event-store.js'
import { BlockAppend } from './block-append.js'
import { streamName } from './block-event.js'
import { BlockSearch } from './block-search.js'
import { type ClientLease, leaseClient } from './client.js'
import { type KurrentLogin, readAddress } from './kurrent-address.js'
import { patienceOf } from './patience.js'
import { storeClosed } from './server-answer.js'
import { type StreamPlace, StreamReader } from './stream-reader.js'
import { follow } from './stream-subscription.js'

export interface KurrentOptions extends KurrentLogin {
  /** Id of the ledger. */
  readonly ledger: string
  /** 0 where nothing is said. */
  readonly shard?: number
  /** How long a server may be away, or an outcome unknown, before callers are told: 30,000 where nothing is said. */
  readonly patienceMs?: number
}

/**
 * Blocks in one stream of a KurrentDB or EventStoreDB, one block an event, its number the revision. Any number of processes may
 * append: of those that follow the same block one wins, by the revision that it expects. Durable when an append resolves: a leader
 * answers when a majority of the nodes has the block on disk. Blocks of one append are kept one after the other.
 */
export class KurrentStore extends EventStore {
  override readonly keepsAllOrNone = false
  private readonly reader: StreamReader
  private readonly search: BlockSearch
  /** The last block that the leader is known to have had; what follows it needs no look at the head. */
  private tip: Position | undefined
  private failure: LedgerError | undefined

  private constructor(
    private readonly lease: ClientLease,
    private readonly place: StreamPlace,
    private readonly closing: AbortController,
  ) {
    super()
    this.reader = new StreamReader(place)
    this.search = new BlockSearch(this.reader)
  }

  /**
   * Reaches the stream of a ledger's shard, which need not be there yet; {@link inspect} says whether it may be used.
   *
   * Throws `STORE_UNREACHABLE` where nobody answers, `STORE_REFUSED`, `CONFIGURATION_INVALID`, `STORE_CLIENT_TAKEN`.
   */
  static async open(options: KurrentOptions): Promise<KurrentStore> {
    const { ledger, shard = 0 } = options
    const lease = leaseClient(readAddress(options))
    const closing = new AbortController()
    const place: StreamPlace = {
      appends: lease.appends,
      reads: lease.reads,
      shown: lease.shown,
      stream: streamName(ledger, shard),
      patience: patienceOf(options.patienceMs ?? 30_000),
      closing: closing.signal,
    }
    const store = new KurrentStore(lease, place, closing)
    try {
      await store.reader.trouble()
      return store
    } catch (error) {
      await store.close()
      throw error
    }
  }

  override append(blocks: readonly Block[], after: Position | undefined): Promise<Position> {
    return this.lease.alone(() => this.appendAlone(blocks, after))
  }

  override async *read(fromSeq: number): AsyncGenerator<Block, void, undefined> {
    let next = await this.search.numberFrom(fromSeq)
    for (;;) {
      const page = await this.reader.blocks(next)
      // Where there was something, or is a stream, nothing to read is no end.
      if ((page === undefined) === next > 0 && !page?.blocks.length) await this.reader.requireSound()
      if (page === undefined) return
      for (const block of page.blocks) {
        yield this.seen(block)
        next = block.number + 1
      }
      if (page.whole) return
    }
  }

  override blockOf(seq: number): Promise<Block | undefined> {
    return this.search.blockOf(seq)
  }

  override async head(): Promise<Position | undefined> {
    const last = await this.reader.last()
    if (last === 'emptied') await this.reader.requireSound()
    return typeof last === 'string' ? undefined : positionOf(last)
  }

  override subscribe(fromSeq: number, signal: AbortSignal): AsyncIterable<Block> {
    return follow(this.place, () => this.search.numberFrom(fromSeq), AbortSignal.any([signal, this.place.closing]))
  }

  override inspect(): Promise<LedgerError | undefined> {
    return this.reader.trouble()
  }

  /** Waits for the append that is on its way. */
  override async close(): Promise<void> {
    this.failure ??= storeClosed()
    await this.lease.alone(async () => {})
    this.closing.abort()
    await this.lease.release()
  }

  private async appendAlone(blocks: readonly Block[], after: Position | undefined): Promise<Position> {
    assertFollows(blocks, after)
    if (this.failure !== undefined) throw this.failure
    await this.requireHead(after)
    try {
      await new BlockAppend(this.place, this.reader, blocks).run(after, (block) => this.seen(block))
    } catch (error) {
      if (!(error instanceof AppendConflict)) this.failure ??= error as LedgerError
      throw error
    }
    return positionOf(blocks.at(-1) as Block)
  }

  /**
   * A server compares numbers, and where a stream was deleted not even those: whoever follows anything but what this store has
   * seen last is compared with the leader's head first.
   */
  private async requireHead(after: Position | undefined): Promise<void> {
    if (after !== undefined && samePosition(this.tip, after)) return
    this.tip = await this.head()
    if (this.tip === undefined) await this.reader.requireSound()
    if (!samePosition(this.tip, after)) throw new AppendConflict(after, this.tip)
  }

  private seen(block: Block): Block {
    this.search.note(block)
    if (block.number > (this.tip?.block ?? -1)) this.tip = positionOf(block)
    return block
  }
}
