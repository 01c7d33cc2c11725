import type { Price } from '../accounting/price.js'
import type { Row } from '../accounting/units.js'

/**
 * Prices by mechanism and row, at most `limit` of them; the mechanisms that were not asked for the longest go first. The
 * counts of a release are not part of the key: a price holds for all of them.
 */
export class PriceCache {
  readonly #byMechanism = new Map<string, Map<Row, Price>>()
  #size = 0

  constructor(private readonly limit: number) {}

  /** The known prices of a mechanism; asking makes it the most recent one. */
  get(mechanism: string): ReadonlyMap<Row, Price> | undefined {
    const prices = this.#byMechanism.get(mechanism)
    if (prices === undefined) return undefined
    this.#byMechanism.delete(mechanism)
    this.#byMechanism.set(mechanism, prices)
    return prices
  }

  add(mechanism: string, prices: ReadonlyMap<Row, Price>): void {
    const known = this.#byMechanism.get(mechanism) ?? new Map<Row, Price>()
    this.#size -= known.size
    for (const [row, price] of prices) known.set(row, price)
    this.#size += known.size
    this.#byMechanism.delete(mechanism)
    this.#byMechanism.set(mechanism, known)
    this.#forget()
  }

  #forget(): void {
    for (const [mechanism, prices] of this.#byMechanism) {
      if (this.#size <= this.limit) return
      this.#byMechanism.delete(mechanism)
      this.#size -= prices.size
    }
  }
}
