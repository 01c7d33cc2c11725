import type { JsonObject } from '../ledger/record.js'
import type { Attributes } from './commands.js'
import type { Match } from './policy.js'
import type { Halt } from './registry.js'

/**
 * The first halt that holds for a spend with these attributes. What a halt names and the spend leaves out counts as
 * meant: in an emergency nobody gets past by saying less.
 */
export const haltOf = (halts: readonly Halt[], attributes: Attributes): Halt | undefined =>
  halts.find(
    ({ scope }) => scope === null || Object.entries(scope).every(([name, values]) => meets(name, values, attributes)),
  )

const meets = (name: string, values: readonly string[], attributes: Attributes): boolean => {
  if (name === 'unit') return attributes.units.length === 0 || attributes.units.some((unit) => values.includes(unit))
  const value = attributes[name as Exclude<keyof Attributes, 'units'>]
  return value === undefined || values.includes(value)
}

export const sameScope = (one: Match | null, other: Match | null): boolean => scopeText(one) === scopeText(other)

/** One text for one scope, whatever the order of its attributes and values. */
const scopeText = (scope: Match | null): string =>
  JSON.stringify(
    scope === null
      ? null
      : Object.entries(scope)
          .map(([name, values]) => [name, [...values].sort()])
          .sort(),
  )

export const scopeToJson = (scope: Match | null): JsonObject | null =>
  scope === null ? null : Object.fromEntries(Object.entries(scope).map(([name, values]) => [name, [...values]]))
