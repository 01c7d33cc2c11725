import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { type Block, type Position, positionOf, recordsOf } from '../../src/ledger/block.js'
import { ChainCheck } from '../../src/ledger/chain.js'
import { AppendConflict, type EventStore } from '../../src/ledger/event-store.js'
import type { Leaf } from '../../src/ledger/record.js'
import { blockAfter } from '../support/logs.js'

/** Every request that holds a block is longer, and every other one shorter. */
export const LEAST_BLOCK_BYTES = 4_096

interface Attempt {
  /** Of each of its blocks. */
  readonly leaves: readonly Leaf[]
  readonly outcome: 'kept' | 'conflict'
}

/** Several instances that append to one ledger as fast as they can, and one that follows it. */
export class StoreLoad {
  private readonly attempts: Attempt[] = []
  private readonly followed: string[] = []
  private readonly over = new AbortController()
  private working: Promise<unknown> = Promise.resolve()
  /** Why an instance gave up, which none should. */
  private failure: unknown

  constructor(private readonly stores: readonly EventStore[]) {}

  /** Appends that were acknowledged. */
  get acknowledged(): number {
    return this.attempts.filter(({ outcome }) => outcome === 'kept').length
  }

  get conflicts(): number {
    return this.attempts.length - this.acknowledged
  }

  start(): void {
    const [follower, ...writers] = this.stores
    const all = [this.follow(follower as EventStore), ...writers.map((store) => this.write(store))]
    this.working = Promise.all(
      all.map((work) =>
        work.catch((error: unknown) => {
          this.failure ??= error
        }),
      ),
    )
  }

  /** Waits until so many more appends were acknowledged. */
  async progress(appends: number): Promise<void> {
    const enough = this.acknowledged + appends
    while (this.acknowledged < enough) {
      if (this.failure !== undefined) throw this.failure
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** Lets the appends under way end, and compares what everybody was told with what `store` has. */
  async verify(store: EventStore): Promise<void> {
    this.over.abort()
    await this.working
    if (this.failure !== undefined) throw this.failure
    const kept = await logOf(store)
    const there = new Set(kept.map(({ leaf }) => leaf))
    const has = (leaf: Leaf | undefined): boolean => leaf !== undefined && there.has(leaf)
    const lost = this.attempts.filter(({ outcome, leaves }) => outcome === 'kept' && !leaves.every(has))
    // Whoever hears of a conflict decides again: if the blocks were kept after all, each decision would count twice.
    const denied = this.attempts.filter(
      ({ outcome, leaves }) => outcome === 'conflict' && (store.keepsAllOrNone ? leaves.some(has) : has(leaves.at(-1))),
    )
    expect([lost.length, denied.length]).toEqual([0, 0])
    expect(doubles(kept)).toEqual([])
    // All that is there has an owner who knows: nothing was kept behind everybody's back.
    const told = new Set(this.attempts.flatMap(({ leaves }) => leaves))
    expect(kept.filter(({ leaf }) => !told.has(leaf))).toHaveLength(0)
    const order = kept.map(({ leaf }) => leaf)
    expect(this.followed).toEqual(order.slice(0, this.followed.length))
  }

  /** As the ledger's writer does: after a conflict it reads what is new, and goes on from there. */
  private async write(store: EventStore): Promise<void> {
    const chain = new ChainCheck()
    const at = (): Position | undefined => chain.state?.position
    for (let round = 0; !this.over.signal.aborted; round++) {
      const blocks = blocksAfter(at(), 1 + (round % 3 === 0 ? 1 : 0))
      const error = await store.append(blocks, at()).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      if (error !== undefined && !(error instanceof AppendConflict)) throw error
      this.attempts.push({ leaves: blocks.map(({ leaf }) => leaf), outcome: error === undefined ? 'kept' : 'conflict' })
      if (error === undefined) for (const block of blocks) chain.add(block)
      else for await (const block of store.read((at()?.seq ?? -1) + 1)) chain.add(block)
    }
  }

  private async follow(store: EventStore): Promise<void> {
    for await (const { leaf } of store.subscribe(0, this.over.signal)) this.followed.push(leaf)
  }
}

const blocksAfter = (after: Position | undefined, count: number): readonly Block[] => {
  const blocks: Block[] = []
  for (let at = after; blocks.length < count; at = positionOf(blocks.at(-1) as Block)) {
    blocks.push(blockAfter(at, 1, `${randomUUID()} ${'x'.repeat(LEAST_BLOCK_BYTES)}`))
  }
  return blocks
}

/** The whole log, which is a sound chain up to the store's head. */
const logOf = async (store: EventStore): Promise<readonly Block[]> => {
  const chain = new ChainCheck()
  const blocks: Block[] = []
  for await (const block of store.read(0)) {
    chain.add(block)
    blocks.push(block)
  }
  expect(chain.state?.position).toEqual(await store.head())
  return blocks
}

/** Notes that stand in more than one record: each was to be written once. */
const doubles = (blocks: readonly Block[]): readonly string[] => {
  const seen = new Set<string>()
  const twice: string[] = []
  for (const block of blocks) {
    for (const { bytes } of recordsOf(block)) {
      const { note } = (JSON.parse(Buffer.from(bytes).toString()) as { data: { note: string } }).data
      const id = note.slice(0, 36)
      if (seen.has(id)) twice.push(id)
      seen.add(id)
    }
  }
  return twice
}
