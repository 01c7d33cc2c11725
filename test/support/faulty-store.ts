import type { Block, Position } from '../../src/ledger/block.js'
import { EventStore } from '../../src/ledger/event-store.js'

/** What goes wrong with one append: it fails and is lost, or it fails although it was kept. */
export type Fault = 'lost' | 'kept'

/** A store in front of another one, whose appends fail or wait when told to. */
export class FaultyStore extends EventStore {
  /** What happens to the next appends, in order. */
  readonly plan: (Fault | 'fine')[] = []
  appends = 0
  private gate: Promise<void> = Promise.resolve()

  constructor(private readonly inner: EventStore) {
    super()
  }

  /** Appends wait until the returned function is called. */
  hold(): () => void {
    let open = (): void => {}
    this.gate = new Promise((resolve) => {
      open = resolve
    })
    return open
  }

  override async append(blocks: readonly Block[], after: Position | undefined): Promise<Position> {
    this.appends++
    await this.gate
    const fault = this.plan.shift() ?? 'fine'
    if (fault === 'lost') throw new Error('EIO: the disk said no')
    const head = await this.inner.append(blocks, after)
    if (fault === 'kept') throw new Error('the connection broke')
    return head
  }

  override read(fromSeq: number): AsyncIterable<Block> {
    return this.inner.read(fromSeq)
  }

  override blockOf(seq: number): Block | undefined | Promise<Block | undefined> {
    return this.inner.blockOf(seq)
  }

  override head(): Promise<Position | undefined> {
    return this.inner.head()
  }

  override subscribe(fromSeq: number, signal: AbortSignal): AsyncIterable<Block> {
    return this.inner.subscribe(fromSeq, signal)
  }

  override close(): Promise<void> {
    return this.inner.close()
  }
}
