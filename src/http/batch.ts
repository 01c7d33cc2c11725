import { AccountingError } from '../accounting/errors.js'
import { Fields } from '../accounting/fields.js'

/** The most spends in one batch. */
const MOST_ITEMS = 1_000

/**
 * The spends of a batch, unread: each is read by hand on its own, since a class of decorators for each of a thousand
 * would cost more than deciding them.
 *
 * @throws AccountingError
 */
export const itemsFrom = (body: unknown): readonly unknown[] => {
  const fields = new Fields(body, '')
  const items = fields.list('spends')
  fields.end()
  if (items.length >= 1 && items.length <= MOST_ITEMS) return items
  throw new AccountingError(
    'OUT_OF_RANGE',
    `a batch has 1 to ${MOST_ITEMS} spends, and this has ${items.length}`,
    '/spends',
  )
}
