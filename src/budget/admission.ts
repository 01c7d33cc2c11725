import { admits as withinFilter } from '../accounting/filter.js'
import type { Cap, Cost, Row } from '../accounting/units.js'
import { type Balance, emptyBalance, inWindow, type Taken } from './balance.js'
import { type Costs, largestCountIn } from './costs.js'
import type { Policy } from './policy.js'
import type { BudgetState } from './state.js'

/** A budget as it stands in the window that a spend falls into. */
export const balanceIn = (state: BudgetState, policy: Policy, key: string, window: string): Balance => {
  const balance = state.balance({ policy: policy.id, generation: policy.generation, key })
  return balance === undefined ? emptyBalance(window, policy.rows.length) : inWindow(balance, window)
}

/**
 * Whether a budget admits a cost: every `and` row has room, and where there are `or` rows, one of them has
 * (`docs/privacy.md`, Theorem A: the caps carry each order's share of delta).
 *
 * @param costs aligned to the policy's rows.
 */
export const admits = (policy: Policy, taken: Taken, costs: readonly Cost[]): boolean =>
  withinFilter(
    policy.filter,
    (_, row) => taken(row),
    (_, row) => costs[row] ?? 'INF',
  )

/** Whether no balance at all could admit the cost, because it is infinite where it counts. */
export const isInfinite = (policy: Policy, costs: readonly Cost[]): boolean => {
  const infinite = (_: Row, row: number) => costs[row] === 'INF'
  if (policy.and.some(infinite)) return true
  return policy.or.length > 0 && policy.or.every((_, row) => costs[policy.and.length + row] === 'INF')
}

/** The largest count of this release that the budget would admit as one spend. */
export const largestCount = (policy: Policy, taken: Taken, costs: Costs): bigint =>
  best(policy, taken, (room, row) => largestCountIn(costs, policy.rows[row] ?? 'delta', room))

/** How many times exactly this spend would still be admitted, one after the other; undefined for no end. */
export const repetitions = (policy: Policy, taken: Taken, costs: readonly Cost[]): bigint | undefined => {
  const most = best(policy, taken, (room, row) => {
    const cost = costs[row]
    if (cost === undefined || cost === 'INF' || room < 0n) return 0n
    return cost === 0n ? ENDLESS : room / cost
  })
  return most >= ENDLESS ? undefined : most
}

const ENDLESS = 1n << 128n

/** The least over the `and` rows, and the most over the `or` rows. */
const best = (policy: Policy, taken: Taken, countIn: (room: bigint, row: number) => bigint): bigint => {
  const counts = policy.rows.map((name, row) => {
    const room = roomIn(policy.capOf.get(name), taken(row))
    return room === undefined ? 0n : countIn(room, row)
  })
  const all = counts.slice(0, policy.and.length)
  const some = counts.slice(policy.and.length)
  const most = some.length === 0 ? [] : [some.reduce((one, other) => (one > other ? one : other))]
  return [...all, ...most].reduce((one, other) => (one < other ? one : other))
}

/** What is left in a row; undefined where the row is dead or spent out by an infinite cost. */
const roomIn = (cap: Cap | undefined, taken: Cost): bigint | undefined =>
  cap === undefined || cap === 'DEAD' || taken === 'INF' ? undefined : cap - taken
