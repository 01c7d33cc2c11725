import type { Position } from '../ledger/block.js'
import { LedgerError } from '../ledger/errors.js'

/** A log, as far as it says whether it is an older one. */
export interface LogEnd {
  head(): Promise<Position | undefined>
  /** Whether it has the record of that number and leaf. */
  has(position: Position): Promise<boolean>
}

/** A copy that was broken off is an older log, and says nothing of it itself. @throws LedgerError COPY_INCOMPLETE. */
export const requireWholeCopy = async (log: LogEnd, noted: Position | undefined): Promise<void> => {
  if (noted === undefined || (await log.has(noted))) return
  throw new LedgerError(
    'COPY_INCOMPLETE',
    `a copy to this place is to end with record ${noted.seq} (leaf ${noted.leaf}), but the log ${endOf(await log.head())}`,
    {
      retry: 'never',
      hint: 'Whoever serves it refunds what is missing. Run the same epsilon-ledger copy to it again until that ends with 0.',
      exitCode: 21,
    },
  )
}

/**
 * Whoever was answered from a position has seen it: a log without it is not the one that was served.
 *
 * @param path the file that knows of the position.
 * @throws LedgerError STALE, FORKED.
 */
export const requireNotBehind = async (log: LogEnd, path: string, seen: Position | undefined): Promise<void> => {
  if (seen !== undefined && !(await log.has(seen))) throw wentBack(path, seen, await log.head())
}

export const wentBack = (path: string, seen: Position, head: Position | undefined): LedgerError => {
  const forked = head !== undefined && head.seq >= seen.seq
  return new LedgerError(
    forked ? 'FORKED' : 'STALE',
    `${path} has seen record ${seen.seq} with leaf ${seen.leaf}, but the log ${endOf(head)}${forked ? ' and has another record there' : ''}`,
    {
      retry: 'never',
      hint: 'The log was replaced by an older or another copy; serving it would refund what is missing. Bring the newest one back. Only if this log is certainly the newest: remove the files seen and state.db.',
      exitCode: forked ? 22 : 21,
    },
  )
}

const endOf = (head: Position | undefined): string =>
  head === undefined ? 'is empty' : `ends with record ${head.seq} (leaf ${head.leaf})`
