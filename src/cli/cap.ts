import { type BudgetCaps, capsFor } from '../accounting/caps.js'
import type { OrderTerms } from '../accounting/order-shares.js'
import { type Metric, orderOf, type Row } from '../accounting/units.js'
import { EXIT, type Io, usage, writeJson, writeLine } from './io.js'
import { type Options, parseOptions } from './options.js'

const METRICS: readonly Metric[] = ['pure', 'approx', 'zcdp', 'rdp']

/**
 * `cap --metric M --epsilon E --delta D …`: the caps that a policy would have, as one JSON document; the integers that
 * records carry, `"DEAD"` for a row that can never take a positive cost.
 */
export const run = async (args: readonly string[], io: Io): Promise<number> => {
  const values = ['metric', 'epsilon', 'delta', 'orders', 'alpha-star', 'delta-for-spends']
  const options = parseOptions(args, { values })
  const metric = metricFrom(options.required('metric'))
  const caps = capsFor({
    metric,
    epsilon: options.required('epsilon'),
    delta: metric === 'pure' ? (options.value('delta') ?? '0') : options.required('delta'),
    deltaForSpends: options.value('delta-for-spends'),
    alphaStar: options.value('alpha-star'),
    orders: ordersFrom(options),
  })
  for (const warning of caps.warnings) io.stderr.write(`${warning}\n`)
  if (options.flag('json')) writeJson(io, capsView(caps))
  else writeLine(io, JSON.stringify(capsView(caps), undefined, 2))
  return EXIT.ok
}

/** The caps under the names that `cost` has for the rows, and what is fixed with them. */
function capsView({ caps, and, or, orders, alphaStar, deltaConv, deltaExt }: BudgetCaps): object {
  const text = (row: Row): string => String(caps[row])
  const rdp = Object.fromEntries(or.map((row) => [orderOf(row), text(row)]))
  return {
    ...Object.fromEntries(and.map((row) => [row === 'eps' ? 'pure' : row, text(row)])),
    ...(or.length === 0 ? {} : { rdp }),
    ...(alphaStar === undefined ? {} : { alphaStar }),
    ...(orders === undefined ? {} : { orders }),
    deltaConv,
    deltaExt,
  }
}

function metricFrom(text: string): Metric {
  const metric = METRICS.find((one) => one === text)
  if (metric === undefined) throw usage(`--metric is one of ${METRICS.join(', ')}, not ${JSON.stringify(text)}`)
  return metric
}

/** `8:1e-6,64:1e-6`, or `8,64` for equal shares. */
function ordersFrom(options: Options): readonly OrderTerms[] | undefined {
  return options
    .value('orders')
    ?.split(',')
    .map((text) => {
      const [alpha = '', share, ...more] = text.trim().split(':')
      if (more.length > 0) throw usage(`--orders takes ORDER or ORDER:SHARE, not ${JSON.stringify(text)}`)
      return share === undefined ? { alpha } : { alpha, deltaShare: share }
    })
}
