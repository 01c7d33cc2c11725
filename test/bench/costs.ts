import { costsOf } from '../../src/accounting/cost.js'
import { CATALOGUE } from '../../src/accounting/orders.js'
import { parseRelease } from '../../src/accounting/release.js'
import { type Row, rdpRow } from '../../src/accounting/units.js'
import { seeded } from './statistics.js'

/** The 21 orders that a training run's budget may have. */
const ROWS: readonly Row[] = ['delta', ...CATALOGUE.map(rdpRow)]

/** As many orders as a policy may have, the largest that it may have. */
export const COSTLIEST_ORDERS: readonly number[] = Array.from({ length: 64 }, (_, index) => 1_024 - index)

const RELATION = 'add_or_remove_one'

/** Milliseconds of each of so many subsampled Gaussians, as training runs have them, no two alike, at 21 orders. */
export const freshCosts = (number: number, seed: number): readonly number[] => {
  const random = seeded(seed)
  return Array.from({ length: number }, () => {
    const noiseMultiplier = (0.6 + 3.4 * random()).toFixed(6)
    const probability = (10 ** (-4 + 3 * random())).toFixed(9)
    return millisecondsOf(
      { mechanism: 'gaussian', noiseMultiplier, sampling: { method: 'poisson', probability } },
      ROWS,
    )
  })
}

export interface WorstCost {
  readonly name: string
  readonly orders: number
  readonly milliseconds: number
}

/** Inputs at the edge of what is accepted, at 21 orders and at the costliest 64, the dearest first. */
export const worstCosts = (): readonly WorstCost[] => {
  const rowsets: readonly (readonly Row[])[] = [ROWS, ['delta', ...COSTLIEST_ORDERS.map(rdpRow)]]
  return rowsets
    .flatMap((rows) =>
      Object.entries(edgeInputs()).map(([name, body]) => ({
        name,
        orders: rows.length - 1,
        milliseconds: millisecondsOf(body, rows),
      })),
    )
    .toSorted((a, b) => b.milliseconds - a.milliseconds)
}

const millisecondsOf = (body: object, rows: readonly Row[]): number => {
  const from = performance.now()
  costsOf(parseRelease(body, RELATION), rows)
  return performance.now() - from
}

/** The `index`-th of as many distinct subsampled Gaussians as one likes, each as dear as any that is accepted. */
export const costlyGaussian = (index: number): object =>
  gaussian(`${(1n << 98n) + BigInt(index)}/${(1n << 97n) - 1n}`, `${DIGITS}${String(index).padStart(6, '0')}`)

const DIGITS = `0.${'314159265358979323846264338327950288419716939937510582097494'.slice(0, 54)}`

const gaussian = (noiseMultiplier: string, probability: string, count = '1'): object => ({
  mechanism: 'gaussian',
  noiseMultiplier,
  sampling: { method: 'poisson', probability },
  count,
})

const edgeInputs = (): Readonly<Record<string, object>> => ({
  'sixty digits': costlyGaussian(0),
  'tiny noise': gaussian('1e-15', '0.5'),
  'tiny noise, tiny sample': gaussian('1e-15', '1e-30'),
  'small noise, small sample': gaussian('0.05', '1e-12'),
  'large noise': gaussian('999999999999999.7', '0.999999999999999999999999999999'),
  'large noise, large count': gaussian('999999999999999.7', '0.3333333333', '1000000000000'),
  'tiny sample, large count': gaussian('0.7', '1e-30', '1000000000000'),
  'almost no sampling': gaussian('0.7', `0.${'9'.repeat(29)}`, '1000000000000'),
  'almost no sampling, a whole number': gaussian('1', `0.${'9'.repeat(59)}`),
  'ε of a whole number': { mechanism: 'discrete_laplace', noiseParameter: '4000.1', sensitivity: 1 },
  'tiny ε': { mechanism: 'declared_pure', epsilon: '1e-30', sampling: { method: 'poisson', probability: '0.7' } },
  'many mechanisms in one release': { parts: Array.from({ length: 16 }, (_, index) => costlyGaussian(index)) },
  'many others in one release': {
    parts: Array.from({ length: 64 }, (_, index) => ({ mechanism: 'exponential', epsilon: `1.${index + 11}e-30` })),
  },
})
