import { expect, test } from 'vitest'
import { type BudgetCaps, capsFor } from '../../src/accounting/caps.js'
import { costsOf } from '../../src/accounting/cost.js'
import { admits } from '../../src/accounting/filter.js'
import { parseRelease, type Release } from '../../src/accounting/release.js'
import type { Row } from '../../src/accounting/units.js'
import { vector } from './vectors.js'

/**
 * An analyst who switches the order after a first outcome (the vector `COUNTEREXAMPLE`). Each path keeps within the cap of
 * one order, computed with the whole δ, and yet the whole interaction has twice that δ.
 */
const { inputs, expected } = vector('COUNTEREXAMPLE')
const LOSS = 3
const DELTA = 1e-6
const FIRST = { rare: 1e-4, loss: 0.3 }

interface Branch {
  readonly rare: number
  readonly loss: number
  readonly order: 8 | 64
}

const [afterRare, afterCommon] = (inputs.stage2Adaptive as Published[]).map(
  ({ stage2, orderUsed }): Branch => ({ rare: Number(stage2.P_rare), loss: Number(stage2.loss), order: orderUsed }),
) as [Branch, Branch]

interface Published {
  readonly orderUsed: 8 | 64
  readonly stage2: { readonly P_rare: string; readonly loss: string }
}

test('every path keeps within the cap of one order that has the whole δ, but together they spend twice δ', () => {
  for (const branch of [afterRare, afterCommon]) {
    const whole = capsFor({ metric: 'rdp', epsilon: `${LOSS}`, delta: '1e-6', orders: [{ alpha: branch.order }] })
    expect(isAdmitted(whole, [twoPoint(FIRST), twoPoint(branch)])).toBe(true)
  }
  const real = deltaOfTree([
    [FIRST.rare, FIRST.loss, afterRare],
    [1 - FIRST.rare, otherLoss(FIRST), afterCommon],
  ])
  expect(real / Number(expected.trueDeltaAtEps3)).toBeCloseTo(1, 6)
  expect(real).toBeGreaterThan(1.99 * DELTA)
})

test('a budget never gives the whole δ to more than one order', () => {
  const orders = [8, 64].map((alpha) => ({ alpha, deltaShare: '1e-6' }))
  expect(() => capsFor({ metric: 'rdp', epsilon: '3', delta: '1e-6', orders })).toThrow(/shares of delta/)
})

test('a budget of both orders refuses what would spend more than its δ', () => {
  const budget = capsFor({ metric: 'rdp', epsilon: '3', delta: '1e-6', orders: [{ alpha: 8 }, { alpha: 64 }] })
  const branches = [afterRare, afterCommon].map((branch) =>
    isAdmitted(budget, [twoPoint(FIRST), twoPoint(branch)]) ? branch : undefined,
  )
  expect(branches).toContain(undefined)
  const real = deltaOfTree([
    [FIRST.rare, FIRST.loss, branches[0]],
    [1 - FIRST.rare, otherLoss(FIRST), branches[1]],
  ])
  expect(real).toBeLessThanOrEqual(DELTA)
})

/** The Rényi divergences of a mechanism with two answers, the larger of both directions, cut after twelve digits. */
function twoPoint({ rare, loss }: { rare: number; loss: number }): Release {
  const q = rare * Math.exp(-loss)
  const divergence = (alpha: number, a: number, b: number): number =>
    Math.log(a * (a / b) ** (alpha - 1) + (1 - a) * ((1 - a) / (1 - b)) ** (alpha - 1)) / (alpha - 1)
  const at = (alpha: number): string =>
    (Math.max(divergence(alpha, rare, q), divergence(alpha, q, rare)) - 1e-12).toFixed(12)
  return parseRelease({ mechanism: 'declared_rdp', curve: { 8: at(8), 64: at(64) } }, 'add_or_remove_one')
}

function isAdmitted(budget: BudgetCaps, releases: readonly Release[]): boolean {
  const rows = [...budget.and, ...budget.or]
  const spent = new Map<Row, bigint>()
  return releases.every((release) => {
    const costs = costsOf(release, rows)
    const admitted = admits(
      budget,
      (row) => spent.get(row) ?? 0n,
      (row) => costs[row]!,
    )
    for (const row of rows) spent.set(row, (spent.get(row) ?? 0n) + BigInt(costs[row]!))
    return admitted
  })
}

const otherLoss = ({ rare, loss }: { rare: number; loss: number }): number =>
  Math.log((1 - rare) / (1 - rare * Math.exp(-loss)))

/** δ at ε = 3: Σ (P - e³Q)⁺ over the transcripts; a refused second stage says nothing. */
function deltaOfTree(firsts: readonly (readonly [number, number, Branch | undefined])[]): number {
  let delta = 0
  for (const [probability, loss, second] of firsts) {
    const answers =
      second === undefined
        ? [[1, 0]]
        : [
            [second.rare, second.loss],
            [1 - second.rare, otherLoss(second)],
          ]
    for (const [p, further] of answers) {
      delta += Math.max(0, probability * p! * (1 - Math.exp(LOSS - loss - further!)))
    }
  }
  return delta
}
