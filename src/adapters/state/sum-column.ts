import type { Cost } from '../../accounting/units.js'
import { type Sums, zeroSums } from '../../budget/balance.js'
import { Cells } from './cells.js'
import type { ChunkSink, ChunkSource, Saved } from './chunks.js'
import { addLimbs, fromLimbs, subtractLimbs, toLimbs } from './limbs.js'

/** One cost in the form in which columns take it; what has no cell costs nothing. */
export interface CostCells {
  readonly finite: Float64Array | undefined
  readonly infinite: Float64Array | undefined
}

export const costCells = (costs: readonly Cost[]): CostCells => {
  const finite = new Float64Array(costs.length * 2)
  const infinite = new Float64Array(costs.length)
  for (const [row, cost] of costs.entries()) {
    if (cost === 'INF') infinite[row] = 1
    else toLimbs(finite, row * 2, cost)
  }
  return {
    finite: finite.some((cell) => cell !== 0) ? finite : undefined,
    infinite: infinite.some((cell) => cell !== 0) ? infinite : undefined,
  }
}

/**
 * One kind of sums (spent, reserved or lifetime) of all budgets of a table: two floats for each of the policy's rows, and
 * one for its infinite costs. What was never used takes no memory.
 */
export class SumColumn implements Saved {
  readonly #finite: Cells
  readonly #infinite: Cells
  readonly #zero: Sums

  constructor(
    stream: string,
    private readonly rows: number,
    tracked: boolean,
  ) {
    this.#finite = new Cells(stream, rows * 2, tracked)
    this.#infinite = new Cells(`${stream} infinite`, rows, tracked)
    this.#zero = zeroSums(rows)
  }

  read(budget: number): Sums {
    const sums = this.#finite.page(budget)
    const counts = this.#infinite.page(budget)
    if (sums === undefined && counts === undefined) return this.#zero
    return {
      finite: sums === undefined ? this.#zero.finite : this.#amounts(sums, this.#finite.offset(budget)),
      infinite: counts === undefined ? this.#zero.infinite : this.#counts(counts, this.#infinite.offset(budget)),
    }
  }

  /** The finite sum of a row, `INF` where an infinite cost is among it. */
  at(budget: number, row: number): Cost {
    const counts = this.#infinite.page(budget)
    if (counts !== undefined && counts[this.#infinite.offset(budget) + row] !== 0) return 'INF'
    const sums = this.#finite.page(budget)
    if (sums === undefined) return 0n
    const cell = this.#finite.offset(budget) + row * 2
    return fromLimbs(sums[cell] as number, sums[cell + 1] as number)
  }

  add(budget: number, { finite, infinite }: CostCells): void {
    if (finite !== undefined) {
      const sums = this.#finite.touch(budget)
      const offset = this.#finite.offset(budget)
      for (let cell = 0; cell < finite.length; cell += 2) addLimbs(sums, offset + cell, finite, cell)
    }
    if (infinite !== undefined) this.#count(budget, infinite, 1)
  }

  /** @throws RangeError where more is taken out than was put in: a broken invariant. */
  subtract(budget: number, { finite, infinite }: CostCells): void {
    if (finite !== undefined) {
      const sums = this.#finite.touch(budget)
      const offset = this.#finite.offset(budget)
      for (let cell = 0; cell < finite.length; cell += 2) subtractLimbs(sums, offset + cell, finite, cell)
    }
    if (infinite !== undefined) this.#count(budget, infinite, -1)
  }

  clear(budget: number): void {
    for (const cells of [this.#finite, this.#infinite]) {
      if (cells.page(budget) === undefined) continue
      const offset = cells.offset(budget)
      cells.touch(budget).fill(0, offset, offset + cells.width)
    }
  }

  save(sink: ChunkSink, flush: number): void {
    this.#finite.save(sink, flush)
    this.#infinite.save(sink, flush)
  }

  saved(): void {
    this.#finite.saved()
    this.#infinite.saved()
  }

  load(source: ChunkSource): void {
    this.#finite.load(source)
    this.#infinite.load(source)
  }

  #count(budget: number, infinite: Float64Array, sign: 1 | -1): void {
    const counts = this.#infinite.touch(budget)
    const offset = this.#infinite.offset(budget)
    for (let row = 0; row < infinite.length; row++) {
      const count = (counts[offset + row] as number) + sign * (infinite[row] as number)
      if (count < 0) throw new RangeError(`row ${row} was to hold ${count} infinite costs`)
      counts[offset + row] = count
    }
  }

  #amounts(page: Float64Array, offset: number): readonly bigint[] {
    const finite = new Array<bigint>(this.rows)
    for (let row = 0; row < this.rows; row++) {
      finite[row] = fromLimbs(page[offset + row * 2] as number, page[offset + row * 2 + 1] as number)
    }
    return finite
  }

  #counts(page: Float64Array, offset: number): readonly number[] {
    const counts = new Array<number>(this.rows)
    for (let row = 0; row < this.rows; row++) counts[row] = page[offset + row] as number
    return counts
  }
}
