import type { Release } from '../accounting/release.js'
import type { Place } from '../budget/evolve.js'
import type { Policy } from '../budget/policy.js'
import type { Leaf } from '../ledger/record.js'
import type { Authority } from './authority.js'
import type { Overdrawn } from './cap-below-spent.js'
import type { CostBook } from './cost-book.js'
import { ReplayFault, type ReplayFaultCode } from './fault.js'
import type { NoiseIndex, NoiseRange } from './noise-index.js'
import type { ReplayState } from './replay-state.js'
import type { RequestBook } from './request-book.js'
import type { Tally } from './tally.js'
import type { Findings, Notice, Violation } from './violation.js'

/** Where a record stands in the log, and its leaf. */
export interface RecordPlace extends Place {
  readonly epoch: number
  readonly leaf: Leaf
}

/** What the rules look at and write down: the state before a record, and what was found so far. */
export interface Audit {
  readonly state: ReplayState
  readonly costs: CostBook
  readonly noise: NoiseIndex
  readonly requests: RequestBook
  readonly tally: Tally
  readonly violations: Findings<Violation>
  readonly notices: Findings<Notice>
  readonly authority: Authority
  /** Versions under which something was taken. */
  readonly charged: Set<Policy>
  /** Guarantees that began to hold over budgets that had taken more, by {@link overdrawnName}. */
  readonly overdrawn: Map<string, Overdrawn>
  /** Guarantees' budgets that charges without a known decision took beyond the cap that holds, by {@link overdrawnName}. */
  readonly overcharged: Map<string, number>
  /** Who asked for the parts whose decision has not come yet, and which way, as text. */
  partsAsked: string
  /** What open reservations asked for, by source and id. */
  readonly reserved: Map<string, Reserved>
}

export interface Reserved {
  readonly release: Release
  readonly noise: { readonly stream: string; readonly range: NoiseRange } | undefined
}

/** What is left to compare once the state has taken the record in. */
export type Afterwards = () => void

export const reservedName = (source: string, id: string): string => `${source}\0${id}`

/** Ends the verification at this record. */
export const fail = (code: ReplayFaultCode, place: RecordPlace, detail: string): never => {
  throw new ReplayFault(code, place.seq, detail)
}
