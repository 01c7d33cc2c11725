import type { Costs as CostsByRow } from '../accounting/cost.js'
import type { Mechanism } from '../accounting/mechanism.js'
import { effortOf, pricesOf } from '../accounting/price.js'
import type { Part, Release } from '../accounting/release.js'
import type { Relation, Row } from '../accounting/units.js'
import { Turn } from '../application/turn.js'
import { type Costs, costsAt, type Prices, told, withRows } from '../budget/costs.js'
import { CostPool } from './cost-pool.js'
import { PriceCache } from './price-cache.js'

/** What takes at most so many microseconds is worked out at once: sending it to a thread would take as long. */
const AT_ONCE_EFFORT = 100
const MOST_WAITING = 20_000

export interface CostWorkersOptions {
  /** Threads that work out costs. */
  readonly threads: number
  /** Prices, one a mechanism and row, that are remembered. */
  readonly cacheEntries: number
  /** Tasks that may wait for a thread; beyond it callers are refused with BUSY. */
  readonly waiting?: number
  /** Where the compiled worker is, null to work in place; the one beside this file where nothing is said. */
  readonly script?: URL | null
}

/**
 * What releases cost, worked out off the thread that decides: fractions and little else at once, the rest on worker
 * threads. A price is worked out once, whatever the counts of the releases that need it, and by one thread only when
 * several ask for it at the same time.
 */
export class CostWorkers {
  readonly #cache: PriceCache
  readonly #pool: CostPool
  readonly #pending = new Map<string, Promise<Prices>>()

  constructor(options: CostWorkersOptions) {
    this.#cache = new PriceCache(options.cacheEntries)
    const { threads, waiting = MOST_WAITING, script } = options
    this.#pool = new CostPool({ threads, waiting }, script)
  }

  /**
   * The costs of a release in these rows. One part after the other, so that a release of many never keeps all threads
   * from others.
   *
   * @throws LedgerError BUSY where too many tasks wait.
   */
  async costs(release: Release, rows: readonly Row[]): Promise<Costs> {
    const turn = new Turn()
    const prices: Prices[] = []
    for (const part of release.parts) {
      while (turn.isOver) await turn.next()
      const found = this.#find(part, release.relation, rows)
      prices.push(found.effort <= AT_ONCE_EFFORT ? this.#completed(found) : await this.#workedOut(found))
    }
    const { cost, open } = told(release, rows, prices)
    return costsAt(release, prices, open.length === 0 ? cost : withRows(cost, await this.#costsOf(release, open)))
  }

  /** The same, where next to nothing has to be worked out. */
  cached(release: Release, rows: readonly Row[]): Costs | undefined {
    const prices: Prices[] = []
    let effort = 0
    for (const part of release.parts) {
      const found = this.#find(part, release.relation, rows)
      effort += found.effort
      if (effort > AT_ONCE_EFFORT) return undefined
      prices.push(this.#completed(found))
    }
    const { cost, open } = told(release, rows, prices)
    return open.length === 0 ? costsAt(release, prices, cost) : undefined
  }

  /** Ends the threads; what still waits is refused with SHUTTING_DOWN. */
  close(): Promise<void> {
    return this.#pool.close()
  }

  #find({ mechanism, text }: Part, relation: Relation, rows: readonly Row[]): Found {
    const key = `${relation} ${text}`
    const known = this.#cache.get(key)
    const missing = known === undefined ? rows : rows.filter((row) => !known.has(row))
    return { key, mechanism, relation, known, missing, effort: effortOf(mechanism, missing) }
  }

  /** What is remembered, with the rest worked out here and now. */
  #completed(found: Found): Prices {
    const { known, mechanism, relation, missing } = found
    if (known !== undefined && missing.length === 0) return known
    return this.#remember(found, pricesOf(mechanism, relation, missing))
  }

  async #workedOut(found: Found): Promise<Prices> {
    return this.#remember(found, await this.#once(found))
  }

  #once({ key, mechanism, relation, missing: rows, effort }: Found): Promise<Prices> {
    const task = `${key} ${rows.join()}`
    const pending = this.#pending.get(task)
    if (pending !== undefined) return pending
    const answer = this.#pool.run({ kind: 'prices', mechanism, relation, rows }, effort)
    const prices = answer.finally(() => this.#pending.delete(task)) as Promise<Prices>
    this.#pending.set(task, prices)
    return prices
  }

  /** All prices of a mechanism that are known now; returned whole, since the cache may forget them at once. */
  #remember({ key, known }: Found, more: Prices): Prices {
    this.#cache.add(key, more)
    return known === undefined ? more : new Map([...known, ...more])
  }

  /** The costs of the rows whose prices do not tell, from the start. */
  #costsOf(release: Release, rows: readonly Row[]): Promise<CostsByRow> {
    const effort = release.parts.reduce((sum, { mechanism }) => sum + effortOf(mechanism, rows), 0)
    return this.#pool.run({ kind: 'costs', release, rows }, effort) as Promise<CostsByRow>
  }
}

/** What is remembered of a mechanism, and what is missing. */
interface Found {
  readonly key: string
  readonly mechanism: Mechanism
  readonly relation: Relation
  readonly known: Prices | undefined
  readonly missing: readonly Row[]
  /** Of the missing rows, in microseconds. */
  readonly effort: number
}
