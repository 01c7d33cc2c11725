import { costOfLoss, type Loss } from './loss.js'
import { deltaLoss, epsilonLoss } from './pure-dp.js'
import { rdpLosses } from './rdp.js'
import type { Part, Release } from './release.js'
import { type Cost, INFINITE_FROM, orderOf, type Relation, type Row, scaleOf } from './units.js'
import { mu2Loss, rhoLoss } from './zcdp.js'

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
  for (const part of release.parts) {
    const losses = lossesOf(part, release.relation)
    for (const row of rows) sums[row] = plus(sums[row]!, costOfLoss(losses(row), part.count, scaleOf(row)))
  }
  return sums
}

/** The loss of one run in each row. */
export function lossesOf({ mechanism }: Part, relation: Relation): (row: Row) => Loss {
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

function plus(a: Cost, b: Cost): Cost {
  if (a === 'INF' || b === 'INF') return 'INF'
  return a + b >= INFINITE_FROM ? 'INF' : a + b
}
