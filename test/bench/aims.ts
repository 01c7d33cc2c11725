import { type Report, short, table } from './report.js'

/** Names of the figures that are compared. */
export const NAMES = {
  batch: (history: string, budgets: 'spread' | 'hot') => `spends by /v1/spends/batch, ${named(budgets)}, ${history}`,
  single: (history: string) => `spends by /v1/spends, ${named('spread')}, ${history}`,
  singleHot: (history: string) => `spends by /v1/spends, ${named('hot')}, ${history}`,
  postgres: (script: 'transaction' | 'statement', budgets: 'spread' | 'hot') =>
    `PostgreSQL, ${script === 'transaction' ? 'textbook transaction' : 'one statement'}, ${named(budgets)}`,
  raw: (row: 'record' | 'group') => `raw SQLite, groups of 1,000, one row a ${row}`,
  manyUnits: 'one spend over 20,000 units',
  manyUnitsAndOrders: 'one spend over 20,000 units, 64 orders',
  rebuild: 'restart without state, records replayed',
  verify: 'verify',
  topic: (acknowledge: 'ledger' | 'journal') => `spends over a topic, EPSILON_ACK=${acknowledge}`,
  storeBatch: (store: string, instances = 1) => `spends by /v1/spends/batch, ${store}${several(instances)}`,
  storeSingle: (store: string, instances = 1) => `spends by /v1/spends, ${store}${several(instances)}`,
  storeReplay: (store: string) => `replay, ${store}`,
  rawTopic: (acknowledge: 'ledger' | 'journal') =>
    `the same messages by kafkajs alone, beside EPSILON_ACK=${acknowledge}`,
  arrivals: (perSecond: number) => `${short(perSecond)} spends/s over a topic, to the decision`,
  behind: (perSecond: number) => `${short(perSecond)} spends/s over a topic: last decision after the last arrival`,
} as const

const named = (budgets: 'spread' | 'hot'): string => (budgets === 'hot' ? 'one hot budget' : '1,000 budgets')

const several = (instances: number): string => (instances === 1 ? '' : `, ${instances} instances of one ledger`)

/** The histories before the loads; the second is set by `--records`. */
export const SMALL = 'small history'
export const LARGE = 'large history'

interface Aim {
  readonly ratio: string
  readonly of: string
  readonly to: string
  readonly bound: { readonly least: number } | { readonly most: number }
}

const AIMS: readonly Aim[] = [
  {
    ratio: 'batch / PostgreSQL one statement, 1,000 budgets',
    of: NAMES.batch(SMALL, 'spread'),
    to: NAMES.postgres('statement', 'spread'),
    bound: { least: 5 },
  },
  {
    ratio: 'batch / PostgreSQL one statement, hot budget',
    of: NAMES.batch(SMALL, 'hot'),
    to: NAMES.postgres('statement', 'hot'),
    bound: { least: 20 },
  },
  {
    ratio: 'single / PostgreSQL transaction, 1,000 budgets',
    of: NAMES.single(SMALL),
    to: NAMES.postgres('transaction', 'spread'),
    bound: { least: 1 },
  },
  {
    ratio: 'single / PostgreSQL transaction, hot budget',
    of: NAMES.singleHot(SMALL),
    to: NAMES.postgres('transaction', 'hot'),
    bound: { least: 3 },
  },
  {
    ratio: 'batch / raw SQLite, one row a record',
    of: NAMES.batch(SMALL, 'spread'),
    to: NAMES.raw('record'),
    bound: { least: 0.5 },
  },
  {
    ratio: 'batch / raw SQLite, one row a group',
    of: NAMES.batch(SMALL, 'spread'),
    to: NAMES.raw('group'),
    bound: { least: 0.5 },
  },
  {
    ratio: 'cost of a batch spend, large / small history',
    of: NAMES.batch(SMALL, 'spread'),
    to: NAMES.batch(LARGE, 'spread'),
    bound: { most: 1.2 },
  },
  {
    ratio: 'cost of a single spend, large / small history',
    of: NAMES.single(SMALL),
    to: NAMES.single(LARGE),
    bound: { most: 1.2 },
  },
]

const FIGURES: readonly { readonly name: string; readonly unit: string; readonly bound: Aim['bound'] }[] = [
  { name: NAMES.rebuild, unit: 'records/s', bound: { least: 150_000 } },
  { name: NAMES.verify, unit: 'records/s', bound: { least: 150_000 } },
  { name: NAMES.manyUnits, unit: 's', bound: { most: 1 } },
  { name: NAMES.manyUnitsAndOrders, unit: 's', bound: { most: 1 } },
  // A rate that is not sustained leaves a queue behind.
  { name: NAMES.behind(100), unit: 'ms', bound: { most: 1_000 } },
  { name: NAMES.behind(5_000), unit: 'ms', bound: { most: 1_000 } },
]

export interface AimResult {
  readonly aim: string
  readonly measured: number
  readonly wanted: string
  readonly met: boolean
}

/** What was aimed at beside what was measured, by medians; what was not measured is left out. */
export const aimResults = (report: Report): readonly AimResult[] => [
  ...AIMS.flatMap(({ ratio, of, to, bound }) => {
    const [one, other] = [report.median(of), report.median(to)]
    return one === undefined || other === undefined ? [] : [resultOf(ratio, one / other, bound)]
  }),
  ...FIGURES.flatMap(({ name, unit, bound }) => {
    const measured = report.median(name)
    return measured === undefined ? [] : [resultOf(`${name}, ${unit}`, measured, bound)]
  }),
]

const resultOf = (aim: string, measured: number, bound: Aim['bound']): AimResult =>
  'least' in bound
    ? { aim, measured, wanted: `>= ${short(bound.least)}`, met: measured >= bound.least }
    : { aim, measured, wanted: `<= ${short(bound.most)}`, met: measured <= bound.most }

export const aimTable = (results: readonly AimResult[]): string =>
  table([
    ['aim', 'met', 'wanted', 'measured'],
    ...results.map(({ aim, met, wanted, measured }) => [aim, met ? 'yes' : 'NO', wanted, short(measured)]),
  ])
