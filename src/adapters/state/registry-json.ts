import { activePolicies } from '../../budget/evolve-registry.js'
import type { PolicyHistory, Registry, TokenEntry } from '../../budget/registry.js'

/** The registry in JSON; the policies in force are prepared anew from the histories. */
interface WireRegistry extends Omit<Registry, 'policies' | 'active' | 'tokens'> {
  readonly policies: readonly (readonly [id: string, history: PolicyHistory])[]
  readonly tokens: readonly (readonly [token: string, entry: TokenEntry])[]
}

export const registryToJson = ({ active: _, policies, tokens, ...plain }: Registry): WireRegistry => ({
  ...plain,
  policies: [...policies],
  tokens: [...tokens],
})

export const registryFromJson = (value: unknown): Registry => {
  const wire = value as WireRegistry
  const policies = new Map(wire.policies)
  return { ...wire, policies, active: activePolicies(policies), tokens: new Map(wire.tokens) }
}
