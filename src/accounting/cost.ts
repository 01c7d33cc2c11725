import { boundsOf, costOfLoss, type Loss } from './loss.js'
import type { Mechanism } from './mechanism.js'
import { deltaLoss, epsilonLoss } from './pure-dp.js'
import { add, multiply, type Rational, rational, ZERO } from './rational.js'
import { rdpLosses } from './rdp.js'
import type { Part, Release } from './release.js'
import { type Cost, INFINITE_FROM, LARGEST_COUNT, orderOf, type Relation, type Row, scaleOf } from './units.js'
import { mu2Loss, rhoLoss } from './zcdp.js'

/** Works out the costs of several rows, or knows them. */
export type CostsOf = (release: Release, rows: readonly Row[]) => Costs

/** Costs by row; a row that was not asked for is not there. */
export type Costs = Readonly<Partial<Record<Row, Cost>>>

/**
 * What a release costs in one row: over its parts the sum of ⌈scale · count · c⌉, c the exact loss of one run. `INF` where
 * a part or the sum reaches 2⁶³ - 1.
 */
export const costOf = (release: Release, row: Row): Cost => costsOf(release, [row])[row]!

/** The costs of several rows; cheaper than one by one, since the rows share work. */
export function costsOf(release: Release, rows: readonly Row[]): Costs {
  const sums: Partial<Record<Row, Cost>> = {}
  for (const row of rows) sums[row] = 0n
  const shared = sharedLosses(release)
  for (const part of release.parts) {
    const losses = shared(part)
    for (const row of new Set(rows)) sums[row] = plus(sums[row]!, costOfLoss(losses(row), part.count, scaleOf(row)))
  }
  return sums
}

/** The loss of one run in each row. */
export function lossesOf(mechanism: Mechanism, relation: Relation): (row: Row) => Loss {
  let divergence: ((order: number) => Loss) | undefined
  return (row) => {
    if (row === 'delta') return deltaLoss(mechanism)
    if (row === 'rho') return rhoLoss(mechanism, relation)
    if (row === 'mu2') return mu2Loss(mechanism)
    const order = orderOf(row) ?? 'inf'
    if (order === 'inf') return epsilonLoss(mechanism, relation)
    divergence ??= rdpLosses(mechanism, relation)
    return divergence(order)
  }
}

/**
 * The largest n in 0..10¹² for which `withCount(release, n)` costs at most `remaining` in this row: the count of a single
 * mechanism, whole repetitions of several parts.
 */
export function largestCount(release: Release, row: Row, remaining: bigint): bigint {
  const scale = scaleOf(row)
  const limit = remaining < INFINITE_FROM ? remaining : INFINITE_FROM - 1n
  if (limit < 0n) return 0n
  const losses = sharedLosses(release)
  const parts = release.parts.map((part) => ({ loss: losses(part)(row), each: part.count / release.repetitions }))
  const bounds = parts.map(({ loss }) => boundsOf(loss, scale))
  if (bounds.includes(undefined)) return 0n
  const total = (end: 'lo' | 'hi'): Rational =>
    bounds.reduce((sum, bound, index) => add(sum, multiply(bound![end], rational(parts[index]!.each * scale))), ZERO)
  const fits = (count: bigint): boolean => {
    const costs = parts.map(({ loss, each }) => costOfLoss(loss, each * count, scale))
    const cost = costs.reduce(plus)
    return cost !== 'INF' && cost <= limit
  }
  // m ceilings add less than m to the sum of the parts, so the answer lies between these two.
  const least = atMost(limit + 1n - BigInt(parts.length), total('hi'))
  return largestFitting(least, atMost(limit, total('lo')), fits)
}

/** The largest count whose product with `each` is at most `limit`, within 0..10¹². */
function atMost(limit: bigint, each: Rational): bigint {
  if (limit < 0n) return 0n
  const count = each.num === 0n ? LARGEST_COUNT : (limit * each.den) / each.num
  return count < LARGEST_COUNT ? count : LARGEST_COUNT
}

function largestFitting(least: bigint, most: bigint, fits: (count: bigint) => boolean): bigint {
  let low = least
  let high = most
  while (low < high) {
    const middle = (low + high + 1n) / 2n
    if (fits(middle)) low = middle
    else high = middle - 1n
  }
  return low
}

/** The losses of a release's parts; equal mechanisms share theirs, and so the digits already worked out. */
function sharedLosses(release: Release): (part: Part) => (row: Row) => Loss {
  const known = new Map<string, (row: Row) => Loss>()
  return (part) => {
    const losses = known.get(part.text) ?? rememberedLosses(part.mechanism, release.relation)
    known.set(part.text, losses)
    return losses
  }
}

function rememberedLosses(mechanism: Mechanism, relation: Relation): (row: Row) => Loss {
  const known = new Map<Row, Loss>()
  const losses = lossesOf(mechanism, relation)
  return (row) => {
    const loss = known.get(row) ?? losses(row)
    known.set(row, loss)
    return loss
  }
}

function plus(a: Cost, b: Cost): Cost {
  if (a === 'INF' || b === 'INF') return 'INF'
  return a + b >= INFINITE_FROM ? 'INF' : a + b
}
