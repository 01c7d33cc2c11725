import type { ServerSettings } from '../configuration.js'
import type { Position } from '../ledger/block.js'
import type { EventStore } from '../ledger/event-store.js'
import { openServerStore } from './stores.js'

/**
 * Where a copy to a server is to end: a log of its own beside the ledger's, whose head has the last record that the
 * ledger's must have. A copy that was broken off is an older log, and whoever served it would give back what it lacks.
 */
export const readCopyNote = (settings: ServerSettings): Promise<Position | undefined> =>
  withNotes(settings, (notes) => notes.head())

/** Notes it, durable, before the first block is copied; what was noted before and goes further stays. */
export const writeCopyNote = (settings: ServerSettings, { seq, leaf }: Position): Promise<void> =>
  withNotes(settings, async (notes) => {
    const before = await notes.head()
    if (before !== undefined && before.seq >= seq) return
    const bytes = Buffer.from(`${JSON.stringify({ leaf, seq })}\n`)
    await notes.append([{ number: (before?.block ?? -1) + 1, first: seq, last: seq, leaf, bytes }], before)
  })

/** No ledger has such a name: a dot stands in none. */
const notesOf = (settings: ServerSettings): ServerSettings => ({ ...settings, ledger: `${settings.ledger}.copy` })

const withNotes = async <Result>(
  settings: ServerSettings,
  action: (notes: EventStore) => Promise<Result>,
): Promise<Result> => {
  const notes = await openServerStore(notesOf(settings))
  try {
    return await action(notes)
  } finally {
    await notes.close()
  }
}
