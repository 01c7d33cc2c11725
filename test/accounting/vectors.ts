import { readFileSync } from 'node:fs'
import type { Costs } from '../../src/accounting/cost.js'
import { costsOf } from '../../src/accounting/cost.js'
import { parseRelease } from '../../src/accounting/release.js'
import { type Relation, type Row, rdpRow } from '../../src/accounting/units.js'

/** One test vector; each names its own source, "computed" ones come from two independent programs. */
export interface Vector {
  readonly name: string
  readonly inputs: Readonly<Record<string, unknown>>
  readonly expected: Readonly<Record<string, unknown>>
}

export const VECTORS: readonly Vector[] = JSON.parse(
  readFileSync(new URL('../vectors/accounting.json', import.meta.url), 'utf8'),
)

export const vector = (start: string): Vector => {
  const found = VECTORS.filter(({ name }) => name.startsWith(start))
  if (found.length !== 1) throw new Error(`${found.length} vectors begin with ${start}`)
  return found[0]!
}

/** A vector's inputs beside the spend body itself. */
export function splitInputs(inputs: Readonly<Record<string, unknown>>): {
  body: Record<string, unknown>
  relation: Relation
  orders: readonly number[]
} {
  const { orders, neighboring, budgetMetric: _, ...body } = inputs
  return { body, relation: (neighboring ?? 'add_or_remove_one') as Relation, orders: (orders ?? []) as number[] }
}

export const rowsFor = (orders: readonly number[]): readonly Row[] => [
  'eps',
  'rho',
  'mu2',
  'delta',
  'rdp:inf',
  ...orders.map((order) => rdpRow(order)),
]

export function costsOfInputs(inputs: Readonly<Record<string, unknown>>): Costs {
  const { body, relation, orders } = splitInputs(inputs)
  return costsOf(parseRelease(body, relation), rowsFor(orders))
}
