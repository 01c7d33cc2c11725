import { bestOrder, epsilonOfDivergence } from './conversion.js'
import { negate } from './exact/interval.js'
import { type Enclosure, floorScaled } from './exact/rounding.js'
import { isZero, multiply, type Rational, rational } from './rational.js'
import { type Cost, orderOf, type Row, SCALE_LOSS } from './units.js'

/** What has been charged in one row: the finite costs added up without bound, and how many costs were infinite. */
export interface Sums {
  readonly finite: bigint
  readonly infinite: number
}

/** Steps between the orders that are tried for ρ: fine enough for twelve digits of ε. */
const FINE_STEPS = 2n ** 20n

/**
 * For display only: the ε, in units of 10⁻¹⁵ rounded up, that the sums of a budget would mean at δ if all costs had been
 * fixed in advance; the smallest over its rows. What is guaranteed is the budget's (ε, δ), not this.
 *
 * @param used the sums of the rows that bound the loss, without `delta`
 * @param delta what the conversion may use up, below 1
 */
export function epsilonWhatIf(used: ReadonlyMap<Row, Sums>, delta: Rational): { epsilon: Cost; row: Row | undefined } {
  let best: { epsilon: bigint; row: Row } | undefined
  for (const [row, sums] of used) {
    const epsilon = sums.infinite > 0 ? undefined : epsilonOfRow(row, sums.finite, delta)
    if (epsilon !== undefined && (best === undefined || epsilon < best.epsilon)) best = { epsilon, row }
  }
  return best ?? { epsilon: 'INF', row: undefined }
}

/** ε of ρ-zCDP at δ, in units of 10⁻¹⁵ rounded up: the smallest over all orders (Canonne, Kamath and Steinke 2020). */
export function epsilonOfRho(rho: Rational, delta: Rational): bigint {
  if (isZero(rho)) return 0n
  const at = (order: Rational): Enclosure => epsilonOfDivergence(multiply(rho, order), order, delta)
  return ceilUnits(at(bestOrder(FINE_STEPS, (order) => opposite(at(order)))))
}

/** ε of a Rényi divergence at δ, in units of 10⁻¹⁵ rounded up. */
export const epsilonOfRdp = (divergence: Rational, order: Rational, delta: Rational): bigint =>
  ceilUnits(epsilonOfDivergence(divergence, order, delta))

function epsilonOfRow(row: Row, units: bigint, delta: Rational): bigint | undefined {
  if (row === 'eps' || row === 'rdp:inf') return units
  if (isZero(delta)) return undefined
  const loss = rational(units, SCALE_LOSS)
  if (row === 'rho') return epsilonOfRho(loss, delta)
  const order = orderOf(row)
  return typeof order === 'number' ? epsilonOfRdp(loss, rational(BigInt(order)), delta) : undefined
}

function ceilUnits(x: Enclosure): bigint {
  const units = -floorScaled(opposite(x), SCALE_LOSS)
  return units > 0n ? units : 0n
}

const opposite =
  (x: Enclosure): Enclosure =>
  (bits) =>
    negate(x(bits))
