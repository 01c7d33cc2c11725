import { type BudgetCaps, capsFor } from '../accounting/caps.js'
import type { CostsOf } from '../accounting/cost.js'
import { AccountingError } from '../accounting/errors.js'
import { Fields } from '../accounting/fields.js'
import { parseRational, rationalText } from '../accounting/rational.js'
import { parseRelease, type Release } from '../accounting/release.js'
import { type Metric, orderOf, RELATIONS, type Relation, type Row } from '../accounting/units.js'
import { nameFrom } from './names.js'
import { ATTRIBUTES, type Attribute, type Match, type OrderShare, type PolicyTerms, type Role } from './policy.js'
import { limitBody } from './request.js'
import { WINDOW_KINDS, type WindowKind } from './window.js'

/** What a person asked for, with the caps that follow from it. */
export interface PolicyRequest {
  readonly terms: PolicyTerms
  /** The version that it takes the place of; undefined for a new policy. */
  readonly replaces?: number
  /** What whoever sets the policy should know: none of it stops the policy. */
  readonly warnings: readonly string[]
}

const METRICS: readonly Metric[] = ['pure', 'approx', 'zcdp', 'rdp']
const ROLES: readonly Role[] = ['guarantee', 'quota']
const MOST_VALUES = 1_000

/**
 * Reads a policy as it is sent, and computes its caps. Every field is checked and unknown ones are refused.
 *
 * An `rdp` policy that takes the place of another one and names no orders keeps that one's, sharing delta equally: other
 * orders would be another structure, and its budgets would begin at zero.
 *
 * What a `plannedFor` costs at every order may take a second to work out: see {@link plannedIn}.
 *
 * @param costs for those who know already what the planned spend costs.
 * @throws AccountingError with the JSON pointer of what is wrong.
 */
export const parsePolicy = (wire: unknown, current?: PolicyTerms, costs?: CostsOf): PolicyRequest => {
  const fields = new Fields(wire, '')
  const id = nameFrom(fields.take('id'), '/id')
  const scope = scopeFrom(fields)
  const match = fields.has('match') ? matchFrom(fields.take('match'), '/match') : {}
  const metric = oneOf(fields, 'metric', METRICS)
  const neighboring = oneOf(fields, 'neighboring', RELATIONS)
  const { role, window } = roleFrom(fields)
  const replaces = fields.has('replaces') ? Number(fields.integer('replaces', 1n, MOST_VERSIONS)) : undefined
  const asked = { epsilon: fields.take('epsilon'), delta: fields.take('delta') }
  const kept =
    metric === 'rdp' && current?.metric === 'rdp' ? { orders: current.orders.map(({ alpha }) => ({ alpha })) } : {}
  const named = fields.has('orders') || fields.has('plannedFor')
  const caps = capsFor({ metric, ...asked, ...(named ? {} : kept), ...optionsFrom(fields, neighboring) }, costs)
  fields.end()
  requireLife(metric, caps)
  const epsilon = rationalText(parseRational(asked.epsilon, '/epsilon'))
  const terms = { id, scope, match, metric, epsilon, neighboring, window, role, ...termsOf(caps) }
  return { terms, ...(replaces === undefined ? {} : { replaces }), warnings: caps.warnings }
}

const MOST_VERSIONS = 10n ** 9n

/**
 * Attribute → one value or a list of them, as a policy's match and a halt's scope have it.
 *
 * @throws AccountingError with the JSON pointer of what is wrong.
 */
export const matchFrom = (wire: unknown, pointer: string): Match => {
  const fields = new Fields(wire, pointer)
  const entries = ATTRIBUTES.filter((name) => fields.has(name)).map((name) => [
    name,
    valuesFrom(fields.take(name), fields.at(name)),
  ])
  fields.end()
  return Object.fromEntries(entries)
}

const valuesFrom = (wire: unknown, pointer: string): readonly string[] => {
  if (!Array.isArray(wire)) return [nameFrom(wire, pointer)]
  if (wire.length === 0 || wire.length > MOST_VALUES) {
    throw new AccountingError(
      'OUT_OF_RANGE',
      `must have 1 to ${MOST_VALUES} values, and this has ${wire.length}`,
      pointer,
    )
  }
  return distinct(
    wire.map((value, index) => nameFrom(value, `${pointer}/${index}`)),
    pointer,
  )
}

const scopeFrom = (fields: Fields): readonly Attribute[] => {
  const scope = fields.list('scope').map((name, index) => {
    if (ATTRIBUTES.includes(name as Attribute)) return name as Attribute
    throw new AccountingError('INVALID', `must be one of ${ATTRIBUTES.join(', ')}`, `/scope/${index}`)
  })
  if (scope.length === 0) throw new AccountingError('INVALID', 'must name at least one attribute', '/scope')
  return distinct(scope, '/scope')
}

const distinct = <Name extends string>(names: readonly Name[], pointer: string): readonly Name[] => {
  const twice = names.findIndex((name, index) => names.indexOf(name) < index)
  if (twice === -1) return names
  throw new AccountingError('INVALID', 'is given twice', `${pointer}/${twice}`)
}

/** A guarantee counts for ever: only a quota begins anew. */
const roleFrom = (fields: Fields): { readonly role: Role; readonly window: WindowKind } => {
  const role = oneOf(fields, 'role', ROLES)
  const window = oneOf(fields, 'window', WINDOW_KINDS)
  if (role === 'quota' || window === 'lifetime') return { role, window }
  throw new AccountingError(
    'INVALID',
    `a guarantee has the window lifetime, not ${window}; make it a quota, beside a guarantee for the lifetime`,
    '/window',
  )
}

const oneOf = <Value extends string>(fields: Fields, name: string, values: readonly Value[]): Value => {
  const value = fields.text(name) as Value
  if (values.includes(value)) return value
  throw new AccountingError('INVALID', `must be one of ${values.join(', ')}`, fields.at(name))
}

/** What some metrics have beside epsilon and delta; {@link capsFor} refuses it for the others. */
const optionsFrom = (fields: Fields, neighboring: Relation) => ({
  ...(fields.has('deltaForSpends') ? { deltaForSpends: fields.take('deltaForSpends') } : {}),
  ...(fields.has('alphaStar') ? { alphaStar: fields.take('alphaStar') } : {}),
  ...(fields.has('orders') ? { orders: ordersFrom(fields.list('orders')) } : {}),
  ...(fields.has('plannedFor') ? { plannedFor: plannedFrom(fields.take('plannedFor'), neighboring) } : {}),
})

const ordersFrom = (orders: readonly unknown[]) =>
  orders.map((order, index) => {
    const fields = new Fields(order, `/orders/${index}`)
    const alpha = fields.take('alpha')
    const share = fields.has('deltaShare') ? { deltaShare: fields.take('deltaShare') } : {}
    fields.end()
    return { alpha, ...share }
  })

/**
 * The planned spend of a policy as it is sent, so that its costs can be worked out before the policy is read; undefined
 * where there is none, or a wrong one, which the reader of the policy refuses.
 */
export const plannedIn = (wire: unknown): Release | undefined => {
  try {
    const fields = new Fields(wire, '')
    if (!fields.has('plannedFor')) return undefined
    return plannedFrom(fields.take('plannedFor'), oneOf(fields, 'neighboring', RELATIONS))
  } catch (error) {
    if (error instanceof AccountingError) return undefined
    throw error
  }
}

/** It is tried at every order that there may be. */
const MOST_PLANNED_PARTS = 20

/** A spend body under the policy's own relation. */
const plannedFrom = (body: unknown, neighboring: Relation): Release => {
  try {
    limitBody(body, 'a planned spend')
    const release = parseRelease(body, neighboring)
    if (release.parts.length <= MOST_PLANNED_PARTS) return release
    throw new AccountingError(
      'OUT_OF_RANGE',
      `a planned spend has at most ${MOST_PLANNED_PARTS} parts, this one ${release.parts.length}; send the part that costs most`,
    )
  } catch (error) {
    if (!(error instanceof AccountingError)) throw error
    throw new AccountingError(error.code, error.detail, `/plannedFor${error.pointer}`)
  }
}

/** A budget that could never admit anything is a mistake, not a policy. */
const requireLife = (metric: Metric, { and, or, caps }: BudgetCaps): void => {
  const dead = (row: Row) => caps[row] === 'DEAD'
  if (!and.some(dead) && (or.length === 0 || !or.every(dead))) return
  const advice =
    metric === 'rdp'
      ? 'give larger orders, fewer of them, or leave orders out to have them chosen'
      : 'raise epsilon or delta, or leave alphaStar out to have it chosen'
  throw new AccountingError('OUT_OF_RANGE', `no cap is above 0, so nothing could ever be spent: ${advice}`, '/epsilon')
}

/**
 * The caps as a policy keeps them. Rows are in the order of their Rényi orders, however they were asked for: the sums of
 * two versions with the same rows must line up.
 */
const termsOf = (
  caps: BudgetCaps,
): Pick<PolicyTerms, 'and' | 'or' | 'caps' | 'orders' | 'alphaStar' | 'deltaConv' | 'deltaExt' | 'costFn'> => ({
  deltaConv: caps.deltaConv,
  deltaExt: caps.deltaExt,
  orders: [...(caps.orders ?? [])].sort((a, b) => rank(a.alpha) - rank(b.alpha)),
  alphaStar: caps.alphaStar ?? null,
  and: caps.and,
  or: [...caps.or].sort((a, b) => rank(orderOf(a)) - rank(orderOf(b))),
  caps: Object.fromEntries(Object.entries(caps.caps).map(([row, cap]) => [row, String(cap)])),
  costFn: 'exact-v1',
})

const rank = (order: OrderShare['alpha'] | undefined): number =>
  typeof order === 'number' ? order : Number.MAX_SAFE_INTEGER
