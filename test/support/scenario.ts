import type { Release } from '../../src/accounting/release.js'
import type { Row } from '../../src/accounting/units.js'
import { MemoryStore } from '../../src/adapters/memory-store.js'
import { CostSource } from '../../src/application/asking.js'
import { Ledger, type Outcome } from '../../src/application/ledger.js'
import { follow } from '../../src/budget/catch-up.js'
import type { Actor, Command } from '../../src/budget/commands.js'
import { type Costs, exactCosts } from '../../src/budget/costs.js'
import { type Answer, BudgetDecider } from '../../src/budget/decider.js'
import type { GapDeclared, TokenCreated } from '../../src/budget/events.js'
import { readPrior } from '../../src/budget/priors.js'
import { parseRequest } from '../../src/budget/request.js'
import { rowsFor } from '../../src/budget/targets.js'
import { type Block, BlockBuilder, type Position, positionOf } from '../../src/ledger/block.js'
import { GAP_DECLARED } from '../../src/ledger/chain.js'
import { TimeKeeper } from '../../src/ledger/clock.js'
import type { Cause, JsonObject, KafkaCause } from '../../src/ledger/record.js'
import { Writer } from '../../src/ledger/writer.js'
import { policyTerms, type TestPolicy } from '../budget/test-ledger.js'
import { ManualClock } from './manual-clock.js'
import { NaiveState } from './naive-state.js'

const cause = { kind: 'http' } as const
const TOPIC = 'epsilon.spends'

/** Message `offset` of partition 0. */
export const messageAt = (offset: number): KafkaCause => ({
  kind: 'kafka',
  topic: TOPIC,
  partition: 0,
  offset: String(offset),
  leaderEpoch: 0,
  digest: offset.toString(16).padStart(32, '0'),
})

const hashOfToken = 'ab'.repeat(32)

export const operator: Actor = { token: 'operator-1', role: 'operator', source: 'operator' }
export const approver: Actor = { token: 'approver-1', role: 'approver', source: 'approver' }
export const trainer: Actor = { token: 'emitter-1', role: 'emitter', source: 'trainer' }
const system: Actor = { token: '', role: 'system', source: 'ledger' }
/** As the command line does it on a stopped ledger. */
const onDirectory = { actor: { token: '', role: 'system', source: 'cli' }, cause: { kind: 'cli' } } as const

/**
 * A ledger in memory, written by the real writer with the real rules, for tests that need a log. Every call appends;
 * time stands still between two {@link pass}es.
 */
export class Scenario {
  readonly store = new MemoryStore()
  readonly clock = new ManualClock()
  readonly state = new NaiveState()
  readonly #timeKeeper = new TimeKeeper(this.clock)
  #writer: Writer<Command, Answer>
  #ledger: Ledger

  private constructor(readonly name: string) {
    this.#writer = this.#writerOf(0, undefined)
    this.#ledger = this.#ledgerOf(this.#writer)
  }

  /** A ledger that is open, with an operator's, an approver's and an emitter's token. */
  static async open(name = 'test'): Promise<Scenario> {
    const scenario = new Scenario(name)
    await scenario.submit({ kind: 'open-ledger', actor: system, cause: { kind: 'system' }, ledger: name })
    for (const actor of [operator, approver, trainer]) await scenario.token(actor)
    return scenario
  }

  /** Time passes. */
  pass(seconds: number): this {
    this.clock.pass(seconds * 1000)
    return this
  }

  token({ token, role, source }: Actor, expiresAt: string | null = null): Promise<Outcome> {
    const created = { token, role: role as TokenCreated['role'], source, hash: hashOfToken, expiresAt }
    return this.submit({ kind: 'create-token', ...onDirectory, created })
  }

  revoke(token: string): Promise<Outcome> {
    return this.submit({ kind: 'revoke-token', ...onDirectory, token })
  }

  policy(policy: TestPolicy, replaces?: number): Promise<Outcome> {
    const set = { kind: 'set-policy', actor: operator, cause, terms: policyTerms(policy) } as const
    return this.submit(replaces === undefined ? set : { ...set, replaces })
  }

  removePolicy(id: string): Promise<Outcome> {
    return this.submit({ kind: 'remove-policy', actor: operator, cause, id })
  }

  approve(id: string, version: number): Promise<Outcome> {
    return this.submit({ kind: 'approve-policy', actor: approver, cause, id, version })
  }

  /** The instant that a record would get now. */
  get at(): string {
    return this.#timeKeeper.peek()
  }

  spend(wire: JsonObject, actor = trainer, by: Cause = cause): Promise<Outcome> {
    return this.#ledger.request('spend', wire, actor, by)
  }

  report(wire: JsonObject, actor = trainer, by: Cause = cause): Promise<Outcome> {
    return this.#ledger.request('report', wire, actor, by)
  }

  reserve(wire: JsonObject, actor = trainer, by: Cause = cause): Promise<Outcome> {
    return this.#ledger.request('reserve', wire, actor, by)
  }

  settle(id: string, wire: JsonObject, actor = trainer, by: Cause = cause): Promise<Outcome> {
    return this.#ledger.settle(id, wire, actor, by)
  }

  /** A message that nobody can read. @returns the number of its record. */
  async quarantine(at: KafkaCause): Promise<number> {
    const message = { reason: 'JSON_INVALID', detail: 'the value is no JSON', bytes: 3, key: null }
    const outcome = await this.submit({ kind: 'quarantine', actor: system, cause: at, message })
    if (outcome.kind !== 'answered') throw new Error(outcome.detail)
    return outcome.receipt.seq
  }

  /** What an operator found out that a quarantined message had spent. */
  async chargeQuarantined(quarantined: number, wire: JsonObject, actor = operator): Promise<Outcome> {
    const request = parseRequest('report', wire, trainer.source)
    const rows = rowsFor(this.state.registry.active, request.attributes)
    const costs = exactCosts(request.release, rows)
    return this.submit({ kind: 'report', actor, cause, request: { ...request, costs }, quarantined })
  }

  /** It was no spend, say an operator and an approver. */
  async dismiss(quarantined: number): Promise<void> {
    const reason = 'a test message'
    await this.submit({ kind: 'propose-dismissal', actor: operator, cause, quarantined, reason })
    await this.submit({ kind: 'approve-dismissal', actor: approver, cause, quarantined })
  }

  /** Messages below `next` are handled. */
  recordOffsets(next: bigint): Promise<Outcome> {
    const entry = { topic: TOPIC, partition: 0, next: String(next), digest: null }
    return this.submit({ kind: 'record-offsets', actor: system, cause: { kind: 'system' }, ...entry })
  }

  /** The partition goes on at another place, say an operator and an approver. */
  async resetTopic(to: bigint): Promise<void> {
    const place = { topic: TOPIC, partition: 0, to: String(to), cause }
    await this.submit({ kind: 'propose-reset', actor: operator, ...place, reason: 'retention was too short' })
    await this.submit({ kind: 'approve-reset', actor: approver, ...place })
  }

  /**
   * Begins a later epoch, as a recovery does: after so many numbers that are lost, with messages before this offset
   * whose decisions are.
   */
  async declareGap({ reason = 'restored from a copy', lost = 0, before = 0 } = {}): Promise<void> {
    const head = await this.store.head()
    if (head === undefined) throw new Error('there is no record before the gap')
    const builder = new BlockBuilder(head, head.seq + 1 + lost)
    const undecided = before === 0 ? {} : { undecided: [{ topic: TOPIC, partition: 0, before: String(before) }] }
    const data: GapDeclared = { from: head.seq + 1, to: head.seq + lost, reason, ...undecided }
    const at = this.#timeKeeper.stamp()
    builder.add({ at, by: 'system:ledger', cause: { kind: 'system' }, data, epoch: 1, type: GAP_DECLARED, v: 1 })
    const blocks = builder.blocks()
    await this.store.append(blocks, head)
    for (const block of blocks) follow(this.state, block)
    this.#writer = this.#writerOf(1, positionOf(blocks.at(-1) as Block))
    this.#ledger = this.#ledgerOf(this.#writer)
  }

  release(id: string, reason = 'nothing ran', actor = trainer): Promise<Outcome> {
    return this.#ledger.release(id, { reason }, actor, cause)
  }

  /** Records what is overdue. */
  expire(): Promise<Outcome | undefined> {
    return this.#writer.write({ kind: 'expire', actor: system, cause: { kind: 'system' } }) as Promise<Outcome>
  }

  halt(reason = 'a drill'): Promise<Outcome> {
    return this.submit({ kind: 'halt', actor: operator, cause, scope: null, reason })
  }

  resume(reason = 'the drill is over'): Promise<Outcome> {
    return this.submit({ kind: 'resume', actor: operator, cause, scope: null, reason })
  }

  confirmClock(reason = 'looked at a wall clock'): Promise<Outcome> {
    return this.submit({ kind: 'confirm-clock', actor: operator, cause, reason })
  }

  submit(command: Command): Promise<Outcome> {
    return this.#ledger.submit(command)
  }

  /** Every record as NDJSON, the bytes that any store keeps. */
  async bytes(): Promise<Buffer> {
    const blocks: Uint8Array[] = []
    for await (const block of this.store.read(0)) blocks.push(block.bytes)
    return Buffer.concat(blocks)
  }

  /** One text a record. */
  async lines(): Promise<string[]> {
    return (await this.bytes()).toString('utf8').split('\n').slice(0, -1)
  }

  #writerOf(epoch: number, position: Position | undefined): Writer<Command, Answer> {
    const { state, store, name } = this
    const decider = new BudgetDecider({
      state,
      ledger: name,
      priorAt: (seq) => readPrior(store, seq),
      follow: () => undefined,
      committed: () => undefined,
    })
    return new Writer({
      store,
      decider,
      timeKeeper: this.#timeKeeper,
      ledger: name,
      epoch,
      position,
      onFatal: (error) => {
        throw error
      },
    })
  }

  #ledgerOf(writer: Writer<Command, Answer>): Ledger {
    const { state, store } = this
    return new Ledger({
      writer,
      state,
      costs: new KnownCosts(),
      priorAt: (seq) => readPrior(store, seq),
      at: () => this.#timeKeeper.stamp(),
    })
  }
}

class KnownCosts extends CostSource {
  override async costs(release: Release, rows: readonly Row[]): Promise<Costs> {
    return exactCosts(release, [...new Set(rows)])
  }

  override cached(): undefined {
    return undefined
  }
}
