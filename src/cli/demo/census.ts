import type { JsonObject } from '../../ledger/record.js'
import { difference } from './amounts.js'
import data from './data/census-pl94-2020.json' with { type: 'json' }
import { policy } from './play.js'
import type { Stage } from './stage.js'
import { check } from './story.js'

/** Three policies for the same 65 queries: the ε that was published, the exact total, and one hundredth more. */
export const CAPS = [
  { name: 'census-pl94:published', epsilon: '17.14', accepted: 64, why: 'ε 17.14 as published' },
  // With this ε the cap is ⌊10¹⁵ · 293764/114921⌋, the exact sum of the 65 rationals to the last unit.
  { name: 'census-pl94:exact', epsilon: '17.144726448325785', accepted: 64, why: 'the exact total' },
  { name: 'census-pl94', epsilon: '17.15', accepted: 65, why: 'ε 17.15' },
] as const

export const CENSUS = data

const NEIGHBORING = 'replace_one'

/**
 * The persons' part of the 2020 redistricting data, query by query. The exact ρ add up to the total, but each event is
 * charged its own ceiling: 28 units of 10⁻¹⁵ more over 65 events.
 */
export const playCensus = async (stage: Stage): Promise<JsonObject> => {
  const found = []
  for (const cap of CAPS) found.push(await underCap(stage, cap))
  stage.story.table(found.map(({ cap, why, outcome }) => [`cap ρ ${cap}`, why, outcome]))
  return { census: found }
}

const underCap = async (stage: Stage, { name, epsilon, accepted, why }: (typeof CAPS)[number]) => {
  await stage.setPolicy(policy(name, 'zcdp', { epsilon, delta: '1e-10', neighboring: NEIGHBORING }))
  const spends = data.spends.map(({ geolevel, query, rho }) => ({
    id: `${name}:${geolevel}:${query}`,
    dataset: name,
    neighboring: NEIGHBORING,
    mechanism: 'declared_zcdp',
    rho,
  }))
  const { body } = await stage.emitter.expect([200], '/spends/batch', { spends })
  const results = body['results'] as readonly JsonObject[]
  const passed = results.filter(({ status }) => status === 201).length
  check(passed === accepted, () => `${name}: ${accepted} of 65 queries were to be accepted, and ${passed} were`)
  const { cap, remaining } = await stage.standing(name, { dataset: name, neighboring: NEIGHBORING })
  const left = String(remaining['rho'])
  return { policy: name, epsilon, cap: String(cap['rho']), accepted, left, why, outcome: outcomeOf(results, left) }
}

const outcomeOf = (results: readonly JsonObject[], left: string): string => {
  const refused = results.find(({ status }) => status === 409)
  if (refused === undefined) return `65 accepted, ${left} left`
  const [failing] = refused['failing'] as readonly { readonly requested: JsonObject }[]
  return `64 accepted, the last refused: ${difference(String(failing?.requested['rho']), left)} too little`
}
