import { costsOf } from '../accounting/cost.js'
import type { Release } from '../accounting/release.js'
import type { Cost, Row } from '../accounting/units.js'
import { type Costs, exactCosts } from '../budget/costs.js'

/** Costs derived anew from releases, remembered by the release's canonical text. */
export class CostBook {
  readonly #known = new Map<string, Map<Row, Cost>>()
  readonly #perCount = new Map<string, Costs>()
  /** Different releases that were derived. */
  derived = 0

  /** The exact costs of these rows, aligned to them. */
  costs(release: Release, rows: readonly Row[]): readonly Cost[] {
    const known = this.#rowsOf(release)
    const missing = rows.filter((row) => !known.has(row))
    if (missing.length > 0) {
      const computed = costsOf(release, missing)
      for (const row of missing) known.set(row, computed[row] ?? 'INF')
    }
    return rows.map((row) => known.get(row) ?? 'INF')
  }

  /** The same with what one run of the release costs, which tells how many would have fitted. */
  perCount(release: Release, rows: readonly Row[]): Costs {
    const known = this.#perCount.get(release.key)
    if (known !== undefined && rows.every((row) => known.cost.has(row))) return known
    const costs = exactCosts(release, [...new Set([...(known?.cost.keys() ?? []), ...rows])])
    if (this.#perCount.size >= MOST_RELEASES) this.#perCount.clear()
    this.#perCount.set(release.key, costs)
    return costs
  }

  #rowsOf(release: Release): Map<Row, Cost> {
    let known = this.#known.get(release.key)
    if (known === undefined) {
      this.derived++
      // A log may hold any number of different releases: forget them all rather than grow without bound.
      if (this.#known.size >= MOST_RELEASES) this.#known.clear()
      known = new Map()
      this.#known.set(release.key, known)
    }
    return known
  }
}

const MOST_RELEASES = 100_000
