import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { run, Service } from '../support/service.js'
import { NAMES } from './aims.js'
import type { LoadResult } from './load.js'
import { processorMs } from './machine.js'
import type { Report } from './report.js'
import { POLICY, prepared, runLoad, type Target } from './run-load.js'

/** How much is measured. */
export interface Scale {
  /** Records of the large history before the measurements. */
  readonly records: number
  /** Spends of one batch measurement. */
  readonly batchSpends: number
  /** Spends before a measurement, so that a process just started is not measured cold. */
  readonly warmUp: number
  /** Longest time of one measurement of single spends, and of one of PostgreSQL. */
  readonly seconds: number
  /** Spends in a batch whose costs are as dear as any. */
  readonly dearSpends: number
}

export const BATCH = { connections: 6, perRequest: 1_000, units: 1_000 } as const
export const SINGLE = { connections: 64, perRequest: 1, units: 1_000, spends: 10_000_000 } as const
export const LONG_SECONDS = 3_600

/** A service with its policy, started on nothing. */
export const fresh = async (): Promise<Target> => prepared(await Service.start())

export const restarted = async ({ service, token }: Target): Promise<Target> => ({
  service: await service.restart(),
  token,
})

/** Spends so many by batches. */
export const fill = (target: Target, spends: number): Promise<LoadResult> =>
  runLoad(target, { ...BATCH, spends, seconds: LONG_SECONDS })

/** Durable spends a second, with latencies, on what the service holds. */
export const measureSpends = async (target: Target, history: string, scale: Scale, report: Report): Promise<void> => {
  await fill(target, scale.warmUp)
  await runLoad(target, { ...SINGLE, spends: scale.warmUp, seconds: scale.seconds * 2 })
  for (const budgets of ['spread', 'hot'] as const) {
    const units = budgets === 'hot' ? 1 : BATCH.units
    const name = NAMES.batch(history, budgets)
    await measure(report, name, target, { ...BATCH, units, spends: scale.batchSpends, seconds: LONG_SECONDS })
  }
  await measure(report, NAMES.single(history), target, { ...SINGLE, seconds: scale.seconds })
  await measure(report, NAMES.singleHot(history), target, { ...SINGLE, units: 1, seconds: scale.seconds })
}

/** A budget with as many rows as one may have, beside the one of every spend. */
const MANY_ORDERS = {
  ...POLICY,
  id: 'orders',
  match: { purpose: ['orders'] },
  metric: 'rdp',
  orders: Array.from({ length: 64 }, (_, index) => ({ alpha: index + 2 })),
}

/** One decision over as many budgets as a spend may touch, with few rows each and with many. */
export const measureManyUnits = async ({ service, token }: Target, report: Report): Promise<void> => {
  const units = Array.from({ length: 20_000 }, (_, index) => `u${index}`)
  const { status, text } = await (await service.as('operator')).post('/v1/policies', MANY_ORDERS)
  if (status !== 201) throw new Error(`the policy was not set: ${status} ${text}`)
  for (const [name, purpose] of [
    [NAMES.manyUnits, 'any'],
    [NAMES.manyUnitsAndOrders, 'orders'],
  ] as const) {
    const spend = {
      id: `${purpose} ${performance.now()}`,
      units,
      purpose,
      mechanism: 'gaussian',
      noiseMultiplier: '1000',
    }
    const from = performance.now()
    const sent = service.client(token).post('/v1/spends', spend)
    const waited = longestWait(service, sent)
    const reply = await sent
    report.add(name, 's', (performance.now() - from) / 1_000)
    if (reply.status !== 201) throw new Error(`the spend over many units is answered ${reply.status} ${reply.text}`)
    report.add(`${name}: longest wait of others meanwhile`, 'ms', await waited)
  }
}

/** Milliseconds that the slowest of many small requests took, one after the other, until this was settled. */
const longestWait = async (service: Service, until: Promise<unknown>): Promise<number> => {
  const client = service.client(undefined)
  let isSettled = false
  const settled = until.finally(() => {
    isSettled = true
  })
  let longest = 0
  while (!isSettled) {
    const from = performance.now()
    await client.get('/health/live')
    longest = Math.max(longest, performance.now() - from)
  }
  await settled
  return longest
}

const measure = async (
  report: Report,
  name: string,
  target: Target,
  job: Parameters<typeof runLoad>[1],
): Promise<void> => {
  const before = processorMs(target.service.pid)
  const { accepted, seconds, p50, p99, ownCpuMs } = await runLoad(target, job)
  report.add(name, 'spends/s', accepted / seconds)
  report.add(`${name}: latency p50`, 'ms', p50)
  report.add(`${name}: latency p99`, 'ms', p99)
  report.add(
    `${name}: processor time of a spend`,
    'µs',
    ((processorMs(target.service.pid) - before) / accepted) * 1_000,
  )
  report.add(`${name}: the same of the load itself`, 'µs', (ownCpuMs / accepted) * 1_000)
}

/** Seconds from the start of the process until it is ready, with its state and without, and of `verify`; stops the service. */
export const measureReplay = async (target: Target, report: Report): Promise<void> => {
  const { service } = target
  const records = await headSeq(target)
  await service.kill()
  const warm = await service.restart()
  report.add('restart with state, after kill -9', 's', warm.readyAfterMs / 1_000)
  await warm.kill()
  await deleteState(service.data)
  const rebuilt = await warm.restart()
  report.add('restart without state', 's', rebuilt.readyAfterMs / 1_000)
  report.add(NAMES.rebuild, 'records/s', records / (rebuilt.readyAfterMs / 1_000))
  await rebuilt.stop()
  report.add(NAMES.verify, 'records/s', records / (await verifySeconds(service.data)))
}

export const verifySeconds = async (data: string): Promise<number> => {
  const from = performance.now()
  const { code, stdout, stderr } = await run('verify', '--data', data, '--json')
  if (code !== 0) throw new Error(`verify ended with ${code}: ${stdout}${stderr}`)
  return (performance.now() - from) / 1_000
}

export const headSeq = async ({ service }: Pick<Target, 'service'>): Promise<number> => {
  const operator = await service.as('operator')
  return (await operator.get<{ head: { seq: number } }>('/v1/ledger')).body.head.seq
}

/** What is derived; the next start rebuilds it from the log. */
export const deleteState = async (data: string): Promise<void> => {
  const names = (await readdir(data)).filter((name) => name.startsWith('state.db'))
  await Promise.all(names.map((name) => rm(join(data, name))))
}
