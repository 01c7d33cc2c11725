import type { Cost, Row } from '../accounting/units.js'
import type { Sums } from './balance.js'
import type { Costs } from './costs.js'
import type { Amounts } from './events.js'

/** Whether the costs of all these rows were computed. */
export const coversRows = (costs: Costs, rows: readonly Row[]): boolean => rows.every((row) => costs.cost.has(row))

/** The costs of these rows, aligned to them. */
export const alignedCosts = (rows: readonly Row[], costs: Costs): readonly Cost[] =>
  rows.map((row) => costs.cost.get(row) ?? 'INF')

/** Costs as they stand in a record. */
export const amountsOf = (rows: readonly Row[], costs: Costs): Amounts =>
  Object.fromEntries(rows.map((row) => [row, String(costs.cost.get(row) ?? 'INF')]))

/** Sums as they stand in a record: INF for a row with an infinite cost. */
export const sumsText = (rows: readonly Row[], sums: Sums): Amounts =>
  Object.fromEntries(rows.map((row, index) => [row, sums.infinite[index] ? 'INF' : String(sums.finite[index] ?? 0n)]))
