/** What went wrong with privacy, in records that are sound. */
export type ViolationCode = 'REPORT_BEYOND_CAP' | 'PERMIT_BEYOND_CAP' | 'NOISE_REUSED'

/**
 * A recorded fact that breaks a guarantee. Nothing is wrong with the log: it says what happened, and that stays said.
 */
export interface Violation {
  readonly seq: number
  readonly leaf: string
  readonly code: ViolationCode
  /** The guarantee that no longer holds; the noise stream for reused noise. */
  readonly subject: string
  /** Both numbers. Names a budget by its policy alone: whose data it is must not become public with a proof. */
  readonly detail: string
  /** The first such budget's key, for whoever may read the records. */
  readonly key: string
  /** How many budgets of the policy this record took beyond the cap. */
  readonly budgets: number
}

/** Something to look at that breaks no guarantee: a quota that was passed, a cap below what was spent already. */
export interface Notice {
  readonly seq: number
  readonly code: 'REPORT_BEYOND_QUOTA' | 'CAP_BELOW_SPENT' | 'PARTS_VOIDED' | 'OVERCHARGED'
  readonly detail: string
}

/** What was found, one entry for each record and subject: the first of them, and how many there are of each code. */
export class Findings<Item extends { readonly seq: number; readonly code: string }> {
  readonly items: Item[] = []
  readonly #counts = new Map<string, number>()

  constructor(private readonly most = 1_000) {}

  add(item: Item): void {
    this.#counts.set(item.code, this.countOf(item.code) + 1)
    if (this.items.length < this.most) this.items.push(item)
  }

  countOf(code: string): number {
    return this.#counts.get(code) ?? 0
  }

  get count(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
  }
}
