import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { LedgerState } from '../../src/adapters/state/ledger-state.js'
import { follow } from '../../src/budget/catch-up.js'
import type { BudgetEvent } from '../../src/budget/events.js'
import type { PolicyVersion } from '../../src/budget/policy.js'
import type { BudgetState } from '../../src/budget/state.js'
import { type Block, BlockBuilder, positionOf } from '../../src/ledger/block.js'
import { quantile, seeded } from './statistics.js'

/**
 * What the derived state costs by itself: memory, a charge, a flush, a start, a replay. In processor time, unless it says
 * "by the clock".
 *
 * `node --import ./test/support/typescript-hooks.mjs test/bench/state-memory.ts --units 1000000`
 */
const main = (): void => {
  const { values } = parseArgs({
    options: {
      units: { type: 'string', default: '1000000' },
      every: { type: 'string', default: '131072' },
      load: { type: 'string' },
    },
  })
  if (values.load !== undefined) {
    reportLoad(values.load)
    return
  }
  const folder = mkdtempSync(join(tmpdir(), 'epsilon-ledger-state-'))
  try {
    measure(join(folder, 'state.db'), Number(values.units), Number(values.every))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const POLICIES = ['person', 'person-too']

const measure = (path: string, units: number, every: number): void => {
  console.log(`before: ${memory()}`)
  const replayed = replay(200_000)
  console.log(`replay of simple spends, decoding included: ${(replayed / 1000).toFixed(0)} k records/s`)
  let state = LedgerState.open(path, { ledger: 'bench' })
  const filling = charge(state, { count: units, every, unitAt: (index) => index, from: 0 })
  console.log(`${units} new units with a key each: ${figures(filling)}`)
  console.log(`after: ${memory()}`)
  state.close()
  console.log(`state.db: ${mebibytes(statSync(path).size)} MiB`)
  for (let run = 0; run < 3; run++) loadElsewhere(path)
  state = LedgerState.open(path, { ledger: 'bench' })
  const random = seeded(7)
  const unitAt = (): number => Math.floor(random() * units)
  const spread = charge(state, { count: 1_000_000, every, unitAt, from: units })
  console.log(`1000000 charges of random units: ${figures(spread)}`)
  const balancesAlone = processorMs(() => {
    for (let index = 0; index < 500_000; index++) chargeBalances(state, `unit-${unitAt()}`)
  })
  console.log(`their balances alone, two policies: ${((balancesAlone / 500_000) * 1e6).toFixed(0)} ns`)
  console.log(`after: ${memory()}`)
  state.close()
  console.log(`state.db: ${mebibytes(statSync(path).size)} MiB`)
  loadElsewhere(path)
}

/** In a process of its own, so that its memory is that of a start. */
const loadElsewhere = (path: string): void => {
  spawnSync(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), '--load', path], {
    stdio: 'inherit',
    env: { ...process.env, TYPESCRIPT_HOOKS: undefined },
  })
}

interface Work {
  readonly count: number
  readonly every: number
  readonly unitAt: (index: number) => number
  readonly from: number
}

interface Figures {
  readonly nsEach: number
  readonly worstMs: number
  readonly flushesMs: readonly number[]
  readonly flushNs: number
}

const charge = (state: LedgerState, { count, every, unitAt, from }: Work): Figures => {
  const flushesMs: number[] = []
  let worstMs = 0
  let flushing = 0
  const begun = process.cpuUsage()
  for (let index = 0; index < count; index++) {
    const seq = from + index
    const unit = `unit-${unitAt(index)}`
    const ms = timed(() => {
      state.rememberKey('request', 'trainer', `request-${seq}`, seq)
      state.rememberUnits([unit], seq)
      chargeBalances(state, unit)
      state.count('SpendAccepted')
    })
    worstMs = Math.max(worstMs, ms)
    if (index % every === every - 1 || index === count - 1) {
      const flush = (): void => state.flush({ epoch: 0, block: seq, seq, leaf: '0'.repeat(64) })
      flushing += processorMs(() => flushesMs.push(timed(flush)))
    }
  }
  const { user, system } = process.cpuUsage(begun)
  const working = (user + system) / 1000 - flushing
  return { nsEach: (working / count) * 1e6, flushNs: (flushing / count) * 1e6, worstMs, flushesMs }
}

const chargeBalances = (state: BudgetState, key: string): void => {
  for (const policy of POLICIES) {
    const cost = [123_456_789_012n]
    state.move({ policy, version: 1, generation: 1, window: 'lifetime', cost, keys: [key] }, 'spend')
  }
}

const reportLoad = (path: string): void => {
  let state: LedgerState | undefined
  let ms = 0
  const processor = processorMs(() => {
    ms = timed(() => {
      state = LedgerState.open(path, { ledger: 'bench' })
    })
  })
  console.log(
    `load: ${processor.toFixed(0)} ms (${ms.toFixed(0)} by the clock), ${state?.rebuilt ?? 'whole'}; ${memory()}`,
  )
}

/** @returns records a second */
const replay = (records: number): number => {
  const blocks = simpleSpends(records)
  const state = LedgerState.memory()
  const ms = processorMs(() => {
    for (const block of blocks) follow(state, block)
  })
  return (records / ms) * 1000
}

const simpleSpends = (records: number): readonly Block[] => {
  let builder = new BlockBuilder(undefined)
  const blocks: Block[] = []
  const add = ({ type, data }: BudgetEvent): void =>
    builder.add({
      at: '2026-01-05T00:00:00.000Z',
      by: 'emitter:trainer',
      cause: { kind: 'http' },
      data,
      epoch: 0,
      type,
      v: 1,
    })
  for (const id of POLICIES) add({ type: 'PolicySet', data: { policy: policyOf(id), replaces: null } })
  for (let index = 0; index < records; index++) {
    add(spendOf(index, `unit-${index % 100_000}`))
    if (index % 1000 !== 999) continue
    blocks.push(...builder.blocks())
    builder = new BlockBuilder(positionOf(blocks.at(-1) as Block))
  }
  return [...blocks, ...builder.blocks()]
}

const spendOf = (index: number, unit: string): BudgetEvent => ({
  type: 'SpendAccepted',
  data: {
    source: 'trainer',
    id: `request-${index}`,
    hash: 'ab'.repeat(32),
    spend: { id: `request-${index}`, unit, mechanism: 'laplace', noiseMultiplier: '10' },
    charges: POLICIES.map((policy) => ({ policy, version: 1, window: 'lifetime', cost: { eps: '123456789012' } })),
    after: POLICIES.map((policy) => ({ policy, key: unit, spent: { eps: '123456789012' }, reserved: { eps: '0' } })),
  },
})

const policyOf = (id: string): PolicyVersion => ({
  id,
  scope: ['unit'],
  match: {},
  metric: 'pure',
  epsilon: '10',
  deltaConv: '0',
  deltaExt: '0',
  neighboring: 'add_or_remove_one',
  window: 'lifetime',
  role: 'guarantee',
  orders: [],
  alphaStar: null,
  and: ['eps'],
  or: [],
  caps: { eps: '10000000000000000' },
  costFn: 'exact-v1',
  version: 1,
  generation: 1,
})

const timed = (action: () => void): number => {
  const begun = performance.now()
  action()
  return performance.now() - begun
}

/** Processor time, of all threads: what the work takes on a machine that is busy with other things too. */
const processorMs = (action: () => void): number => {
  const begun = process.cpuUsage()
  action()
  const { user, system } = process.cpuUsage(begun)
  return (user + system) / 1000
}

const figures = ({ nsEach, flushNs, worstMs, flushesMs }: Figures): string => {
  const sorted = flushesMs.toSorted((one, other) => one - other)
  const flushes = [0, 0.5, 1].map((share) => quantile(sorted, share).toFixed(0)).join('/')
  return (
    `${nsEach.toFixed(0)} ns each, worst ${worstMs.toFixed(1)} ms by the clock; ` +
    `flushes ${flushNs.toFixed(0)} ns each, ${flushesMs.length} of min/median/max ${flushes} ms by the clock`
  )
}

const memory = (): string => {
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage()
  return `${mebibytes(rss)} MiB of memory (heap ${mebibytes(heapUsed)}, outside it ${mebibytes(arrayBuffers)})`
}

const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20)

main()
