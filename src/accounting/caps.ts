import type { Release } from './release.js'
import type { Cap, Metric, Row } from './units.js'

/** What a budget is asked to guarantee; amounts as decimal strings, fractions or JSON numbers. */
export interface BudgetTerms {
  readonly metric: Metric
  readonly epsilon: unknown
  readonly delta: unknown
  /** The part of δ set aside for spends that have a δ of their own; zcdp and rdp only, default 0. */
  readonly deltaForSpends?: unknown
  /** rdp: the orders, with their shares of δ; all shares or none. */
  readonly orders?: readonly OrderTerms[]
  /** rdp: a representative spend; its best order gets the whole δ. */
  readonly plannedFor?: Release
  /** zcdp: the order of the conversion, above 1. */
  readonly alphaStar?: unknown
}

export interface OrderTerms {
  readonly alpha: unknown
  readonly deltaShare?: unknown
}

/** The caps that hold a budget to its terms, and what else is fixed with them. */
export interface BudgetCaps {
  readonly and: readonly Row[]
  readonly or: readonly Row[]
  readonly caps: Readonly<Partial<Record<Row, Cap>>>
  readonly orders?: readonly { readonly alpha: number | 'inf'; readonly deltaShare: string }[]
  readonly alphaStar?: string
  /** δ that the conversion from ρ or Rényi divergences uses up. */
  readonly deltaConv: string
  /** δ that spends may use up. */
  readonly deltaExt: string
  readonly warnings: readonly string[]
}

/** @throws AccountingError with the JSON pointer of what is wrong. */
export declare function capsFor(terms: BudgetTerms): BudgetCaps
