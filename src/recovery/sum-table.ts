import { type Balance, type Sums, zeroSums } from '../budget/balance.js'
import { KeyTable } from './key-table.js'

/**
 * The budgets of one policy's structure, by key.
 *
 * Almost all of them are at rest: lifetime sums below 2^62 and nothing else. Those stand in one column of 64-bit
 * integers, 8 bytes a row. Every other balance (a window, a reservation, an infinite cost, a larger sum) is kept whole
 * beside it, so that no sum ever wraps.
 */
export class SumTable {
  readonly #places = new KeyTable()
  readonly #whole = new Map<string, Balance>()
  #column: BigInt64Array
  #count = 0
  readonly #zero: Sums

  constructor(private readonly rows: number) {
    this.#column = new BigInt64Array(rows * 16)
    this.#zero = zeroSums(rows)
  }

  get size(): number {
    return this.#count
  }

  get(key: string): Balance | undefined {
    const place = this.#places.get(key)
    return place === undefined ? undefined : (this.#whole.get(key) ?? this.#atRest(place))
  }

  set(key: string, balance: Balance): void {
    const place = this.#places.get(key) ?? this.#add(key)
    if (!isAtRest(balance)) {
      this.#whole.set(key, balance)
      return
    }
    if (this.#whole.size > 0) this.#whole.delete(key)
    const { finite } = balance.lifetime
    for (let row = 0; row < this.rows; row++) this.#column[place * this.rows + row] = finite[row] ?? 0n
  }

  *[Symbol.iterator](): Generator<[key: string, balance: Balance], void, undefined> {
    for (const [key, place] of this.#places) yield [key, this.#whole.get(key) ?? this.#atRest(place)]
  }

  #atRest(place: number): Balance {
    const finite = new Array<bigint>(this.rows)
    for (let row = 0; row < this.rows; row++) finite[row] = this.#column[place * this.rows + row] ?? 0n
    const sums = { finite, infinite: this.#zero.infinite }
    return { window: 'lifetime', spent: sums, reserved: this.#zero, lifetime: sums }
  }

  #add(key: string): number {
    const place = this.#count++
    if ((place + 1) * this.rows > this.#column.length) {
      const wider = new BigInt64Array(this.#column.length * 2)
      wider.set(this.#column)
      this.#column = wider
    }
    this.#places.set(key, place)
    return place
  }
}

const LARGEST = 2n ** 62n

const isAtRest = ({ window, spent, reserved, lifetime }: Balance): boolean =>
  window === 'lifetime' &&
  spent === lifetime &&
  lifetime.finite.every((sum) => sum < LARGEST) &&
  lifetime.infinite.every((count) => count === 0) &&
  reserved.finite.every((sum) => sum === 0n) &&
  reserved.infinite.every((count) => count === 0)
