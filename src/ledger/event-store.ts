import assert from 'node:assert/strict'
import type { Block, Position } from './block.js'
import { LedgerError } from './errors.js'

/**
 * Where one ledger's blocks are kept. It stores bytes and order, and judges nothing: whether the bytes are a sound chain is for
 * whoever reads them to check, because a store, its disk, or its administrator may be wrong.
 *
 * Concurrency: any number of readers; appends may race, in one process or several, and exactly one of those that
 * follow the same position wins.
 */
export abstract class EventStore {
  /** Whether all blocks of one append are kept or none. Where this is false, that holds for each block alone. */
  readonly keepsAllOrNone: boolean = true

  /**
   * Appends blocks, at least one, after exactly `after` (undefined: the store is empty), and answers with the new head.
   *
   * Durability: when the promise resolves, the blocks survive a power cut.
   *
   * Rejects with {@link AppendConflict} when the head is another one: then nothing was written, except that a store that does
   * not {@link keepsAllOrNone} may have kept the first of several blocks. Rejects with `APPEND_UNCERTAIN` when
   * the blocks may or may not have been kept: then answer nobody, stop, and let the start-up gate find out; the
   * store refuses every later append. A store on this machine never retries: after a failed fsync the kernel may call lost
   * pages clean. One across a network first finds out by itself, for as long as people wait for an answer.
   */
  abstract append(blocks: readonly Block[], after: Position | undefined): Promise<Position>

  /**
   * Blocks in order, from the one that holds record `fromSeq`, or else the first above it, up to the head at that
   * time, in bounded memory. Rejects with `STORE_UNREADABLE`.
   */
  abstract read(fromSeq: number): AsyncIterable<Block>

  /** The block that holds a record, for rebuilding the answer to a repeated request; undefined where there is none. */
  abstract blockOf(seq: number): Block | undefined | Promise<Block | undefined>

  /** What the last acknowledged append left, kept beside the blocks; undefined for a new ledger. */
  abstract head(): Promise<Position | undefined>

  /** As {@link read}, then every block that is appended, once and in order, until `signal` aborts or the store is closed. */
  abstract subscribe(fromSeq: number, signal: AbortSignal): AsyncIterable<Block>

  /** What is wrong with the place where the blocks are, and no append would tell; undefined where nothing is. */
  async inspect(): Promise<LedgerError | undefined> {
    return undefined
  }

  /** What the clock of the server says, in milliseconds since 1970; undefined where there is no server, or it does not tell. */
  async serverTimeMs(): Promise<number | undefined> {
    return undefined
  }

  abstract close(): Promise<void>
}

/** Every store's first step: an append that does not even claim to follow is a mistake of the caller, not a conflict. */
export const assertFollows = (blocks: readonly Block[], after: Position | undefined): void => {
  assert(blocks.length > 0, 'an append has at least one block')
  let { block, seq } = after ?? { block: -1, seq: -1 }
  for (const { number, first, last } of blocks) {
    assert(
      number === block + 1 && first > seq && last >= first,
      `block ${number} (${first} to ${last}) cannot follow block ${block} (to ${seq})`,
    )
    block = number
    seq = last
  }
}

/** Somebody else has appended. Nothing was written: read what is new and decide again. */
export class AppendConflict extends LedgerError {
  override readonly name = 'AppendConflict'

  /** `head` says where to read, never what is true: a store may name a block that later vanishes. */
  constructor(
    readonly after: Position | undefined,
    readonly head: Position | undefined,
  ) {
    super('APPEND_CONFLICT', `the append was to follow ${named(after)}, but the head is ${named(head)}`, {
      retry: 'now',
    })
  }
}

/** The error of an append whose outcome is unknown. */
export const appendUncertain = (blocks: readonly Block[], cause: unknown): LedgerError =>
  new LedgerError(
    'APPEND_UNCERTAIN',
    `records ${blocks[0]?.first} to ${blocks.at(-1)?.last} may or may not have been kept: ${cause instanceof Error ? cause.message : cause}`,
    {
      retry: 'after-restart',
      hint: 'Nobody was answered. Look at the disk or the server of the log, then restart: the start finds out what was kept.',
      cause,
      exitCode: 3,
    },
  )

const named = (position: Position | undefined): string =>
  position === undefined
    ? 'nothing'
    : `record ${position.seq} in block ${position.block} (leaf ${position.leaf.slice(0, 12)}…)`
