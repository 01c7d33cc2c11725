import { createHash } from 'node:crypto'
import { CHARGED, KNOWN_CAPS, knownCost, type Purpose } from './policies.js'

/** What a record shows, read anew: nothing of the program's own code is used here. */
interface LogRecord {
  readonly seq: number
  readonly prev: string
  readonly type: string
  readonly data: Data
}

/** The fields that are looked at; which of them a record has is up to its type. */
interface Data {
  readonly id: string
  readonly source: string
  readonly spend: Readonly<Record<string, unknown>>
  readonly charges: readonly Recorded[]
  readonly parts?: { readonly count: number; readonly units: number }
  readonly units: readonly string[]
  readonly dropped?: readonly string[]
  readonly policy: Policy & { readonly id: string }
}

interface Recorded {
  readonly policy: string
  readonly window: string
  readonly cost: Readonly<Record<string, string>>
}

/** The record that decided a request. */
export interface Decided {
  readonly seq: number
  readonly leaf: string
  readonly type: string
}

/** Row → integer. */
type Sums = Map<string, bigint>

interface Charge {
  readonly budget: string
  readonly policy: string
  readonly cost: Readonly<Record<string, string>>
}

interface Policy {
  readonly role: 'guarantee' | 'quota'
  readonly scope: readonly string[]
  readonly and: readonly string[]
  readonly or: readonly string[]
  readonly caps: Readonly<Record<string, string>>
}

/**
 * Reads a log as anybody can from its lines: checks the chain, adds up the recorded costs by itself, and throws at the
 * first permit that goes beyond a cap, at a cost that is not what the mechanism costs, and at a spend that is not whole.
 */
export class LogOracle {
  readonly decided = new Map<string, Decided>()
  private readonly used = new Map<string, Sums>()
  private readonly policies = new Map<string, Policy>()
  private readonly reservations = new Map<string, readonly Charge[]>()
  private parts: Data[] = []
  private seq = -1
  private leaf = '0'.repeat(64)
  permits = 0
  /** Reports that went beyond a guarantee's cap, one for each record and policy. */
  violations = 0
  readonly types = new Map<string, number>()

  /** Number of the record to read next. */
  get next(): number {
    return this.seq + 1
  }

  /** Takes the next lines of the log. */
  add(lines: string): void {
    for (const line of lines.split('\n')) if (line !== '') this.take(line)
  }

  /** What is spent and reserved of a budget. */
  usedIn(policy: string, key: string, window: string, row: string): bigint {
    return this.used.get(budgetOf(policy, key, window))?.get(row) ?? 0n
  }

  private take(line: string): void {
    const record = JSON.parse(line) as LogRecord
    if (record.seq !== this.seq + 1) throw new Error(`record ${record.seq} follows record ${this.seq}`)
    if (record.prev !== this.leaf) throw new Error(`record ${record.seq} does not follow the leaf before it`)
    this.seq = record.seq
    this.leaf = createHash('sha256').update(`\0${line}`).digest('hex')
    const { type, data } = record
    this.types.set(type, (this.types.get(type) ?? 0) + 1)
    if (type === 'SpendPart') this.parts.push(data)
    else {
      this.decide(type, data)
      this.parts = []
    }
    if (typeof data.id === 'string' && typeof data.source === 'string' && type !== 'SpendPart') this.note(type, data)
  }

  private note(type: string, data: Data): void {
    if (type === 'ReservationExpired') return
    const key = decisionKey(data.source, data.id, closes(type) ? 'close' : 'request')
    const before = this.decided.get(key)
    if (before !== undefined) throw new Error(`${key} was decided by record ${before.seq} and by record ${this.seq}`)
    this.decided.set(key, { seq: this.seq, leaf: this.leaf, type })
  }

  private decide(type: string, data: Data): void {
    if (type === 'PolicySet') {
      this.policies.set(data.policy.id, data.policy)
      checkCaps(data.policy.id, data.policy.caps)
    } else if (type === 'SpendAccepted' || type === 'SpendReported' || type === 'ReservationOpened') {
      const charges = this.chargesOf(data)
      for (const charge of charges) this.move(charge, 1n)
      if (type === 'SpendReported') this.report(charges)
      else this.permit(charges)
      if (type === 'ReservationOpened') this.reservations.set(decisionKey(data.source, data.id, 'request'), charges)
    } else if (type === 'ReservationSettled') this.close(data, (reserved) => settled(reserved, data.charges))
    else if (type === 'ReservationReleased') this.close(data, () => [])
    // Nobody can prove that nothing was released, so it is charged in full.
    else if (type === 'ReservationExpired') this.close(data, (reserved) => reserved)
  }

  private close(data: Data, actual: (reserved: readonly Charge[]) => readonly Charge[]): void {
    const key = decisionKey(data.source, data.id, 'request')
    const reserved = this.reservations.get(key)
    if (reserved === undefined) throw new Error(`record ${this.seq} closes ${key}, which is not open`)
    this.reservations.delete(key)
    for (const charge of reserved) this.move(charge, -1n)
    for (const charge of actual(reserved)) this.move(charge, 1n)
  }

  /** One charge for each budget that a decision takes from. */
  private chargesOf(data: Data): readonly Charge[] {
    const { spend, source } = data
    const units = this.unitsOf(data)
    this.checkPolicies(data)
    return data.charges.flatMap(({ policy, window, cost }) => {
      const { scope } = this.policies.get(policy) as Policy
      const attributes = { ...spend, source }
      const keys = scope.includes('unit')
        ? units.map((unit) => keyOf(scope, attributes, unit))
        : [keyOf(scope, attributes, '')]
      return keys.map((key): Charge => ({ budget: budgetOf(policy, key, window), policy, cost }))
    })
  }

  private unitsOf({ spend, parts, dropped }: Data): readonly string[] {
    if (parts === undefined) {
      const all = (spend['units'] ?? (spend['unit'] === undefined ? [] : [spend['unit']])) as readonly string[]
      return all.filter((unit) => !dropped?.includes(unit))
    }
    const units = this.parts.flatMap((part) => part.units)
    if (this.parts.length !== parts.count || units.length !== parts.units || new Set(units).size !== units.length) {
      throw new Error(
        `record ${this.seq} claims ${parts.units} units in ${parts.count} parts, before it are ${units.length} in ${this.parts.length}`,
      )
    }
    return units
  }

  private checkPolicies({ spend, charges }: Data): void {
    const charged = charges
      .map(({ policy }) => policy)
      .sort()
      .join()
    const wanted = [...CHARGED[spend['purpose'] as Purpose]].sort().join()
    if (charged !== wanted)
      throw new Error(`record ${this.seq} charges ${charged}, but a ${spend['purpose']} is charged to ${wanted}`)
    for (const { policy, cost } of charges) {
      for (const [row, amount] of Object.entries(cost)) {
        const known = knownCost(spend, row)
        if (known !== undefined && BigInt(amount as string) !== known) {
          throw new Error(`record ${this.seq} charges ${amount} in ${row} of ${policy} for what costs ${known}`)
        }
      }
    }
  }

  private move({ budget, cost }: Charge, sign: bigint): void {
    const sums = this.used.get(budget) ?? new Map<string, bigint>()
    this.used.set(budget, sums)
    for (const [row, amount] of Object.entries(cost)) {
      sums.set(row, (sums.get(row) ?? 0n) + sign * (amount === 'INF' ? BEYOND_EVERY_CAP : BigInt(amount)))
    }
  }

  private permit(charges: readonly Charge[]): void {
    this.permits++
    const beyond = charges.find((charge) => !this.isWithin(charge))
    if (beyond === undefined) return
    const { caps } = this.policies.get(beyond.policy) as Policy
    const shown = [...(this.used.get(beyond.budget) ?? [])].map(([row, sum]) => `${row} ${sum} of ${caps[row]}`)
    throw new Error(`record ${this.seq} is a permit beyond the cap of ${beyond.budget}: ${shown.join(', ')}`)
  }

  /** What has happened is recorded whatever it costs. */
  private report(charges: readonly Charge[]): void {
    const beyond = charges.filter((charge) => !this.isWithin(charge)).map(({ policy }) => policy)
    for (const policy of new Set(beyond)) if (this.policies.get(policy)?.role === 'guarantee') this.violations++
  }

  /** Whether all that a budget has taken is within its cap: in every `and` row, and in one `or` row where there are any. */
  private isWithin({ budget, policy }: Charge): boolean {
    const { and, or, caps } = this.policies.get(policy) as Policy
    const sums = this.used.get(budget) as Sums
    const fits = (row: string) => caps[row] !== 'DEAD' && (sums.get(row) ?? 0n) <= BigInt(caps[row] as string)
    return and.every(fits) && (or.length === 0 || or.some(fits))
  }
}

const BEYOND_EVERY_CAP = 2n ** 200n

/** Under which name a decision is kept: a settle or release has the id of its reservation. */
export const decisionKey = (source: string, id: string, kind: 'request' | 'close'): string => `${kind} ${source}/${id}`

const closes = (type: string): boolean => type === 'ReservationSettled' || type === 'ReservationReleased'

const budgetOf = (policy: string, key: string, window: string): string => `${policy} ${window} ${key}`

const keyOf = (scope: readonly string[], attributes: Data['spend'], unit: string): string => {
  const values = scope.map((name) => (name === 'unit' ? unit : attributes[name]))
  return values.length === 1 ? String(values[0]) : JSON.stringify(values)
}

/** What a settled reservation takes from each of its budgets: never more than was reserved. */
const settled = (reserved: readonly Charge[], charges: readonly Recorded[]): readonly Charge[] =>
  reserved.map((charge) => {
    const { cost } = charges.find(({ policy }) => policy === charge.policy) as Recorded
    for (const [row, amount] of Object.entries(cost)) {
      const most = charge.cost[row]
      if (most !== 'INF' && (amount === 'INF' || BigInt(amount as string) > BigInt(most ?? '0'))) {
        throw new Error(`${charge.budget}: ${amount} in ${row} is settled where ${most} was reserved`)
      }
    }
    return { ...charge, cost }
  })

const checkCaps = (policy: string, caps: Readonly<Record<string, string>>): void => {
  for (const [row, known] of Object.entries(KNOWN_CAPS[policy] ?? {})) {
    if (BigInt(caps[row] === 'DEAD' ? '0' : (caps[row] ?? '0')) !== known) {
      throw new Error(`policy ${policy} has the cap ${caps[row]} in ${row}, but it is ${known}`)
    }
  }
}
