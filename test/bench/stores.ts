import { join } from 'node:path'
import { KurrentDouble } from '../support/kurrent/kurrent-double.js'
import { PostgresServer } from '../support/postgres-server.js'
import { Service } from '../support/service.js'
import { NAMES } from './aims.js'
import { inProcess } from './in-process.js'
import { BATCH, fill, LONG_SECONDS, SINGLE } from './ledger.js'
import { processorMs } from './machine.js'
import type { Replayed } from './replay.js'
import type { Report } from './report.js'
import { prepared, runLoad, type Target } from './run-load.js'
import { unlessMissing } from './unless-missing.js'

/** How much is measured over every store. */
export interface StoreScale {
  /** Spends of one batch measurement, of which half as many go before it: a process just started is not measured. */
  readonly storeSpends: number
  /** Longest time of one measurement of single spends. */
  readonly seconds: number
}

interface Store {
  /** As the rows say it: what stands in for a server is no server. */
  readonly name: string
  readonly environment: Readonly<Record<string, string>>
  /** Processes that serve one ledger at the same time, at most. */
  readonly instances: number
}

/** The servers of other stores, and what is kept in a file beside them. */
export class Stores {
  private constructor(
    private readonly postgres: PostgresServer | undefined,
    private readonly double: KurrentDouble,
  ) {}

  /** Leaves PostgreSQL out where it is not installed, unless all parts are required. */
  static async start(report: Report): Promise<Stores> {
    const postgres = await unlessMissing('a ledger in PostgreSQL', report, () => PostgresServer.start())
    try {
      return new Stores(postgres, await KurrentDouble.start())
    } catch (error) {
      await postgres?.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    await Promise.all([this.postgres?.stop(), this.double.stop()])
  }

  /** One round over all stores, which begins with another one every time; each gets a new ledger. */
  async measure(scale: StoreScale, round: number, report: Report, say: (line: string) => void): Promise<void> {
    const stores = this.all(`bench-${round}`)
    for (const index of stores.keys()) {
      const store = stores[(index + round - 1) % stores.length] as Store
      say(`stores: ${store.name}`)
      await measureStore(store, scale, report)
    }
    for (const { name } of stores.slice(1)) {
      for (const figure of [NAMES.storeBatch, NAMES.storeSingle, NAMES.storeReplay]) {
        const [one, other] = [report.last(figure(name)), report.last(figure(SQLITE.name))]
        report.add(`${figure(name)} / ${SQLITE.name}`, 'ratio', one / other)
      }
    }
  }

  private all(ledger: string): readonly Store[] {
    const { postgres, double } = this
    const servers: Store[] = [
      {
        name: "a double of KurrentDB's protocol",
        environment: { EPSILON_STORE: 'kurrentdb', EPSILON_KURRENTDB_URL: double.url, EPSILON_LEDGER: ledger },
        instances: 3,
      },
    ]
    if (postgres !== undefined) {
      const environment = { EPSILON_STORE: 'postgres', EPSILON_POSTGRES_URL: postgres.url, EPSILON_LEDGER: ledger }
      servers.unshift({ name: 'PostgreSQL', environment, instances: 3 })
    }
    return [SQLITE, ...servers]
  }
}

const SQLITE: Store = { name: 'SQLite', environment: {}, instances: 1 }

const measureStore = async (store: Store, scale: StoreScale, report: Report): Promise<void> => {
  const { name, environment, instances } = store
  const first = await prepared(await Service.start({ environment }))
  const targets = [first]
  try {
    await measureBatch(targets, name, scale, report)
    targets[0] = await measureReplay(first, store, report)
    await measureSingle(targets, name, scale, report)
    while (targets.length < instances) {
      targets.push({ service: await Service.start({ environment }), token: first.token })
      await measureBatch(targets, name, scale, report)
      await measureSingle(targets, name, scale, report)
    }
  } finally {
    await Promise.all(targets.map(({ service }) => service.remove()))
  }
}

/** The same connections and spends, shared by all who serve the ledger. */
const measureBatch = async (
  targets: readonly Target[],
  name: string,
  { storeSpends }: StoreScale,
  report: Report,
): Promise<void> => {
  const spends = Math.ceil(storeSpends / targets.length)
  const connections = BATCH.connections / targets.length
  for (const target of targets) await fill(target, Math.ceil(spends / 2))
  await measure(targets, NAMES.storeBatch(name, targets.length), report, {
    ...BATCH,
    connections,
    spends,
    seconds: LONG_SECONDS,
  })
  noteInstances(targets.length, (instances) => NAMES.storeBatch(name, instances), report)
}

const measureSingle = async (
  targets: readonly Target[],
  name: string,
  { seconds }: StoreScale,
  report: Report,
): Promise<void> => {
  const connections = Math.ceil(SINGLE.connections / targets.length)
  await Promise.all(targets.map((target) => runLoad(target, { ...SINGLE, connections, seconds: seconds / 2 })))
  await measure(targets, NAMES.storeSingle(name, targets.length), report, { ...SINGLE, connections, seconds })
  noteInstances(targets.length, (instances) => NAMES.storeSingle(name, instances), report)
}

const measure = async (
  targets: readonly Target[],
  name: string,
  report: Report,
  job: Parameters<typeof runLoad>[1],
): Promise<void> => {
  const before = processorOf(targets)
  const results = await Promise.all(targets.map((target) => runLoad(target, job)))
  const accepted = results.reduce((sum, result) => sum + result.accepted, 0)
  report.add(name, 'spends/s', accepted / Math.max(...results.map(({ seconds }) => seconds)))
  report.add(`${name}: latency p99`, 'ms', Math.max(...results.map(({ p99 }) => p99)))
  report.add(`${name}: processor time of a spend`, 'µs', ((processorOf(targets) - before) / accepted) * 1_000)
}

const noteInstances = (instances: number, named: (instances: number) => string, report: Report): void => {
  if (instances === 1) return
  report.add(`${named(instances)} / one instance`, 'ratio', report.last(named(instances)) / report.last(named(1)))
}

/** Every store has as many records then. Whoever replays is alone with the log, since a file has one owner. */
const measureReplay = async ({ service, token }: Target, store: Store, report: Report): Promise<Target> => {
  await service.stop()
  const { name, environment } = store
  const file = join(service.data, 'ledger.db')
  const { records, seconds } = await inProcess<Replayed>('./replay.js', { environment, file })
  report.add(NAMES.storeReplay(name), 'records/s', records / seconds)
  return { service: await service.restart(), token }
}

const processorOf = (targets: readonly Target[]): number =>
  targets.reduce((sum, { service }) => sum + processorMs(service.pid), 0)
