import { LedgerError } from '../../ledger/errors.js'

/** A sum in two floats: `hi · 10¹⁵ + lo`, both whole, `lo` below 10¹⁵. Exact, where one float or a 64-bit integer is not. */
const BASE = 1e15
const BASE_BIG = 10n ** 15n
const LARGEST_SAFE = BigInt(Number.MAX_SAFE_INTEGER)
/** The largest sum there is room for. */
const LARGEST_SUM = BASE_BIG * LARGEST_SAFE

export const fromLimbs = (hi: number, lo: number): bigint =>
  hi < 9 ? BigInt(hi * BASE + lo) : BigInt(hi) * BASE_BIG + BigInt(lo)

/**
 * Writes `sum` to the cells `at` (hi) and `at + 1` (lo).
 *
 * @throws LedgerError SUM_OUT_OF_RANGE from (2⁵³ - 1) · 10¹⁵; RangeError below zero: a broken invariant.
 */
export const toLimbs = (cells: Float64Array, at: number, sum: bigint): void => {
  if (sum < 0n) throw new RangeError(`a sum of ${sum} was to be kept, but sums are never negative`)
  if (sum <= LARGEST_SAFE) {
    const whole = Number(sum)
    const hi = Math.floor(whole / BASE)
    cells[at] = hi
    cells[at + 1] = whole - hi * BASE
    return
  }
  if (sum >= LARGEST_SUM) {
    throw new LedgerError(
      'SUM_OUT_OF_RANGE',
      `a budget's sum of ${sum} units does not fit; sums end at ${LARGEST_SUM}`,
      {
        retry: 'never',
        hint: 'No honest ledger comes near: look at the records that charge this budget.',
      },
    )
  }
  cells[at] = Number(sum / BASE_BIG)
  cells[at + 1] = Number(sum % BASE_BIG)
}
