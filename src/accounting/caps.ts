import { bestOrder, largestDivergence } from './conversion.js'
import { type CostsOf, costsOf } from './cost.js'
import { AccountingError, unreachable } from './errors.js'
import { ofRational, quotient } from './exact/interval.js'
import { floorScaled } from './exact/rounding.js'
import { inTranscendentalRange } from './fields.js'
import { type Converted, divergenceCap, type OrderTerms, orderShares, requireConversionDelta } from './order-shares.js'
import {
  compare,
  floorDivide,
  isZero,
  keptText,
  ONE,
  parseRational,
  type Rational,
  subtract,
  ZERO,
} from './rational.js'
import type { Release } from './release.js'
import { type Cap, LARGEST_CAP, type Metric, type Row, rdpRow, SCALE_DELTA, SCALE_LOSS } from './units.js'

/** What a budget is asked to guarantee; amounts as decimal strings, fractions or JSON numbers. */
export interface BudgetTerms {
  readonly metric: Metric
  readonly epsilon: unknown
  readonly delta: unknown
  /** The part of δ set aside for spends that have a δ of their own; zcdp and rdp only, default 0. */
  readonly deltaForSpends?: unknown
  /** rdp: the orders, with their shares of δ; all shares or none. */
  readonly orders?: readonly OrderTerms[] | undefined
  /** rdp: a representative spend; its best order gets the whole δ. */
  readonly plannedFor?: Release | undefined
  /** zcdp: the order of the conversion, above 1. */
  readonly alphaStar?: unknown
}

/** The caps that hold a budget to its terms, and what else is fixed with them. */
export interface BudgetCaps {
  readonly and: readonly Row[]
  readonly or: readonly Row[]
  readonly caps: Readonly<Partial<Record<Row, Cap>>>
  readonly orders?: readonly { readonly alpha: number | 'inf'; readonly deltaShare: string }[]
  readonly alphaStar?: string
  /** δ that the conversion from ρ or Rényi divergences uses up. */
  readonly deltaConv: string
  /** δ that spends may use up. */
  readonly deltaExt: string
  readonly warnings: readonly string[]
}

const EIGHTHS = 8n

/**
 * The caps for (ε, δ): ⌊scale · C⌋ of the exact numbers. `pure` and `approx` hold ε and δ themselves; `zcdp` and `rdp` what
 * may be spent so that the conversion ends at ε and its share of δ. A cap that is not above 0 is `DEAD`.
 *
 * @param costs for those who know already what a planned spend costs.
 * @throws AccountingError with the JSON pointer of what is wrong.
 */
export function capsFor(terms: BudgetTerms, costs: CostsOf = costsOf): BudgetCaps {
  const epsilon = parseRational(terms.epsilon, '/epsilon')
  const delta = parseRational(terms.delta, '/delta')
  if (compare(delta, ONE) >= 0) throw new AccountingError('OUT_OF_RANGE', 'delta must be below 1', '/delta')
  refuseForeignTerms(terms)
  switch (terms.metric) {
    case 'pure':
      if (!isZero(delta)) throw new AccountingError('OUT_OF_RANGE', 'a pure budget has delta 0', '/delta')
      return basicCaps(epsilon, delta)
    case 'approx':
      return basicCaps(epsilon, delta)
    case 'zcdp':
      return zcdpCaps(terms, converted(terms, epsilon, delta))
    case 'rdp':
      return rdpCaps(terms, converted(terms, epsilon, delta), costs)
    default:
      return unreachable(terms.metric)
  }
}

function converted(terms: BudgetTerms, epsilon: Rational, delta: Rational): Converted {
  const pointer = '/deltaForSpends'
  const deltaExt = terms.deltaForSpends === undefined ? ZERO : parseRational(terms.deltaForSpends, pointer)
  if (compare(deltaExt, delta) > 0) {
    throw new AccountingError('OUT_OF_RANGE', 'deltaForSpends must not exceed delta', pointer)
  }
  const deltaConv = subtract(delta, deltaExt)
  if (isZero(epsilon)) {
    throw new AccountingError('OUT_OF_RANGE', `a ${terms.metric} budget needs epsilon above 0`, '/epsilon')
  }
  return {
    epsilon: inTranscendentalRange(epsilon, '/epsilon'),
    deltaConv: inTranscendentalRange(deltaConv, '/delta'),
    deltaExt,
  }
}

const basicCaps = (epsilon: Rational, delta: Rational): BudgetCaps => ({
  and: ['eps', 'delta'],
  or: [],
  caps: { eps: lossCap(epsilon), delta: deltaCap(delta) },
  deltaConv: '0',
  deltaExt: keptText(delta, '/delta'),
  warnings: [],
})

function zcdpCaps(terms: BudgetTerms, { epsilon, deltaConv, deltaExt }: Converted): BudgetCaps {
  requireConversionDelta(deltaConv)
  const rhoAt = (order: Rational) => (bits: number) =>
    quotient(largestDivergence(epsilon, order, deltaConv)(bits), ofRational(order, bits), bits)
  const alphaStar = terms.alphaStar === undefined ? bestOrder(EIGHTHS, rhoAt) : conversionOrder(terms.alphaStar)
  const rho = capOf(floorScaled(rhoAt(alphaStar), SCALE_LOSS))
  return {
    and: ['rho', 'delta'],
    or: [],
    caps: { rho, delta: deltaCap(deltaExt) },
    alphaStar: keptText(alphaStar, '/alphaStar'),
    deltaConv: keptText(deltaConv, '/deltaForSpends'),
    deltaExt: keptText(deltaExt, '/deltaForSpends'),
    warnings: rho === 'DEAD' ? ['the budget has no room for any positive cost'] : [],
  }
}

function rdpCaps(terms: BudgetTerms, converted: Converted, costs: CostsOf): BudgetCaps {
  const { epsilon, deltaConv, deltaExt } = converted
  const { shares, warnings } = orderShares(terms, converted, costs)
  const caps: Partial<Record<Row, Cap>> = { delta: deltaCap(deltaExt) }
  for (const { alpha, share } of shares) caps[rdpRow(alpha)] = orderCap(epsilon, alpha, share)
  const or = shares.map(({ alpha }) => rdpRow(alpha))
  const dead = or.filter((row) => caps[row] === 'DEAD')
  if (dead.length === or.length) warnings.push('the budget has no room for any positive cost')
  else if (dead.length > 0) warnings.push(`without a cap above 0: ${dead.join(', ')}`)
  return {
    and: ['delta'],
    or,
    caps,
    orders: shares.map(({ alpha, share }) => ({ alpha, deltaShare: keptText(share, '/delta') })),
    deltaConv: keptText(deltaConv, '/deltaForSpends'),
    deltaExt: keptText(deltaExt, '/deltaForSpends'),
    warnings,
  }
}

function orderCap(epsilon: Rational, alpha: number | 'inf', share: Rational): Cap {
  if (alpha === 'inf') return capOf(lossCap(epsilon))
  return isZero(share) ? 'DEAD' : capOf(divergenceCap(epsilon, alpha, share))
}

const lossCap = (epsilon: Rational): bigint => withinRange(floorDivide(epsilon.num * SCALE_LOSS, epsilon.den))

const deltaCap = (delta: Rational): bigint => floorDivide(delta.num * SCALE_DELTA, delta.den)

const capOf = (units: bigint): Cap => (units > 0n ? withinRange(units) : 'DEAD')

function withinRange(units: bigint): bigint {
  if (units <= LARGEST_CAP) return units
  throw new AccountingError(
    'OUT_OF_RANGE',
    `the cap of ${units} units is above the largest, ${LARGEST_CAP}`,
    '/epsilon',
  )
}

function conversionOrder(alphaStar: unknown): Rational {
  const order = inTranscendentalRange(parseRational(alphaStar, '/alphaStar'), '/alphaStar')
  if (compare(order, ONE) > 0) return order
  throw new AccountingError('OUT_OF_RANGE', 'alphaStar must be above 1', '/alphaStar')
}

/** A term that the metric does not use would be ignored silently. */
function refuseForeignTerms(terms: BudgetTerms): void {
  const { metric } = terms
  const convertsDelta = metric === 'zcdp' || metric === 'rdp'
  const foreign = [
    [
      'deltaForSpends',
      !convertsDelta &&
        terms.deltaForSpends !== undefined &&
        !isZero(parseRational(terms.deltaForSpends, '/deltaForSpends')),
    ],
    ['orders', metric !== 'rdp' && terms.orders !== undefined],
    ['plannedFor', (metric !== 'rdp' || terms.orders !== undefined) && terms.plannedFor !== undefined],
    ['alphaStar', metric !== 'zcdp' && terms.alphaStar !== undefined],
  ] as const
  for (const [name, refused] of foreign) {
    if (refused) throw new AccountingError('INVALID', `${name} has no meaning for this ${metric} budget`, `/${name}`)
  }
}
