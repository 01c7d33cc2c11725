import { capsFor } from '../../src/accounting/caps.js'
import { parseRelease, type Release } from '../../src/accounting/release.js'
import type { Metric, Relation } from '../../src/accounting/units.js'
import type { Actor, Command } from '../../src/budget/commands.js'
import type { Prior, Verdict } from '../../src/budget/context.js'
import { type Costs, exactCosts } from '../../src/budget/costs.js'
import { decide } from '../../src/budget/decide.js'
import { Draft } from '../../src/budget/draft.js'
import type { BudgetEvent, TokenCreated } from '../../src/budget/events.js'
import { evolve } from '../../src/budget/evolve.js'
import type { PolicyTerms } from '../../src/budget/policy.js'
import { parseRequest, releaseOf, withTextNumbers } from '../../src/budget/request.js'
import { rowsFor } from '../../src/budget/targets.js'
import type { Cause, JsonObject } from '../../src/ledger/record.js'
import { NaiveState } from '../support/naive-state.js'

/** A policy as a test says it; everything else has a default. */
export interface TestPolicy extends Partial<Omit<PolicyTerms, 'match' | 'orders'>> {
  readonly id: string
  readonly metric?: Metric
  readonly match?: PolicyTerms['match']
  readonly delta?: string
  readonly deltaForSpends?: string
  readonly orders?: readonly { readonly alpha: number | 'inf'; readonly deltaShare: string }[]
}

export const policyTerms = (policy: TestPolicy): PolicyTerms => {
  const metric = policy.metric ?? 'pure'
  const epsilon = policy.epsilon ?? '1'
  const delta = policy.delta ?? (metric === 'pure' ? '0' : '1e-6')
  const caps = capsFor({
    metric,
    epsilon,
    delta,
    ...(policy.deltaForSpends === undefined ? {} : { deltaForSpends: policy.deltaForSpends }),
    ...(policy.orders === undefined ? {} : { orders: policy.orders }),
  })
  return {
    id: policy.id,
    scope: policy.scope ?? ['unit'],
    match: policy.match ?? {},
    metric,
    epsilon,
    deltaConv: caps.deltaConv,
    deltaExt: caps.deltaExt,
    neighboring: policy.neighboring ?? 'add_or_remove_one',
    window: policy.window ?? 'lifetime',
    role: policy.role ?? 'guarantee',
    orders: caps.orders ?? [],
    alphaStar: caps.alphaStar ?? null,
    and: caps.and,
    or: caps.or,
    caps: Object.fromEntries(Object.entries(caps.caps).map(([row, cap]) => [row, String(cap)])),
    costFn: 'exact-v1',
  }
}

export interface Logged {
  readonly seq: number
  readonly at: string
  readonly event: BudgetEvent
}

export const operator: Actor = { token: 'operator', role: 'operator', source: 'operator' }
export const approver: Actor = { token: 'approver', role: 'approver', source: 'approver' }
export const emitter: Actor = { token: 'emitter', role: 'emitter', source: 'trainer' }
export const system: Actor = { token: '', role: 'system', source: 'ledger' }
/** As the command line asks on a stopped ledger. */
export const onDirectory = { actor: { token: '', role: 'system', source: 'cli' }, cause: { kind: 'cli' } } as const

const HTTP = { kind: 'http' } as const
const known = new Map<string, Costs>()

/** Decides and evolves as the writer does, one command a batch, without bytes and without a store. */
export class TestLedger {
  readonly state = new NaiveState()
  readonly log: Logged[] = []
  at = '2026-01-05T00:00:00.000Z'
  clockDoubt = false

  /** With an operator's, an approver's and an emitter's token, or the tokens of these. */
  constructor(actors: readonly Actor[] = [operator, approver, emitter]) {
    for (const actor of actors) this.token(actor)
  }

  token({ token, role, source }: Actor, expiresAt: string | null = null): Verdict {
    const created = { token, role: role as TokenCreated['role'], source, hash: 'ab'.repeat(32), expiresAt }
    return this.submit({ kind: 'create-token', ...onDirectory, created })
  }

  revoke(token: string): Verdict {
    return this.submit({ kind: 'revoke-token', ...onDirectory, token })
  }

  policy(policy: TestPolicy, replaces?: number): Verdict {
    const terms = policyTerms(policy)
    return this.submit({
      kind: 'set-policy',
      actor: operator,
      cause: HTTP,
      terms,
      ...(replaces === undefined ? {} : { replaces }),
    })
  }

  approve(id: string, version: number, actor = approver): Verdict {
    return this.submit({ kind: 'approve-policy', actor, cause: HTTP, id, version })
  }

  request(kind: 'spend' | 'report' | 'reserve', wire: JsonObject, actor = emitter, cause: Cause = HTTP): Verdict {
    const request = parseRequest(kind, wire, actor.source)
    const costs = this.#costs(request.release, rowsFor(this.state.registry.active, request.attributes))
    const asked = { actor, cause, request: { ...request, costs } }
    return this.submit(
      kind === 'reserve' ? { kind, ...asked, expiresInSeconds: request.expiresInSeconds } : { kind, ...asked },
    )
  }

  /** An operator found out what a quarantined message had spent. */
  chargeQuarantined(quarantined: number, wire: JsonObject, actor = operator, cause: Cause = HTTP): Verdict {
    const request = parseRequest('report', wire, emitter.source)
    const costs = this.#costs(request.release, rowsFor(this.state.registry.active, request.attributes))
    return this.submit({ kind: 'report', actor, cause, request: { ...request, costs }, quarantined })
  }

  spend(wire: JsonObject): Verdict {
    return this.request('spend', wire)
  }

  settle(id: string, body: JsonObject, actor = emitter, cause: Cause = HTTP): Verdict {
    const reserved = this.#answered('request', id)?.event
    const spend = reserved !== undefined && 'spend' in reserved.data ? reserved.data.spend : {}
    const relation = (spend['neighboring'] ?? 'add_or_remove_one') as Relation
    const release =
      Object.keys(body).join() === 'count' ? releaseOf({ ...spend, ...body }) : parseRelease(body, relation)
    const rows = this.state.registry.active.flatMap(({ rows }) => rows)
    const costs = this.#costs(release, rows)
    const settle = withTextNumbers(body)
    return this.submit({ kind: 'settle', actor, cause, id, hash: `settle ${release.key}`, settle, costs })
  }

  release(id: string, actor = emitter, cause: Cause = HTTP): Verdict {
    return this.submit({ kind: 'release', actor, cause, id, hash: 'release', reason: 'nothing ran' })
  }

  submit(command: Command): Verdict {
    const draft = new Draft(this.state)
    const verdict = decide(draft, command, {
      at: this.at,
      seq: this.log.length,
      clockDoubt: this.clockDoubt,
      prior: this.#prior(command),
    })
    for (const event of verdict.kind === 'recorded' ? verdict.events : []) {
      const seq = this.log.length
      evolve(draft, event, { seq, at: this.at, by: 'test', cause: command.cause })
      this.log.push({ seq, at: this.at, event })
    }
    draft.commit()
    return verdict
  }

  #prior(command: Command): Prior | undefined {
    if ('request' in command) return this.#answered('request', command.request.id)
    return command.kind === 'settle' || command.kind === 'release' ? this.#answered('close', command.id) : undefined
  }

  #answered(family: 'request' | 'close', id: string): Prior | undefined {
    const [seq] = this.state.candidates(family, emitter.source, id)
    const logged = seq === undefined ? undefined : this.log[seq]
    return logged === undefined
      ? undefined
      : { seq: logged.seq, leaf: 'leaf', epoch: 0, event: logged.event, parts: [] }
  }

  #costs(release: Release, rows: readonly Parameters<typeof exactCosts>[1][number][]): Costs {
    const key = `${release.key} ${rows.join()}`
    const costs = known.get(key) ?? exactCosts(release, rows)
    known.set(key, costs)
    return costs
  }
}
