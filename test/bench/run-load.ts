import type { Service } from '../support/service.js'
import { inProcess } from './in-process.js'
import type { Job, LoadResult } from './load.js'

/** What the benches spend, and the policy that takes it: a Gaussian release of ρ = 5·10⁻⁷ from budgets that never end. */
export const SPEND = '"mechanism":"gaussian","noiseMultiplier":"1000"'

export const POLICY = {
  id: 'person',
  scope: ['unit'],
  metric: 'zcdp',
  epsilon: '1000',
  delta: '1e-6',
  neighboring: 'add_or_remove_one',
  window: 'lifetime',
  role: 'guarantee',
}

/** A service with its policy, and an emitter's token. */
export interface Target {
  readonly service: Service
  readonly token: string
}

export const prepared = async (service: Service): Promise<Target> => {
  const reply = await (await service.as('operator')).post('/v1/policies', POLICY)
  if (reply.status !== 201) throw new Error(`the policy was not set: ${reply.status} ${reply.text}`)
  return { service, token: await service.createToken('emitter', 'bench') }
}

let runs = 0

/** Spends from a process of its own. Throws where a spend is answered otherwise than by an acceptance. */
export const runLoad = async (
  { service, token }: Target,
  job: Omit<Job, 'port' | 'token' | 'prefix' | 'spend' | 'order'> & Partial<Job>,
): Promise<LoadResult> => {
  const port = Number(new URL(service.url).port)
  const full: Job = { port, token, prefix: `${process.pid}.${runs++}.`, spend: SPEND, order: 'random', ...job }
  const result = await inProcess<LoadResult>('./load.js', full)
  if (result.other > 0) throw new Error(`${result.other} spends were not accepted; the first: ${result.firstOther}`)
  return result
}
