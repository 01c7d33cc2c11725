/**
 * The rows a spend is charged in, and the integers that fill them.
 *
 * | row | what | scale |
 * |---|---|---|
 * | `eps` | pure privacy loss ε | 10¹⁵ |
 * | `rho` | zCDP privacy loss ρ | 10¹⁵ |
 * | `mu2` | Gaussian-DP μ² | 10¹⁵ |
 * | `rdp:8` | Rényi divergence of order 8 | 10¹⁵ |
 * | `rdp:inf` | Rényi divergence of order ∞, the same as `eps` | 10¹⁵ |
 * | `delta` | δ of the spend's own | 10¹⁸ |
 */
export type Row = 'eps' | 'delta' | 'rho' | 'mu2' | 'rdp:inf' | `rdp:${number}`

/** What a spend costs in one row: the exact real number times the row's scale, rounded up once. `INF` from 2⁶³ - 1. */
export type Cost = bigint | 'INF'

/** What a budget holds in one row, rounded down. `DEAD` is a row that can never take a positive cost. */
export type Cap = bigint | 'DEAD'

export type Metric = 'pure' | 'approx' | 'zcdp' | 'rdp'

/** Which two inputs count as neighbours; dp_accounting's names in lower case. */
export type Relation = 'add_or_remove_one' | 'replace_one' | 'replace_special'

export const RELATIONS: readonly Relation[] = ['add_or_remove_one', 'replace_one', 'replace_special']

/** ε, ρ, μ² and Rényi divergences are counted in units of 10⁻¹⁵. */
export const SCALE_LOSS = 10n ** 15n

/** δ is counted in units of 10⁻¹⁸. */
export const SCALE_DELTA = 10n ** 18n

/** The smallest amount that counts as infinite. */
export const INFINITE_FROM = 2n ** 63n - 1n

/** The largest cap a budget may have, in units of its row. */
export const LARGEST_CAP = 2n ** 62n

/** The largest `count` of a spend. */
export const LARGEST_COUNT = 10n ** 12n

export const LARGEST_ORDER = 1024

export const scaleOf = (row: Row): bigint => (row === 'delta' ? SCALE_DELTA : SCALE_LOSS)

/** The row of one Rényi order. */
export const rdpRow = (order: number | 'inf'): Row => (order === 'inf' ? 'rdp:inf' : `rdp:${order}`)

/** The Rényi order of a row, or undefined where the row is none. */
export const orderOf = (row: Row): number | 'inf' | undefined => {
  if (!row.startsWith('rdp:')) return undefined
  return row === 'rdp:inf' ? 'inf' : Number(row.slice(4))
}

/** The exact decimal of `units` in natural units: `formatAmount(24356000000001n, 'rho')` is `0.024356000000001`. */
export function formatAmount(units: bigint, row: Row): string {
  const magnitude = units < 0n ? -units : units
  const scale = scaleOf(row)
  const digits = scale.toString().length - 1
  const fraction = (magnitude % scale).toString().padStart(digits, '0').replace(/0+$/, '')
  const text = fraction === '' ? `${magnitude / scale}` : `${magnitude / scale}.${fraction}`
  return units < 0n ? `-${text}` : text
}
