import type { JsonObject } from '../../ledger/record.js'

/** What a ledger says of one budget: exact decimals by row, as every answer has them. */
export interface Standing {
  readonly spent: JsonObject
  readonly reserved: JsonObject
  readonly cap: JsonObject
  readonly remaining: JsonObject
}

/** What is charged: `ε 34.9 δ 7e-9`, `ρ 0.81 held`, or 0. */
export const spentText = ({ spent, reserved }: Standing): string => {
  const held = amountsText(reserved)
  if (held === '0') return amountsText(spent)
  return amountsText(spent) === '0' ? `${held} held` : `${amountsText(spent)}, ${held} held`
}

/** What remains, or by how much a quota was passed: `ε 4 beyond`. */
export const leftText = ({ spent, cap, remaining }: Standing): string => {
  const caps = new Map(rowsOf(cap))
  const beyond = rowsOf(spent).flatMap(([row, amount]): Row[] => {
    const most = caps.get(row) ?? '0'
    return exceeds(amount, most) ? [[row, difference(amount, most)]] : []
  })
  return beyond.length === 0 ? amountsText(remaining) : `${rowsText(beyond)} beyond`
}

/** Several budgets of one deployment, said once where they say the same: `ρ 4.96/7.7`. */
export const together = (texts: readonly string[]): string => {
  const [first = '', ...rest] = [...new Set(texts)]
  const symbol = first.slice(0, first.indexOf(' ') + 1)
  return [first, ...rest.map((text) => (text.startsWith(symbol) ? text.slice(symbol.length) : text))].join('/')
}

/** Rows that are not 0 with their symbols; `D8` is the Rényi divergence of order 8. */
export const amountsText = (amounts: JsonObject): string => rowsText(rowsOf(amounts))

type Row = readonly [symbol: string, decimal: string]

const rowsText = (rows: readonly Row[]): string => {
  const shown = rows.filter(([, decimal]) => decimal !== '0')
  return shown.length === 0 ? '0' : shown.map(([symbol, decimal]) => `${symbol} ${short(decimal)}`).join(' ')
}

/** Losses first, δ last, whatever order an answer has them in. */
const rowsOf = ({ rdp = {}, delta, ...losses }: JsonObject): readonly Row[] => [
  ...Object.entries(losses).map(([name, amount]): Row => [SYMBOL[name] ?? name, String(amount)]),
  ...Object.entries(rdp as JsonObject).map(([order, amount]): Row => [`D${order}`, String(amount)]),
  ...(delta === undefined ? [] : [['δ', String(delta)] as const]),
]

const SYMBOL: Readonly<Record<string, string>> = { epsilon: 'ε', rho: 'ρ' }

/** At most four decimals, cut and not rounded: what is left is never shown as more. Tiny ones as `1.1e-10`. */
export const short = (decimal: string): string => {
  const [whole = '0', fraction = ''] = decimal.split('.')
  const zeros = fraction.length - fraction.replace(/^0+/, '').length
  if (whole !== '0' || zeros < 3) return fraction.length > 4 ? `${whole}.${fraction.slice(0, 4)}…` : decimal
  const digits = fraction.slice(zeros)
  const mantissa = digits.length > 1 ? `${digits[0]}.${digits.slice(1, 3)}` : digits
  return `${mantissa}${digits.length > 3 ? '…' : ''}e-${zeros + 1}`
}

/** Exact decimals in units of 10⁻¹⁸, the finest that a ledger counts in. */
const units = (decimal: string): bigint => {
  const [whole = '0', fraction = ''] = decimal.split('.')
  return BigInt(whole + fraction.padEnd(18, '0'))
}

export const exceeds = (one: string, other: string): boolean => units(one) > units(other)

/** `one` less `other` as an exact decimal. */
export const difference = (one: string, other: string): string => {
  const left = units(one) - units(other)
  const text = (left < 0n ? -left : left).toString().padStart(19, '0')
  const fraction = text.slice(-18).replace(/0+$/, '')
  return `${left < 0n ? '-' : ''}${text.slice(0, -18)}${fraction === '' ? '' : `.${fraction}`}`
}
