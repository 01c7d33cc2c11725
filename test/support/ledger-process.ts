import type { Release } from '../../src/accounting/release.js'
import type { Row } from '../../src/accounting/units.js'
import type { LedgerState } from '../../src/adapters/state/ledger-state.js'
import { CostSource } from '../../src/application/asking.js'
import { Ledger } from '../../src/application/ledger.js'
import { catchUp, chainAt, follow } from '../../src/budget/catch-up.js'
import type { Command } from '../../src/budget/commands.js'
import { type Costs, exactCosts } from '../../src/budget/costs.js'
import { type Answer, BudgetDecider } from '../../src/budget/decider.js'
import { readPrior } from '../../src/budget/priors.js'
import { TimeKeeper } from '../../src/ledger/clock.js'
import type { EventStore } from '../../src/ledger/event-store.js'
import { Writer, type WriterOptions } from '../../src/ledger/writer.js'
import { policyTerms, type TestPolicy } from '../budget/test-ledger.js'
import { ManualClock } from './manual-clock.js'
import { NaiveState } from './naive-state.js'
import { approver, operator, trainer } from './scenario.js'

const cause = { kind: 'http' } as const
const LEDGER = 'test'

/**
 * What a process keeps in memory over a store, as composition.ts builds it: opened anew it knows what the log says, and
 * nothing else. Time stands still.
 */
export class LedgerProcess {
  readonly ledger: Ledger
  readonly writer: Writer<Command, Answer>

  private constructor(
    store: EventStore,
    readonly state: NaiveState | LedgerState,
    chain: Awaited<ReturnType<typeof catchUp>>,
    options: Partial<WriterOptions<Command, Answer>>,
  ) {
    const priorAt = (seq: number) => readPrior(store, seq)
    const timeKeeper = new TimeKeeper(new ManualClock(), chain?.at)
    const decider = new BudgetDecider({
      state,
      ledger: LEDGER,
      priorAt,
      follow: (block) => follow(state, block),
      committed: () => undefined,
    })
    this.writer = new Writer({
      store,
      decider,
      timeKeeper,
      ledger: LEDGER,
      epoch: chain?.epoch ?? 0,
      position: chain?.position,
      shared: true,
      onFatal: () => undefined,
      ...options,
    })
    this.ledger = new Ledger({
      writer: this.writer,
      state,
      costs: new SlowCosts(),
      priorAt,
      at: () => timeKeeper.peek(),
      refresh: () => this.writer.refresh(),
    })
  }

  /** Brings the state up to the log: a new one, or one that a file has kept. */
  static async open(
    store: EventStore,
    state: NaiveState | LedgerState = new NaiveState(),
    options: Partial<WriterOptions<Command, Answer>> = {},
  ): Promise<LedgerProcess> {
    const kept = 'position' in state ? state.position : undefined
    const from = kept === undefined ? undefined : await chainAt(store, kept)
    const process = new LedgerProcess(store, state, await catchUp(store, state, from), options)
    if (process.writer.position === undefined) await process.#begin()
    return process
  }

  async policy(policy: TestPolicy): Promise<void> {
    await this.ledger.submit({ kind: 'set-policy', actor: operator, cause, terms: policyTerms(policy) })
  }

  async halt(): Promise<void> {
    await this.ledger.submit({ kind: 'halt', actor: operator, cause, scope: null, reason: 'a drill' })
  }

  async resume(): Promise<void> {
    await this.ledger.submit({ kind: 'resume', actor: operator, cause, scope: null, reason: 'the drill is over' })
  }

  async #begin(): Promise<void> {
    const system = { token: '', role: 'system', source: 'ledger' } as const
    await this.writer.write({ kind: 'open-ledger', actor: system, cause: { kind: 'system' }, ledger: LEDGER })
    const onDirectory = { actor: { token: '', role: 'system', source: 'cli' }, cause: { kind: 'cli' } } as const
    for (const { token, role, source } of [operator, approver, trainer]) {
      if (role === 'system') continue
      const created = { token, role, source, hash: 'ab'.repeat(32), expiresAt: null }
      await this.writer.write({ ...onDirectory, kind: 'create-token', created })
    }
  }
}

/** Costs that are known at once on every other call, so that both ways are gone. */
class SlowCosts extends CostSource {
  #calls = 0

  override async costs(release: Release, rows: readonly Row[]): Promise<Costs> {
    return exactCosts(release, [...new Set(rows)])
  }

  override cached(release: Release, rows: readonly Row[]): Costs | undefined {
    return this.#calls++ % 2 === 0 ? exactCosts(release, [...new Set(rows)]) : undefined
  }
}
