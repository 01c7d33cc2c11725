import type { JsonObject, JsonValue } from '../../ledger/record.js'
import data from './data/deployments.json' with { type: 'json' }

/** What the demo reads of one deployment in `data/deployments.json`; where each figure comes from stands there. */
export interface Deployment {
  readonly id: string
  readonly year: number | string
  readonly ledger: { readonly body: JsonObject }
}

export const DEPLOYMENTS = data as unknown as readonly Deployment[]

const deploymentOf = (id: string): Deployment => {
  const found = DEPLOYMENTS.find((deployment) => deployment.id === id)
  if (found === undefined) throw new RangeError(`data/deployments.json has no deployment ${JSON.stringify(id)}`)
  return found
}

/** The first year that the file names: `2023` of `2023-2024`. */
export const yearOf = (id: string): string => /\d{4}/.exec(String(deploymentOf(id).year))?.[0] ?? ''

/** The release as the file writes it; what its parts are for is not part of a body. */
export const bodyOf = (id: string): JsonObject => {
  const { body } = deploymentOf(id).ledger
  const parts = body['parts']
  return Array.isArray(parts) ? { parts: parts.map(withoutPurpose) } : body
}

const withoutPurpose = (part: JsonValue): JsonObject => {
  const { purpose: _, ...body } = part as JsonObject
  return body
}
