import type { Relation } from '../../accounting/units.js'
import type { JsonObject } from '../../ledger/record.js'

/** A policy as it is sent to `POST /policies`. */
export type PolicyRequest = JsonObject & {
  readonly id: string
  readonly scope: readonly string[]
  readonly match: { readonly dataset: string }
  readonly metric: 'pure' | 'approx' | 'zcdp' | 'rdp'
  readonly epsilon: string
  readonly delta: string
  readonly neighboring: Relation
  readonly window: 'lifetime' | 'day' | 'month'
}

/** One request of an emitter. A settlement names the reservation that it closes. */
export interface Ask {
  readonly kind: 'spend' | 'report' | 'reserve' | 'settle'
  readonly id: string
  readonly body: JsonObject
}

/** One deployment: its published budget as policies, and one window of its releases. */
export interface Play {
  /** Id in `data/deployments.json`. */
  readonly id: string
  readonly policies: readonly PolicyRequest[]
  /** The requests in words. */
  readonly asked: string
  readonly asks: readonly Ask[]
  /** What the ledger has to say at the end, in the words of the table: the demo fails where it says anything else. */
  readonly expected: { readonly answered: string; readonly spent: string; readonly left: string }
}

interface Terms {
  readonly epsilon: string
  readonly delta?: string
  readonly scope?: readonly string[]
  readonly neighboring?: Relation
  readonly window?: PolicyRequest['window']
  readonly plannedFor?: JsonObject
}

/**
 * The policy over one data set, under its name. A published lifetime budget becomes a guarantee, one by the day or the
 * month a quota. Where the source names no neighbouring relation it is `add_or_remove_one`.
 */
export const policy = (dataset: string, metric: PolicyRequest['metric'], terms: Terms): PolicyRequest => {
  const { epsilon, delta = '0', scope = ['dataset'], neighboring = 'add_or_remove_one', window = 'lifetime' } = terms
  const role = window === 'lifetime' ? 'guarantee' : 'quota'
  const plan = terms.plannedFor === undefined ? {} : { plannedFor: terms.plannedFor }
  return { id: dataset, scope, match: { dataset }, metric, epsilon, delta, neighboring, window, role, ...plan }
}

/** One request; `attributes` are what a spend says beside its body. */
export const ask = (
  kind: 'spend' | 'report' | 'reserve',
  dataset: string,
  id: string,
  body: JsonObject,
  attributes: JsonObject = {},
): Ask => ({ kind, id: `${dataset}:${id}`, body: { dataset, ...attributes, ...body } })

/** The same spend `times` times, each under an id of its own. */
export const spends = (dataset: string, body: JsonObject, times = 1, attributes: JsonObject = {}): readonly Ask[] =>
  Array.from({ length: times }, (_, index) => ask('spend', dataset, String(index + 1), body, attributes))

/** Closes a reservation at what was reserved. */
export const settled = (reservation: Ask): Ask => ({ kind: 'settle', id: reservation.id, body: { count: '1' } })

/** What a policy guarantees in words: `ε 34.9 δ 7e-9/month`; several together: `ε 2/0.2/0.1/month`. */
export const budgetText = (policies: readonly PolicyRequest[]): string => {
  const [first] = policies
  if (first === undefined) return ''
  const deltas = new Set(policies.map(({ delta }) => delta))
  const delta = first.delta === '0' ? '' : ` δ ${[...deltas].join('/')}`
  const window = first.window === 'lifetime' ? '' : `/${first.window}`
  return `ε ${[...new Set(policies.map(({ epsilon }) => epsilon))].join('/')}${delta}${window}`
}
