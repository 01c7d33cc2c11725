import { largestCount } from '../accounting/cost.js'
import type { Mechanism } from '../accounting/mechanism.js'
import { effortOf, type Price, pricesOf } from '../accounting/price.js'
import type { Part, Release } from '../accounting/release.js'
import type { Relation, Row } from '../accounting/units.js'
import { type Costs, costsAt } from '../budget/costs.js'
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

  /** The costs of a release in these rows. @throws LedgerError BUSY where too many wait. */
  async costs(release: Release, rows: readonly Row[]): Promise<Costs> {
    const prices = release.parts.map((part) => this.#prices(part, release.relation, rows))
    return costsAt(release, rows, await Promise.all(prices))
  }

  /** The same, where nothing has to be sent to a thread. */
  cached(release: Release, rows: readonly Row[]): Costs | undefined {
    const prices: Prices[] = []
    for (const part of release.parts) {
      const known = this.#known(part, release.relation, rows)
      if (known === undefined) return undefined
      prices.push(known)
    }
    return costsAt(release, rows, prices)
  }

  /** The largest count (of several parts: whole repetitions) that costs at most `remaining` in this row, up to 10¹². */
  async largestCount(release: Release, row: Row, remaining: bigint): Promise<bigint> {
    const effort = release.parts.reduce((sum, { mechanism }) => sum + effortOf(mechanism, [row]), release.parts.length)
    if (effort <= AT_ONCE_EFFORT) return largestCount(release, row, remaining)
    return (await this.#pool.run({ kind: 'largest-count', release, row, remaining }, effort)) as bigint
  }

  /** Ends the threads; what still waits is refused with SHUTTING_DOWN. */
  close(): Promise<void> {
    return this.#pool.close()
  }

  #prices(part: Part, relation: Relation, rows: readonly Row[]): Prices | Promise<Prices> {
    return this.#known(part, relation, rows) ?? this.#workedOut(part, relation, rows)
  }

  /** What is remembered, with what takes no time to add. */
  #known({ mechanism, text }: Part, relation: Relation, rows: readonly Row[]): Prices | undefined {
    const key = `${relation} ${text}`
    const known = this.#cache.get(key)
    const missing = known === undefined ? rows : rows.filter((row) => !known.has(row))
    if (missing.length === 0) return known
    if (effortOf(mechanism, missing) > AT_ONCE_EFFORT) return undefined
    return this.#remember(key, known, pricesOf(mechanism, relation, missing))
  }

  async #workedOut({ mechanism, text }: Part, relation: Relation, rows: readonly Row[]): Promise<Prices> {
    const key = `${relation} ${text}`
    const known = this.#cache.get(key)
    const missing = rows.filter((row) => known?.has(row) !== true)
    return this.#remember(key, known, await this.#once(`${key} ${missing.join()}`, mechanism, relation, missing))
  }

  #once(task: string, mechanism: Mechanism, relation: Relation, rows: readonly Row[]): Promise<Prices> {
    const pending = this.#pending.get(task)
    if (pending !== undefined) return pending
    const answer = this.#pool.run({ kind: 'prices', mechanism, relation, rows }, effortOf(mechanism, rows))
    const prices = answer.finally(() => this.#pending.delete(task)) as Promise<Prices>
    this.#pending.set(task, prices)
    return prices
  }

  /** All prices of a mechanism that are known now; returned whole, since the cache may forget them at once. */
  #remember(key: string, known: Prices | undefined, more: Prices): Prices {
    this.#cache.add(key, more)
    return known === undefined ? more : new Map([...known, ...more])
  }
}

type Prices = ReadonlyMap<Row, Price>
