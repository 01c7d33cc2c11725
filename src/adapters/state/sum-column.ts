import { type Sums, zeroSums } from '../../budget/balance.js'
import { Cells } from './cells.js'
import type { ChunkSink, ChunkSource, Saved } from './chunks.js'
import { fromLimbs, toLimbs } from './limbs.js'

/**
 * One kind of sums (spent, reserved or lifetime) of all budgets of a table: two floats for each of the policy's rows, and
 * one for its infinite costs. What was never used takes no memory.
 */
export class SumColumn implements Saved {
  readonly #finite: Cells
  readonly #infinite: Cells
  readonly #zero: Sums
  readonly #scratch: Float64Array

  constructor(
    stream: string,
    private readonly rows: number,
    tracked: boolean,
  ) {
    this.#finite = new Cells(stream, rows * 2, tracked)
    this.#infinite = new Cells(`${stream} infinite`, rows, tracked)
    this.#zero = zeroSums(rows)
    this.#scratch = new Float64Array(rows * 2)
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

  write(budget: number, { finite, infinite }: Sums): void {
    const scratch = this.#scratch
    for (let row = 0; row < this.rows; row++) toLimbs(scratch, row * 2, finite[row] ?? 0n)
    put(this.#finite, budget, scratch)
    put(this.#infinite, budget, infinite)
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

/** Writes a budget's cells where they differ; zeros need no page. */
const put = (cells: Cells, budget: number, values: ArrayLike<number>): void => {
  const page = cells.page(budget)
  const offset = cells.offset(budget)
  for (let cell = 0; cell < cells.width; cell++) {
    if ((page?.[offset + cell] ?? 0) === values[cell]) continue
    cells.touch(budget).set(values, offset)
    return
  }
}
