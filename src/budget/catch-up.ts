import { type Block, type Position, recordsOf, samePosition } from '../ledger/block.js'
import { ChainCheck, ChainFault, type ChainState } from '../ledger/chain.js'
import type { EventStore } from '../ledger/event-store.js'
import { decodeRecord, type LedgerRecord, leafHash } from '../ledger/record.js'
import { eventOf } from './event-of.js'
import { evolve } from './evolve.js'
import { recordBytes } from './priors.js'
import type { BudgetState } from './state.js'

/**
 * Replays a log into a state, from the record after `from` to what is the head now, and checks the chain on the way: the
 * same `evolve` as live, so that every start rehearses a recovery.
 *
 * @returns where the state stands then; undefined for an empty one. Throws `ChainFault` where the log is not what was written.
 */
export const catchUp = async (
  store: EventStore,
  state: BudgetState,
  from: ChainState | undefined,
): Promise<ChainState | undefined> => {
  const chain = new ChainCheck(from, 'trusted')
  const head = await store.head()
  for await (const block of store.read(from === undefined ? 0 : from.position.seq + 1)) {
    if (head === undefined || block.number > head.block) {
      await requireNewer(store, head, block)
      break
    }
    for (const { record } of chain.add(block)) apply(state, record)
  }
  chain.end(head?.leaf)
  return chain.state
}

/** What follows the head was appended by somebody else since; else the head is not that of these blocks. */
const requireNewer = async (store: EventStore, head: Position | undefined, block: Block): Promise<void> => {
  if (!samePosition(await store.head(), head)) return
  const named = head === undefined ? 'nothing' : `record ${head.seq}`
  throw new ChainFault('HEAD_MISMATCH', block.first, `block ${block.number} follows, but the head is ${named}`)
}

/** Takes a block into a state that stands right before it. The caller has checked the chain. */
export const follow = (state: BudgetState, block: Block): void => {
  for (const { bytes } of recordsOf(block)) apply(state, decodeRecord(bytes, 'trusted'))
}

/** The chain as of a position that a derived state claims to reflect; undefined where the log disagrees with it. */
export const chainAt = async (store: EventStore, position: Position): Promise<ChainState | undefined> => {
  const bytes = await recordBytes(store, position.seq)
  if (bytes === undefined || leafHash(bytes) !== position.leaf) return undefined
  const { epoch, at } = decodeRecord(bytes, 'trusted')
  return { position, epoch, at }
}

const apply = (state: BudgetState, record: LedgerRecord): void => evolve(state, eventOf(record), record)
