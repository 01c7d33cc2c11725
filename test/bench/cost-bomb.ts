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

/** One policy with as many and as dear orders as there may be, and one that costs nothing to speak of. */
const POLICIES = [
  {
    ...common,
    id: 'dear',
    match: { purpose: ['bomb'] },
    metric: 'rdp',
    orders: COSTLIEST_ORDERS.map((alpha) => ({ alpha })),
  },
  { ...common, id: 'cheap', match: { purpose: ['query'] }, metric: 'zcdp' },
]

const CHEAP = { unit: 'u', purpose: 'query', mechanism: 'gaussian', noiseMultiplier: '1000' }

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
  /** Milliseconds of the other requests that were sent and answered while the batch was under way. */
  readonly others: readonly number[]
  readonly otherStatuses: ReadonlySet<number>
}

/** Sends a batch of spends whose costs are all new and as dear as any; meanwhile one cheap spend after the other. */
export const bombed = async (service: Service, spends: number): Promise<Bombed> => {
  const operator = await service.as('operator')
  for (const policy of POLICIES) {
    const { status, text } = await operator.post('/v1/policies', policy)
    if (status !== 201) throw new Error(`policy ${policy.id} was not set: ${status} ${text}`)
  }
  const emitter = service.client(await service.createToken('emitter', 'bomber'))
  const other = service.client(await service.createToken('emitter', 'bystander'))
  await other.post('/v1/spends', { id: 'before', ...CHEAP })
  const batch = { spends: Array.from({ length: spends }, (_, index) => dear(index)) }
  const from = performance.now()
  let batchMs: number | undefined
  const answer = emitter.post('/v1/spends/batch', batch, { timeoutMs: 600_000 }).finally(() => {
    batchMs = performance.now() - from
  })
  const others: number[] = []
  const otherStatuses = new Set<number>()
  for (let index = 0; batchMs === undefined; index++) {
    const sentAt = performance.now()
    const reply = await other.post('/v1/spends', { id: `other-${index}`, ...CHEAP })
    if (batchMs !== undefined) break
    others.push(performance.now() - sentAt)
    otherStatuses.add(reply.status)
  }
  const { status, text } = await answer
  return {
    batchMs: batchMs ?? 0,
    batchStatus: status,
    accepted: text.split('"status":201').length - 1,
    others,
    otherStatuses,
  }
}

/** How long others wait beside 1,000 of the dearest spends in one batch. */
export const measureBomb = async (report: Report): Promise<void> => {
  const service = await Service.start()
  try {
    const { batchMs, others } = await bombed(service, 1_000)
    report.add('batch of 1,000 spends as dear as any', 's', batchMs / 1_000)
    report.add('  … longest wait of another request meanwhile', 'ms', Math.max(...others))
  } finally {
    await service.remove()
  }
}
