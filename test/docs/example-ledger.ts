import { createHash } from 'node:crypto'
import { capsFor } from '../../src/accounting/caps.js'
import type { Release } from '../../src/accounting/release.js'
import type { Row } from '../../src/accounting/units.js'
import { MemoryStore } from '../../src/adapters/memory-store.js'
import { CostSource } from '../../src/application/asking.js'
import { Ledger, type Outcome } from '../../src/application/ledger.js'
import type { Actor, Command } from '../../src/budget/commands.js'
import { exactCosts } from '../../src/budget/costs.js'
import { type Answer, BudgetDecider } from '../../src/budget/decider.js'
import { Draft } from '../../src/budget/draft.js'
import type { PolicyTerms } from '../../src/budget/policy.js'
import { readPrior } from '../../src/budget/priors.js'
import { emptyRegistry } from '../../src/budget/registry.js'
import { BudgetState } from '../../src/budget/state.js'
import { type Block, recordsOf } from '../../src/ledger/block.js'
import { TimeKeeper } from '../../src/ledger/clock.js'
import {
  type Cause,
  decodeRecord,
  type JsonObject,
  type Leaf,
  type LedgerRecord,
  leafHash,
} from '../../src/ledger/record.js'
import { Writer } from '../../src/ledger/writer.js'
import { ManualClock } from '../support/manual-clock.js'

/** One record of the example run. */
export interface Example {
  readonly record: LedgerRecord
  readonly bytes: Uint8Array
  readonly leaf: Leaf
}

export interface Run {
  readonly examples: readonly Example[]
  readonly blocks: readonly Block[]
}

/**
 * The run that every example in docs/ comes from: real requests, real decisions, real bytes, with a clock, ids and
 * tokens that are always the same.
 */
export class ExampleLedger {
  readonly store = new MemoryStore()
  readonly clock = new ManualClock()
  /** A draft that is never committed is a state in memory. */
  readonly state: BudgetState = new Draft(new NothingYet())
  readonly ledger: Ledger
  readonly #writer: Writer<Command, Answer>

  constructor() {
    const priorAt = (seq: number) => readPrior(this.store, seq)
    const at = () => new Date(this.clock.wall()).toISOString()
    const decider = new BudgetDecider({
      state: this.state,
      ledger: LEDGER,
      priorAt,
      follow: () => undefined,
      committed: () => undefined,
    })
    this.#writer = new Writer({
      store: this.store,
      decider,
      timeKeeper: new TimeKeeper(this.clock),
      ledger: LEDGER,
      epoch: 0,
      position: undefined,
      onFatal: (error) => {
        throw error
      },
    })
    this.ledger = new Ledger({ writer: this.#writer, state: this.state, costs: new CostsNow(), priorAt, at })
  }

  /** Ten seconds later. */
  async submit(command: DistributiveOmit<Command, 'cause'>): Promise<void> {
    this.clock.pass(10_000)
    const kind = command.actor.role === 'system' ? 'system' : 'http'
    check(await this.ledger.submit({ ...command, cause: { kind } } as Command))
  }

  /** The same with a cause of its own. */
  async submitAs(command: DistributiveOmit<Command, 'cause'>, cause: Cause): Promise<void> {
    this.clock.pass(10_000)
    check(await this.ledger.submit({ ...command, cause } as Command))
  }

  /** With an operator's, an approver's and an emitter's token, and a policy. */
  async open(): Promise<void> {
    await this.submit({ kind: 'open-ledger', actor: system, ledger: LEDGER })
    for (const [by, created] of [
      [system, operator],
      [system, approver],
      [operator, emitter],
    ] as const) {
      const { token, role, source } = created
      if (role === 'system') continue
      const hash = createHash('sha256').update(`the secret of ${source}`).digest('hex')
      await this.submit({ kind: 'create-token', actor: by, created: { token, role, source, hash, expiresAt: null } })
    }
    await this.submit({ kind: 'set-policy', actor: operator, terms: policy('1') })
  }

  async request(kind: 'spend' | 'report' | 'reserve', wire: JsonObject): Promise<Outcome> {
    this.clock.pass(10_000)
    return check(await this.ledger.request(kind, wire, emitter, { kind: 'http' }))
  }

  /** The numbers of all records of a type. */
  async seqsOf(type: string): Promise<readonly number[]> {
    const { examples } = await this.written()
    return examples.filter(({ record }) => record.type === type).map(({ record }) => record.seq)
  }

  async written(): Promise<Run> {
    await this.#writer.idle()
    const blocks: Block[] = []
    for await (const block of this.store.read(0)) blocks.push(block)
    const examples = blocks
      .flatMap((block) => [...recordsOf(block)])
      .map(({ bytes }) => ({ record: decodeRecord(bytes), bytes, leaf: leafHash(bytes) }))
    return { blocks, examples }
  }
}

type DistributiveOmit<Union, Key extends PropertyKey> = Union extends unknown ? Omit<Union, Key> : never

export const LEDGER = '6f1c2a9e-4b7d-4e0a-9c35-2d8f1b3a7e64'
export const system: Actor = { token: '', role: 'system', source: 'ledger' }
export const operator: Actor = { token: 'b4a7c1f0-52d3-4f6e-8a19-7c0e5d3b9f21', role: 'operator', source: 'operator' }
export const approver: Actor = { token: 'e91d6c38-0f4b-4a72-b5c6-1a2d8e7f3094', role: 'approver', source: 'approver' }
export const emitter: Actor = { token: '2c8e5f17-9a3d-4b60-8d4e-f6b1c7a20953', role: 'emitter', source: 'trainer' }

/** Something of every event, in the order of a plausible week. */
export const run = async (): Promise<Run> => {
  const run = new ExampleLedger()
  await run.open()
  await run.request('spend', { id: 'weekly-42', unit: 'u-17', dataset: 'visits', ...gaussian, count: '2' })
  await run.request('spend', { id: 'weekly-43', unit: 'u-17', dataset: 'visits', ...gaussian, count: '10' })
  const units = Array.from({ length: 101 }, (_, index) => `m${100 + index}`)
  await run.request('spend', { id: 'census-1', units, ...gaussian })
  await run.request('reserve', { id: 'train-7', unit: 'u-20', ...gaussian, count: '4', expiresInSeconds: '3600' })
  await run.request('reserve', { id: 'train-8', unit: 'u-20', ...gaussian, count: '4', expiresInSeconds: '3600' })
  check(await run.ledger.settle('train-7', { count: '3' }, emitter, { kind: 'http' }))
  await run.request('reserve', { id: 'train-9', unit: 'u-21', ...gaussian, expiresInSeconds: '3600' })
  const reason = 'the job was cancelled before its first step'
  check(await run.ledger.release('train-9', { reason }, emitter, { kind: 'http' }))
  await run.request('report', { id: 'old-export', unit: 'u-17', ...gaussian, count: '3' })
  await run.request('reserve', { id: 'train-10', unit: 'u-22', ...gaussian, expiresInSeconds: '60' })
  run.clock.pass(60_000)
  await run.submit({ kind: 'expire', actor: system })
  await run.submit({ kind: 'halt', actor: operator, scope: { dataset: ['visits'] }, reason: 'export under review' })
  await run.submit({ kind: 'resume', actor: operator, scope: { dataset: ['visits'] }, reason: 'review done' })
  await run.submit({ kind: 'set-policy', actor: operator, terms: policy('2'), replaces: 1 })
  await run.submit({ kind: 'approve-policy', actor: approver, id: 'person', version: 2 })
  await run.submit({ kind: 'remove-policy', actor: operator, id: 'person' })
  await run.submit({ kind: 'confirm-clock', actor: operator, reason: 'set by hand after a power cut' })
  await run.submit({ kind: 'revoke-token', actor: operator, token: emitter.token })
  return run.written()
}

export const gaussian: JsonObject = { mechanism: 'gaussian', noiseMultiplier: '10' }

export const policy = (epsilon: string): PolicyTerms => {
  const { and, or, caps, deltaConv, deltaExt, alphaStar } = capsFor({ metric: 'zcdp', epsilon, delta: '1e-6' })
  return {
    id: 'person',
    scope: ['unit'],
    match: {},
    metric: 'zcdp',
    epsilon,
    deltaConv,
    deltaExt,
    neighboring: 'add_or_remove_one',
    window: 'lifetime',
    role: 'guarantee',
    orders: [],
    alphaStar: alphaStar ?? null,
    and,
    or,
    caps: Object.fromEntries(Object.entries(caps).map(([row, cap]) => [row, String(cap)])),
    costFn: 'exact-v1',
  }
}

const check = (outcome: Outcome): Outcome => {
  if (outcome.kind === 'rejected') throw new Error(`${outcome.code}: ${outcome.detail}`)
  return outcome
}

export class CostsNow extends CostSource {
  async costs(release: Release, rows: readonly Row[]) {
    return exactCosts(release, rows)
  }

  cached(release: Release, rows: readonly Row[]) {
    return exactCosts(release, rows)
  }
}

/** The state before the first record. */
class NothingYet extends BudgetState {
  registry = emptyRegistry
  pending = []
  balance() {
    return undefined
  }
  move(): void {}
  reservation() {
    return undefined
  }
  openReservation(): void {}
  closeReservation(): void {}
  overdue() {
    return []
  }
  rememberKey(): void {}
  candidates() {
    return []
  }
  rememberUnits(): void {}
  rememberViolation(): void {}
  offset() {
    return undefined
  }
  setOffset(): void {}
  unresolved() {
    return undefined
  }
  setUnresolved(): void {}
  resolve(): void {}
  count(): void {}
}
