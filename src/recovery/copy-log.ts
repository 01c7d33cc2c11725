import { chainAt } from '../budget/catch-up.js'
import { type Block, type Position, positionOf, samePosition } from '../ledger/block.js'
import { ChainCheck, type ChainState } from '../ledger/chain.js'
import { LedgerError } from '../ledger/errors.js'
import { AppendConflict, type EventStore } from '../ledger/event-store.js'

/** What is copied: any log that can be read in order. */
export interface CopySource {
  head(): Promise<Position | undefined>
  /** Blocks in order, from the one after `after`, or else the first, up to number `last`. */
  blocks(last: number, after?: Position): AsyncIterable<Block>
  /** The block that should end there. */
  block(position: Position): Promise<Block | undefined>
}

export interface Copied {
  /** Where both end now. */
  readonly head: Position
  /** Where the copy ended before; undefined where it was begun. */
  readonly from: Position | undefined
  /** Where the source ends now, if it went on meanwhile. */
  readonly ahead: Position | undefined
}

export interface CopyListener {
  /** Called before anything is appended, with what the target is to end with: until then it is an older log. */
  readonly begins?: (head: Position) => Promise<void> | void
  /** Called with the last record that is in the target. */
  readonly progress: (seq: number) => void
}

/** The end of a log that has one. @throws LedgerError COPY_EMPTY. */
export const requireRecords = (head: Position | undefined): Position => {
  if (head === undefined) throw mismatch('COPY_EMPTY', 'the log to be copied has no record')
  return head
}

/**
 * Brings a store up to a log, block for block and byte for byte, and looks at the chain on the way. What is there already is
 * kept, so that an interrupted copy goes on where it ended; it has to be a beginning of the log.
 *
 * @throws LedgerError COPY_EMPTY, COPY_MISMATCH, COPY_CONFLICT, COPY_INTERRUPTED; a ChainFault for a damaged source; and what the stores throw.
 */
export const copyLog = async (
  source: CopySource,
  target: EventStore,
  { begins, progress }: CopyListener,
): Promise<Copied> => {
  const head = requireRecords(await source.head())
  const from = await target.head()
  const chain = new ChainCheck(await begunWith(source, target, head, from), 'trusted')
  await begins?.(head)
  for await (const group of grouped(source.blocks(head.block, from), target.keepsAllOrNone ? GROUP_BYTES : 0)) {
    const after = chain.state?.position
    for (const block of group) chain.add(block)
    await appended(target, group, after)
    progress(group.at(-1)?.last ?? 0)
  }
  chain.end(head.leaf)
  const reached = await target.head()
  if (!samePosition(reached, head))
    throw mismatch('COPY_MISMATCH', `the copy should end with ${named(head)}, but ends with ${named(reached)}`)
  const now = await source.head()
  return { head, from, ahead: samePosition(now, head) ? undefined : now }
}

/** An append of this size is one transaction. */
const GROUP_BYTES = 4 * 1024 * 1024

/** The chain as of the target's end, if that is a beginning of the source. */
const begunWith = async (
  source: CopySource,
  target: EventStore,
  head: Position,
  from: Position | undefined,
): Promise<ChainState | undefined> => {
  if (from === undefined) return undefined
  const before = from.block > head.block ? undefined : await source.block(from)
  if (before === undefined || !samePosition(positionOf(before), from)) {
    throw mismatch(
      'COPY_MISMATCH',
      `the target ends with ${named(from)}, which is no part of the source; that ends with ${named(head)}`,
    )
  }
  return chainAt(target, from)
}

async function* grouped(
  blocks: AsyncIterable<Block>,
  bytes: number,
): AsyncGenerator<readonly Block[], void, undefined> {
  let group: Block[] = []
  let size = 0
  for await (const block of blocks) {
    group.push(block)
    size += block.bytes.length
    if (size < bytes) continue
    yield group
    group = []
    size = 0
  }
  if (group.length > 0) yield group
}

const appended = async (target: EventStore, group: readonly Block[], after: Position | undefined): Promise<void> => {
  try {
    await target.append(group, after)
  } catch (error) {
    if (error instanceof AppendConflict)
      throw mismatch('COPY_CONFLICT', `somebody else writes to the target: ${error.message}`, error)
    if (error instanceof LedgerError && error.code === 'APPEND_UNCERTAIN')
      throw mismatch('COPY_INTERRUPTED', `the target takes no more: ${error.message}`, error)
    throw error
  }
}

const named = (position: Position | undefined): string =>
  position === undefined ? 'nothing' : `record ${position.seq} in block ${position.block}, leaf ${position.leaf}`

const mismatch = (code: string, message: string, cause?: unknown): LedgerError =>
  new LedgerError(code, message, {
    retry: 'never',
    hint: HINTS[code] ?? '',
    exitCode: 3,
    ...(cause === undefined ? {} : { cause }),
  })

const HINTS: Readonly<Record<string, string>> = {
  COPY_EMPTY: 'Name the place of a ledger with --from, and on a server its name with EPSILON_LEDGER.',
  COPY_MISMATCH: 'Nothing was changed. Name an empty place, or one that an earlier copy of this ledger was begun in.',
  COPY_INTERRUPTED:
    'Look at the disk or the server of the target, then run the same command again: it goes on where the target ends.',
  COPY_CONFLICT: 'Stop whatever serves the target, and look which of the two it was meant to be.',
}
