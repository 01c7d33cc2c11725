import type { Row } from '../accounting/units.js'
import { canonicalJson } from '../ledger/canonical.js'
import type { Attributes } from './commands.js'
import { type Rejection, reject } from './context.js'
import type { Attribute, Policy } from './policy.js'

/** One policy with the budgets of it that a spend touches. */
export interface Target {
  readonly policy: Policy
  /** One key for each of `units`, or a single one where the scope does not name the unit. */
  readonly keys: readonly string[]
  /** The units that the keys belong to, aligned; empty where the scope does not name the unit. */
  readonly units: readonly string[]
}

/**
 * The budgets that a spend with these attributes is charged to: each policy whose match and scope it meets.
 *
 * Fails closed: what a guarantee's match or scope names and the spend lacks is an error, so that nobody chooses
 * budgets by leaving something out; and so is a spend, or a unit of it, that no policy covers.
 */
export const targetsOf = (policies: readonly Policy[], attributes: Attributes): readonly Target[] | Rejection => {
  const targets: Target[] = []
  for (const policy of policies) {
    const fit = fitOf(policy, attributes)
    if (fit === 'elsewhere') continue
    if (fit !== 'fits') {
      if (policy.role === 'quota') continue
      return reject(
        'ATTRIBUTE_REQUIRED',
        `policy ${policy.id} is a guarantee over "${fit}", and the spend has no ${fit}; send one`,
        [{ pointer: `/${fit}`, detail: `required by policy ${policy.id}` }],
      )
    }
    targets.push(targetOf(policy, attributes))
  }
  return uncovered(targets, attributes) ?? targets
}

/** The rows in which a spend with these attributes will be charged. */
export const rowsFor = (policies: readonly Policy[], attributes: Attributes): readonly Row[] => {
  const fitting = policies.filter((policy) => fitOf(policy, attributes) === 'fits')
  return fitting.length === 1 ? (fitting[0]?.rows ?? []) : [...new Set(fitting.flatMap(({ rows }) => rows))]
}

/** 'fits', 'elsewhere' (another value than the match wants), or the attribute that is missing. */
const fitOf = (policy: Policy, attributes: Attributes): 'fits' | 'elsewhere' | Attribute => {
  let missing: Attribute | undefined
  for (const [name, wanted] of Object.entries(policy.match)) {
    const values = valuesOf(attributes, name as Attribute)
    if (values.length === 0) missing ??= name as Attribute
    else if (!values.some((value) => wanted.includes(value))) return 'elsewhere'
  }
  return missing ?? policy.scope.find((name) => valuesOf(attributes, name).length === 0) ?? 'fits'
}

const valuesOf = (attributes: Attributes, name: Attribute): readonly string[] => {
  if (name === 'unit') return attributes.units
  const value = attributes[name]
  return value === undefined ? [] : [value]
}

const targetOf = (policy: Policy, attributes: Attributes): Target => {
  if (!policy.scope.includes('unit')) return { policy, keys: [keyOf(policy, attributes, '')], units: [] }
  const wanted = policy.match.unit
  const units = wanted === undefined ? attributes.units : attributes.units.filter((unit) => wanted.includes(unit))
  const alone = policy.scope.length === 1
  return { policy, keys: alone ? units : units.map((unit) => keyOf(policy, attributes, unit)), units }
}

/** The budgets of one policy that a spend with these attributes touches, given that the policy applies. */
export const targetKeys = (policy: Policy, attributes: Attributes): readonly string[] =>
  targetOf(policy, attributes).keys

/** The name of a budget within its policy. */
const keyOf = (policy: Policy, attributes: Attributes, unit: string): string => {
  const values = policy.scope.map((name) => (name === 'unit' ? unit : (attributes[name] ?? '')))
  return values.length === 1 ? (values[0] ?? '') : canonicalJson(values)
}

/** The unit in a key of this policy; undefined where its scope does not name the unit. */
export const unitOfKey = (policy: Pick<Policy, 'scope'>, key: string): string | undefined => {
  const place = policy.scope.indexOf('unit')
  if (place === -1) return undefined
  return policy.scope.length === 1 ? key : (JSON.parse(key) as string[])[place]
}

const uncovered = (targets: readonly Target[], attributes: Attributes): Rejection | undefined => {
  if (targets.length === 0) {
    return reject('NO_POLICY', 'no policy covers this spend, so nobody accounts for it; set a policy that matches it')
  }
  if (targets.some(({ policy }) => policy.match.unit === undefined)) return undefined
  const covered = new Set(targets.flatMap(({ policy }) => policy.match.unit ?? []))
  const bare = attributes.units.find((unit) => !covered.has(unit))
  return bare === undefined
    ? undefined
    : reject('NO_POLICY', `no policy covers unit ${JSON.stringify(bare)}; set a policy that matches it`)
}
