import { epsilonWhatIf, type Sums } from '../accounting/convert.js'
import { AccountingError } from '../accounting/errors.js'
import { inTranscendentalRange, integerFrom } from '../accounting/fields.js'
import { ceilDivide, compare, ONE, parseRational, type Rational, rationalText } from '../accounting/rational.js'
import {
  type Cost,
  formatAmount,
  INFINITE_FROM,
  LARGEST_ORDER,
  type Row,
  rdpRow,
  SCALE_LOSS,
} from '../accounting/units.js'
import { EXIT, type Io, usage, writeJson, writeLine } from './io.js'
import { type Options, parseOptions } from './options.js'

/**
 * `what-if --delta D --rho R`, or `--rdp 8:1.2,inf:3`: the ε that a budget's sums would mean at δ, for display only. It
 * reads amounts as answers show them, needs no ledger, and says of itself that it guarantees nothing.
 */
export const run = async (args: readonly string[], io: Io): Promise<number> => {
  const options = parseOptions(args, { values: ['delta', 'rho', 'rdp'] })
  const delta = deltaFrom(options.required('delta'))
  const { epsilon, row } = epsilonWhatIf(sumsFrom(options), delta)
  const shown = { epsilonWhatIf: amountShown(epsilon), delta: rationalText(delta), row: row ?? null, guarantee: false }
  if (options.flag('json')) writeJson(io, shown)
  else writeLine(io, wordsOf(shown))
  return EXIT.ok
}

const deltaFrom = (text: string): Rational => {
  const delta = inTranscendentalRange(parseRational(text, '/delta'), '/delta')
  if (compare(delta, ONE) < 0) return delta
  throw new AccountingError('OUT_OF_RANGE', 'must be below 1', '/delta')
}

const sumsFrom = (options: Options): ReadonlyMap<Row, Sums> => {
  const rho = options.value('rho')
  const rdp = options.value('rdp')
  if ((rho === undefined) === (rdp === undefined)) throw usage('give either --rho or --rdp')
  if (rho !== undefined) return new Map([['rho', sumFrom(rho, '/rho')]])
  const sums = new Map<Row, Sums>()
  for (const text of rdp?.split(',') ?? []) {
    const [order = '', sum, ...more] = text.trim().split(':')
    if (sum === undefined || more.length > 0) throw usage(`--rdp takes ORDER:SUM, not ${JSON.stringify(text)}`)
    const row = rdpRow(orderFrom(order))
    if (sums.has(row)) throw usage(`--rdp names order ${order} twice`)
    sums.set(row, sumFrom(sum, `/rdp/${order}`))
  }
  return sums
}

const orderFrom = (text: string): number | 'inf' =>
  text === 'inf' ? 'inf' : Number(integerFrom(text, 2n, BigInt(LARGEST_ORDER), '/rdp'))

/** A sum as answers show it, `INF` included; what has more than 15 decimals is rounded up. */
const sumFrom = (text: string, pointer: string): Sums => {
  if (text === 'INF') return { finite: 0n, infinite: 1 }
  const { num, den } = parseRational(text, pointer)
  const finite = ceilDivide(num * SCALE_LOSS, den)
  if (finite < INFINITE_FROM) return { finite, infinite: 0 }
  throw new AccountingError('OUT_OF_RANGE', `must be below ${formatAmount(INFINITE_FROM, 'eps')}`, pointer)
}

const amountShown = (epsilon: Cost): string => (epsilon === 'INF' ? 'INF' : formatAmount(epsilon, 'eps'))

const wordsOf = (shown: { readonly epsilonWhatIf: string; readonly delta: string; readonly row: Row | null }): string =>
  [
    `epsilon ${shown.epsilonWhatIf} at delta ${shown.delta}${shown.row === null ? '' : `, by row ${shown.row}`}`,
    'if all costs had been fixed in advance. This is no guarantee: that is the epsilon and delta of the policy.',
  ].join('\n')
