import { CATALOGUE } from '../../src/accounting/orders.js'
import { Service } from '../support/service.js'
import { COSTLIEST_ORDERS, costlyGaussian } from './costs.js'
import type { Report } from './report.js'

const common = {
  scope: ['unit'],
  epsilon: '4000',
  delta: '1e-6',
  neighboring: 'add_or_remove_one',
  window: 'lifetime',
  role: 'guarantee',
}

/** One policy with as many and as dear orders as there may be, one as training runs have it, and one that costs nothing to speak of. */
const POLICIES = [
  {
    ...common,
    id: 'dear',
    match: { purpose: ['bomb'] },
    metric: 'rdp',
    orders: COSTLIEST_ORDERS.map((alpha) => ({ alpha })),
  },
  {
    ...common,
    id: 'training',
    match: { purpose: ['training'] },
    metric: 'rdp',
    orders: CATALOGUE.map((alpha) => ({ alpha })),
  },
  { ...common, id: 'cheap', match: { purpose: ['query'] }, metric: 'zcdp' },
]

const CHEAP = { unit: 'u', purpose: 'query', mechanism: 'gaussian', noiseMultiplier: '1000' }

/** A training run like no other before it: its cost has to be worked out, too. */
const fresh = (index: number): object => ({
  unit: 'u',
  purpose: 'training',
  mechanism: 'gaussian',
  noiseMultiplier: (1 + index / 10_000).toFixed(4),
  sampling: { method: 'poisson', probability: '0.0101' },
})

const dear = (index: number): object => ({
  id: `bomb-${index}`,
  unit: `u${index}`,
  purpose: 'bomb',
  ...costlyGaussian(index),
})

export interface Bombed {
  readonly batchMs: number
  readonly batchStatus: number
  readonly accepted: number
  /** Milliseconds of what others sent, one after the other, while the batch was under way: cheap spends, and new training runs. */
  readonly cheap: readonly number[]
  readonly fresh: readonly number[]
  readonly otherStatuses: ReadonlySet<number>
}

/** Sends a batch of spends whose costs are all new and as dear as any; meanwhile others spend, too. */
export const bombed = async (service: Service, spends: number): Promise<Bombed> => {
  const operator = await service.as('operator')
  for (const policy of POLICIES) {
    const { status, text } = await operator.post('/v1/policies', policy)
    if (status !== 201) throw new Error(`policy ${policy.id} was not set: ${status} ${text}`)
  }
  const emitter = service.client(await service.createToken('emitter', 'bomber'))
  const other = service.client(await service.createToken('emitter', 'bystander'))
  const otherStatuses = new Set<number>()
  let batchMs: number | undefined
  const meanwhile = async (name: string, bodyOf: (index: number) => object): Promise<readonly number[]> => {
    const times: number[] = []
    for (let index = 0; batchMs === undefined; index++) {
      const sentAt = performance.now()
      const reply = await other.post('/v1/spends', { id: `${name}-${index}`, ...bodyOf(index) }, { timeoutMs: 600_000 })
      times.push(performance.now() - sentAt)
      otherStatuses.add(reply.status)
    }
    return times
  }
  await other.post('/v1/spends', { id: 'before', ...CHEAP })
  const batch = { spends: Array.from({ length: spends }, (_, index) => dear(index)) }
  const from = performance.now()
  const answer = emitter.post('/v1/spends/batch', batch, { timeoutMs: 600_000 }).finally(() => {
    batchMs = performance.now() - from
  })
  const [{ status, text }, cheapTimes, freshTimes] = await Promise.all([
    answer,
    meanwhile('cheap', () => CHEAP),
    meanwhile('fresh', fresh),
  ])
  const accepted = text.split('"status":201').length - 1
  return { batchMs: batchMs ?? 0, batchStatus: status, accepted, cheap: cheapTimes, fresh: freshTimes, otherStatuses }
}

/** How long others wait beside so many of the dearest spends in one batch. */
export const measureBomb = async (report: Report, spends: number): Promise<void> => {
  const service = await Service.start()
  try {
    const { batchMs, cheap, fresh } = await bombed(service, spends)
    const name = `batch of ${spends} spends as dear as any`
    report.add(name, 's', batchMs / 1_000)
    report.add(`${name}: longest wait of a cheap spend meanwhile`, 'ms', Math.max(...cheap))
    report.add(`${name}: longest wait of a new training run meanwhile`, 'ms', Math.max(...fresh))
  } finally {
    await service.remove()
  }
}
