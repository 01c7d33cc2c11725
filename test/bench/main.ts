import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { aimResults, aimTable, LARGE, NAMES, SMALL } from './aims.js'
import { measureBomb } from './cost-bomb.js'
import { freshCosts, worstCosts } from './costs.js'
import { measureTopics, startBroker, type TopicScale } from './kafka.js'
import {
  fill,
  fresh,
  headSeq,
  measureManyUnits,
  measureReplay,
  measureSpends,
  restarted,
  type Scale,
} from './ledger.js'
import { AwayMeter, machineFacts, type TakenAway } from './machine.js'
import { benchUnits } from './million.js'
import { Postgres, type Script } from './postgres.js'
import { appendRaw, recordGroups } from './raw-sqlite.js'
import { figureTable, Report, short } from './report.js'
import type { Target } from './run-load.js'
import { quantile } from './statistics.js'
import { type StoreScale, Stores } from './stores.js'
import { unlessMissing } from './unless-missing.js'

const USAGE = `npm run bench -- [--quick] [--only ledger|stores|topics] [--rounds N] [--records N] [--json FILE]
npm run bench -- --million

Measures this machine: durable spends a second over HTTP beside PostgreSQL and SQLite with the same rule, replay,
verification and costs, in interleaved rounds; the same ledger in SQLite, PostgreSQL and a double of KurrentDB's protocol, with
up to three instances; and spends over topics of a real Kafka beside a client that only reads them, and how long a decision
takes. --quick takes some five minutes, the whole some half an hour. Where PostgreSQL, or Java and Maven, are missing, their rows are
left out and say so.

--million spends once for each of a million units, and shows memory, restart and verification.`

interface BenchScale extends Scale, TopicScale, StoreScale {
  readonly rounds: number
  /** Of topics and of stores. */
  readonly serverRounds: number
}

const QUICK: BenchScale = {
  rounds: 3,
  records: 50_000,
  batchSpends: 20_000,
  warmUp: 5_000,
  seconds: 1,
  dearSpends: 20,
  serverRounds: 1,
  storeSpends: 6_000,
  topicSpends: 20_000,
  arrivalSeconds: 5,
}
const WHOLE: BenchScale = {
  rounds: 3,
  records: 1_000_000,
  batchSpends: 200_000,
  warmUp: 10_000,
  seconds: 5,
  dearSpends: 1_000,
  serverRounds: 3,
  storeSpends: 30_000,
  topicSpends: 200_000,
  arrivalSeconds: 20,
}

/** What `--only` chooses from. */
const PARTS = ['ledger', 'stores', 'topics'] as const
type Part = (typeof PARTS)[number]

const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      rounds: { type: 'string' },
      records: { type: 'string' },
      json: { type: 'string' },
      million: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(USAGE)
  if (values.million) return benchUnits(1_000_000)
  const base = values.quick ? QUICK : WHOLE
  const { rounds = base.rounds, rounds: serverRounds = base.serverRounds, records = base.records } = values
  const scale = { ...base, rounds: Number(rounds), serverRounds: Number(serverRounds), records: Number(records) }
  const folder = await mkdtemp(join(tmpdir(), 'epsilon-ledger-bench-'))
  try {
    await bench(folder, scale, partsOf(values.only), values.json)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const partsOf = (only: string | undefined): readonly Part[] => {
  const parts = PARTS.filter((part) => only === undefined || part === only)
  if (parts.length === 0) throw new RangeError(`--only ${only}: there are ${PARTS.join(' and ')}`)
  return parts
}

const bench = async (
  folder: string,
  scale: BenchScale,
  parts: readonly Part[],
  json: string | undefined,
): Promise<void> => {
  const away = new AwayMeter()
  const machine = machineFacts(folder)
  const report = new Report()
  say(
    `${machine.cores} cores of ${machine.cpu}, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, Node ${machine.node}`,
  )
  say(`append of 400 bytes with fdatasync: p50 ${short(machine.syncMs.p50)} ms, p99 ${short(machine.syncMs.p99)} ms`)
  if (parts.includes('ledger')) await benchLedger(folder, scale, report)
  if (parts.includes('stores')) await benchStores(scale, report)
  if (parts.includes('topics')) await benchTopics(scale, report)
  await finish(report, machine, away.share(), json)
}

const benchLedger = async (
  folder: string,
  scale: Scale & { readonly rounds: number },
  report: Report,
): Promise<void> => {
  const { rounds } = scale
  const postgres = await unlessMissing('the same rule in PostgreSQL', report, () => Postgres.start())
  const started: Target[] = []
  try {
    const clients = postgres && (await bestClients(postgres, scale.seconds / 2))
    if (postgres !== undefined) say(`${postgres.version}, clients: ${JSON.stringify(clients)}`)
    let large = await filled(scale.records, report)
    started.push(large)
    for (let round = 1; round <= rounds; round++) {
      say(`round ${round} of ${rounds}`)
      noteCosts(report, round)
      const small = await fresh()
      started.push(small)
      await fill(small, 10_000 - scale.warmUp)
      await measureSpends(small, SMALL, scale, report)
      await measureManyUnits(small, report)
      await small.service.stop()
      noteRaw(report, folder, small, scale)
      await small.service.remove()
      if (postgres !== undefined && clients !== undefined) await notePostgres(report, postgres, clients, scale.seconds)
      large = await restarted(large)
      await measureSpends(large, LARGE, scale, report)
      await measureReplay(large, report)
    }
    await measureBomb(report, scale.dearSpends)
  } finally {
    await Promise.all([postgres?.stop(), ...started.map(({ service }) => service.remove())])
  }
}

const benchStores = async (scale: BenchScale, report: Report): Promise<void> => {
  const stores = await Stores.start(report)
  try {
    for (let round = 1; round <= scale.serverRounds; round++) {
      say(`stores, round ${round} of ${scale.serverRounds}`)
      await stores.measure(scale, round, report, say)
    }
  } finally {
    await stores.stop()
  }
}

const benchTopics = async (scale: BenchScale, report: Report): Promise<void> => {
  const broker = await startBroker(report)
  if (broker === undefined) return
  say(`Apache Kafka ${broker.version}, one broker`)
  try {
    for (let round = 1; round <= scale.serverRounds; round++) {
      say(`Kafka, round ${round} of ${scale.serverRounds}`)
      await measureTopics(broker, scale, round, report, say)
    }
  } finally {
    await broker.stop()
  }
}

const filled = async (records: number, report: Report): Promise<Target> => {
  const target = await fresh()
  const { accepted, seconds } = await fill(target, records)
  report.add(`filling the ${LARGE} to ${short(await headSeq(target))} records`, 'spends/s', accepted / seconds)
  await target.service.stop()
  return target
}

type Clients = Record<`${Script} ${'spread' | 'hot'}`, number>

const CLIENTS = [8, 32, 64] as const

/** The number of clients with which PostgreSQL is fastest, for each of its rows. */
const bestClients = async (postgres: Postgres, seconds: number): Promise<Clients> => {
  const best = async (script: Script, budgets: 'spread' | 'hot') => {
    const rates: [number, number][] = []
    for (const clients of CLIENTS) rates.push([await postgres.bench(script, budgets, clients, seconds), clients])
    return rates.reduce((most, other) => (other[0] > most[0] ? other : most))[1]
  }
  return {
    'transaction spread': await best('transaction', 'spread'),
    'transaction hot': await best('transaction', 'hot'),
    'statement spread': await best('statement', 'spread'),
    'statement hot': await best('statement', 'hot'),
  }
}

const notePostgres = async (report: Report, postgres: Postgres, clients: Clients, seconds: number): Promise<void> => {
  for (const script of ['transaction', 'statement'] as const) {
    for (const budgets of ['spread', 'hot'] as const) {
      const rate = await postgres.bench(script, budgets, clients[`${script} ${budgets}`], seconds)
      report.add(NAMES.postgres(script, budgets), 'transactions/s', rate)
    }
  }
}

/** SQLite alone gets the records that the service has just written. */
const noteRaw = (report: Report, folder: string, { service }: Target, scale: Scale): void => {
  const groups = recordGroups(join(service.data, 'ledger.db'), 1_000, scale.batchSpends, 1_000)
  const bytes = groups.flat().reduce((sum, record) => sum + record.length, 0)
  report.add('bytes of a record', 'bytes', bytes / groups.flat().length)
  for (const row of ['record', 'group'] as const)
    report.add(NAMES.raw(row), 'records/s', appendRaw(folder, groups, row))
}

const noteCosts = (report: Report, round: number): void => {
  const times = freshCosts(200, round).toSorted((a, b) => a - b)
  report.add('fresh subsampled Gaussian, 21 orders: median', 'ms', quantile(times, 0.5))
  report.add('fresh subsampled Gaussian, 21 orders: worst of 200', 'ms', quantile(times, 1))
  if (round > 1) return
  for (const { name, orders, milliseconds } of worstCosts().slice(0, 3)) {
    report.add(`worst accepted inputs: ${name}, ${orders} orders`, 'ms', milliseconds)
  }
}

const finish = async (
  report: Report,
  machine: ReturnType<typeof machineFacts>,
  away: TakenAway | undefined,
  json: string | undefined,
): Promise<void> => {
  const aims = aimResults(report)
  const figures = report.figures()
  const leftOut = Object.fromEntries(report.leftOut)
  console.log(`\n${figureTable(figures)}\n\n${aimTable(aims)}`)
  for (const [name, why] of report.leftOut) console.log(`\n${name}: left out, ${why}`)
  if (away !== undefined) {
    const { byHost, byOthers } = away
    console.log(
      `\nprocessor time that was not there for this: ${short(byHost * 100)} % kept by the host, ${short(byOthers * 100)} % taken by other programs`,
    )
  }
  if (json !== undefined)
    await writeFile(json, `${JSON.stringify({ machine, away, figures, leftOut, aims }, undefined, 2)}\n`)
}

const say = (line: string): void => console.error(line)

await main()
