import type { NotReady } from '../application/service.js'
import { LedgerError } from '../ledger/errors.js'
import { EPOCH_MARGIN } from '../recovery/import-journal.js'

/** How far a log and its journal are; both are numbers of records, -1 where the journal has none. */
export interface Lag {
  readonly head: number
  readonly journalled: number
}

/**
 * A restored copy goes on {@link EPOCH_MARGIN} numbers after the end of the journal: where the log was further ahead, it would
 * give numbers out twice. What waits in the queue already fits the other half.
 */
const MOST_AHEAD = EPOCH_MARGIN / 2
const TOLD_AHEAD = EPOCH_MARGIN / 4

/** Why nothing may be decided before the journal has more; undefined where it has enough. */
export const lagRefusal = (lag: Lag): LedgerError | undefined => {
  if (lag.head - lag.journalled < MOST_AHEAD) return undefined
  return new LedgerError('BUSY', lagText(lag), {
    retry: 'now',
    hint: 'nothing is recorded until it has more of them: bring the brokers back, and send the same request again',
  })
}

/** What operators see before that happens. */
export const lagReason = (lag: Lag): NotReady | undefined =>
  lag.head - lag.journalled < TOLD_AHEAD ? undefined : { code: 'JOURNAL_BEHIND', detail: lagText(lag) }

const lagText = ({ head, journalled }: Lag): string => {
  const has = journalled < 0 ? 'has no record yet' : `ends with record ${journalled}`
  return `the log ends with record ${head} and its journal ${has}; at most ${MOST_AHEAD} numbers may lie between`
}
