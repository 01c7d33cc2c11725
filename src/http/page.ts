import type { Page } from '../application/query.handlers.js'
import type { QueryFields } from './query.js'

const MOST_ON_A_PAGE = 1_000
const STANDARD = 100

/** The query parameters of a route that answers in pages. Records are numbered from 0, so the first page says nothing of `after`. */
export const PAGE = {
  after: {
    description: 'Only records above this number.',
    schema: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
  },
  limit: {
    description: `At most so many; ${STANDARD} where nothing is said.`,
    schema: { type: 'integer', minimum: 1, maximum: MOST_ON_A_PAGE },
  },
}

export const PAGE_FIELDS: readonly string[] = Object.keys(PAGE)

/** @throws ProblemError INVALID. */
export const pageFrom = (fields: QueryFields): Page => ({
  after: fields.integer('after', 0) ?? -1,
  limit: fields.integer('limit', 1, MOST_ON_A_PAGE) ?? STANDARD,
})
