import { unreachable } from '../ledger/errors.js'

/** How often a budget begins anew. Only a quota has a window other than `lifetime`. */
export type WindowKind = 'lifetime' | 'day' | 'week' | 'month' | 'year'

export const WINDOW_KINDS: readonly WindowKind[] = ['lifetime', 'day', 'week', 'month', 'year']

const DAY_MS = 86_400_000

/**
 * The window in which an instant lies, in UTC.
 *
 * @param at ISO 8601 instant in UTC, as in a record: `2026-11-21T10:00:00.000Z`.
 * @returns `lifetime`, a day (`2026-11-21`), a week named by its Monday (`2026-11-16`), a month (`2026-11`) or a
 *   year (`2026`).
 */
export const windowOf = (kind: WindowKind, at: string): string => {
  switch (kind) {
    case 'lifetime':
      return 'lifetime'
    case 'day':
      return at.slice(0, 10)
    case 'week':
      return mondayOf(at)
    case 'month':
      return at.slice(0, 7)
    case 'year':
      return at.slice(0, 4)
    default:
      return unreachable(kind)
  }
}

const mondayOf = (at: string): string => {
  const day = Date.parse(`${at.slice(0, 10)}T00:00:00.000Z`)
  const sinceMonday = (new Date(day).getUTCDay() + 6) % 7
  return new Date(day - sinceMonday * DAY_MS).toISOString().slice(0, 10)
}

/** The instant `seconds` after `at`, in the form of a record's `at`. */
export const secondsAfter = (at: string, seconds: number): string =>
  new Date(Date.parse(at) + seconds * 1000).toISOString()
