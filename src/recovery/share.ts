import type { Row } from '../accounting/units.js'
import { type Balance, type Sums, usedOf } from '../budget/balance.js'
import type { Policy } from '../budget/policy.js'

/** A fraction of a cap; undefined for an endless one. */
export type Share = { readonly num: bigint; readonly den: bigint } | undefined

export const NOTHING = { num: 0n, den: 1n }

/** The most over the rows that must all hold, and the least over those of which one must. */
export const useOf = (policy: Policy, balance: Balance): Share => {
  const used = usedOf(balance)
  const shares = policy.rows.map((row, index) => rowShare(policy, used, row, index))
  const all = shares.slice(0, policy.and.length)
  const some = shares.slice(policy.and.length)
  const least = some.length === 0 ? [] : [some.reduce((one, other) => (isMore(one, other) ? other : one))]
  return [...all, ...least].reduce((one, other) => (isMore(other, one) ? other : one), NOTHING)
}

const rowShare = (policy: Policy, used: Sums, row: Row, index: number): Share => {
  const cap = policy.capOf.get(row) ?? 'DEAD'
  const sum = used.finite[index] ?? 0n
  if (used.infinite[index] !== 0) return undefined
  // A row that may not take anything is used up only by something.
  if (cap === 'DEAD' || cap === 0n) return sum === 0n && policy.or.every((other) => other !== row) ? NOTHING : undefined
  return { num: sum, den: cap }
}

export const isMore = (one: Share, other: Share): boolean => {
  if (one === undefined || other === undefined) return one === undefined && other !== undefined
  return one.num * other.den > other.num * one.den
}

export const isAboveOne = (share: Share): boolean => share === undefined || share.num > share.den

const DIGITS = 6n

/** Six decimals, rounded up: what was taken never looks smaller than it is. */
export const shareText = (share: Share): string => {
  if (share === undefined) return 'INF'
  const scale = 10n ** DIGITS
  const units = (share.num * scale + share.den - 1n) / share.den
  const fraction = (units % scale).toString().padStart(Number(DIGITS), '0').replace(/0+$/, '')
  return fraction === '' ? `${units / scale}` : `${units / scale}.${fraction}`
}
