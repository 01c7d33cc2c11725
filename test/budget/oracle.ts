import type { BudgetEvent } from '../../src/budget/events.js'
import type { Logged } from './test-ledger.js'

/** A sum that knows no cap: an integer, and how many infinite costs came with it. */
interface Sum {
  finite: bigint
  infinite: number
}

interface Held {
  readonly budget: string
  readonly policy: string
  readonly version: number
  readonly cost: Readonly<Record<string, string>>
}

interface Terms {
  readonly and: readonly string[]
  readonly or: readonly string[]
  readonly caps: Readonly<Record<string, string>>
}

/**
 * Sees every permit ever handed out and adds the costs by itself, from the facts alone: it shares no code with the
 * state, and never subtracts. What is open or overdue counts in full; what was released counts nothing.
 */
export class Oracle {
  readonly #terms = new Map<string, Terms>()
  readonly #active = new Map<string, string>()
  readonly #proposed = new Map<string, string>()
  readonly #spent: Held[] = []
  readonly #open = new Map<string, readonly Held[]>()
  readonly findings: string[] = []

  see({ seq, event }: Logged): void {
    switch (event.type) {
      case 'PolicySet':
      case 'PolicyProposed': {
        const { policy } = event.data
        const name = `${policy.id}@${policy.version}`
        this.#terms.set(name, policy)
        ;(event.type === 'PolicySet' ? this.#active : this.#proposed).set(policy.id, name)
        break
      }
      case 'PolicyApproved':
        this.#active.set(event.data.id, this.#proposed.get(event.data.id) ?? '')
        break
      case 'SpendAccepted':
        this.#spent.push(...heldBy(event))
        this.#judge(seq, heldBy(event))
        break
      case 'SpendReported':
        this.#spent.push(...heldBy(event))
        break
      case 'ReservationOpened':
        this.#open.set(event.data.id, heldBy(event))
        this.#judge(seq, heldBy(event))
        break
      case 'ReservationSettled': {
        const held = this.#close(event.data.id)
        const costs = new Map(event.data.charges.map((charge) => [charge.policy, charge.cost]))
        this.#spent.push(...held.map((one) => ({ ...one, cost: costs.get(one.policy) ?? {} })))
        break
      }
      case 'ReservationExpired':
        this.#spent.push(...this.#close(event.data.id))
        break
      case 'ReservationReleased':
        this.#close(event.data.id)
        break
      default:
        break
    }
  }

  /** Whether a budget could take a further cost beside everything in it, under the caps in force. */
  admits(policy: string, budget: string, cost: Readonly<Record<string, string>>): boolean {
    const terms = this.#terms.get(this.#active.get(policy) ?? '')
    if (terms === undefined) return false
    const fits = (row: string): boolean => {
      const sum = this.sum(budget, row)
      const cap = terms.caps[row] ?? 'DEAD'
      const more = cost[row] ?? '0'
      if (sum.infinite > 0 || cap === 'DEAD' || more === 'INF') return false
      return sum.finite + BigInt(more) <= BigInt(cap)
    }
    return terms.and.every(fits) && (terms.or.length === 0 || terms.or.some(fits))
  }

  sum(budget: string, row: string): Sum {
    const sum = { finite: 0n, infinite: 0 }
    for (const held of [...this.#spent, ...[...this.#open.values()].flat()]) {
      if (held.budget !== budget) continue
      const cost = held.cost[row] ?? '0'
      if (cost === 'INF') sum.infinite++
      else sum.finite += BigInt(cost)
    }
    return sum
  }

  #judge(seq: number, permit: readonly Held[]): void {
    for (const { policy, budget } of permit) {
      if (!this.admits(policy, budget, {})) this.findings.push(`record ${seq}: permit beyond the cap of ${budget}`)
    }
  }

  #close(id: string): readonly Held[] {
    const held = this.#open.get(id)
    if (held === undefined) this.findings.push(`reservation ${id} was closed twice`)
    this.#open.delete(id)
    return held ?? []
  }
}

/** Budgets are named by policy, key and window; all policies of the model are over the unit or the dataset. */
const heldBy = (
  event: Extract<BudgetEvent, { readonly data: { readonly charges: unknown; readonly spend: unknown } }>,
): Held[] =>
  event.data.charges.flatMap(({ policy, version, window, cost }) =>
    keysOf(event, policy).map((key) => ({ budget: `${policy}/${key}/${window}`, policy, version, cost })),
  )

const keysOf = (event: Parameters<typeof heldBy>[0], policy: string): readonly string[] => {
  const { unit, units, dataset } = event.data.spend
  if (policy.startsWith('dataset')) return [String(dataset)]
  const named = unit === undefined ? (units as string[]) : [String(unit)]
  return named.filter((name) => event.data.dropped?.includes(name) !== true)
}
