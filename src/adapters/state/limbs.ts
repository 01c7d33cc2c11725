import { LedgerError } from '../../ledger/errors.js'

/** A sum in two floats: `hi · 10¹⁵ + lo`, both whole, `lo` below 10¹⁵. Exact, where one float or a 64-bit integer is not. */
const BASE = 1e15
const BASE_BIG = 10n ** 15n
/** From this `hi` on there is no room for a sum. */
const END = Number.MAX_SAFE_INTEGER

export const fromLimbs = (hi: number, lo: number): bigint =>
  hi < 9 ? BigInt(hi * BASE + lo) : BigInt(hi) * BASE_BIG + BigInt(lo)

/** Writes an amount of less than 2⁶³ to the cells `at` (hi) and `at + 1` (lo). */
export const toLimbs = (cells: Float64Array, at: number, amount: bigint): void => {
  cells[at] = Number(amount / BASE_BIG)
  cells[at + 1] = Number(amount % BASE_BIG)
}

/**
 * Adds the amount in the cells `from` to the sum in the cells `at`.
 *
 * @throws LedgerError SUM_OUT_OF_RANGE from (2⁵³ - 1) · 10¹⁵; the sum is as it was.
 */
export const addLimbs = (sums: Float64Array, at: number, amounts: Float64Array, from: number): void => {
  const lo = (sums[at + 1] as number) + (amounts[from + 1] as number)
  const carry = lo >= BASE ? 1 : 0
  const hi = (sums[at] as number) + (amounts[from] as number) + carry
  if (hi >= END) throw outOfRange(fromLimbs(hi, lo - carry * BASE))
  sums[at] = hi
  sums[at + 1] = lo - carry * BASE
}

/** Takes the amount in the cells `from` from the sum in the cells `at`. @throws RangeError below zero: a broken invariant. */
export const subtractLimbs = (sums: Float64Array, at: number, amounts: Float64Array, from: number): void => {
  const lo = (sums[at + 1] as number) - (amounts[from + 1] as number)
  const borrow = lo < 0 ? 1 : 0
  const hi = (sums[at] as number) - (amounts[from] as number) - borrow
  if (hi < 0)
    throw new RangeError(`a sum was to fall to ${hi} · 10¹⁵ + ${lo + borrow * BASE}, but sums are never negative`)
  sums[at] = hi
  sums[at + 1] = lo + borrow * BASE
}

const outOfRange = (sum: bigint): LedgerError =>
  new LedgerError(
    'SUM_OUT_OF_RANGE',
    `a budget's sum of ${sum} units does not fit; sums end at ${BigInt(END) * BASE_BIG}`,
    {
      retry: 'never',
      hint: 'No honest ledger comes near: look at the records that charge this budget.',
    },
  )
