import fc from 'fast-check'
import type { Ingest } from '../../src/application/ingest.js'
import type { KafkaCause } from '../../src/ledger/record.js'

/** A message as a test says it; amounts are tenths of epsilon, and every unit has a budget of ten of them. */
export type Said =
  | {
      readonly kind: 'spend' | 'reserve' | 'report'
      readonly id: string
      readonly units: number
      readonly tenths: number
    }
  | { readonly kind: 'settle'; readonly id: string; readonly tenths: number }
  | { readonly kind: 'release'; readonly id: string }
  /** Names no unit. */
  | { readonly kind: 'bare-spend' | 'bare-report'; readonly id: string }
  /** Has a negative epsilon. */
  | { readonly kind: 'malformed-spend' | 'malformed-report'; readonly id: string }
  | { readonly kind: 'unreadable' }

export const SOURCE = 'trainer'

/** Unit 7 stands for many units, more than one record holds. */
const MANY = Array.from({ length: 120 }, (_, index) => `m${index}`)
export const unitsOf = (units: number): readonly string[] => (units === 7 ? MANY : [`u${units}`])

const pure = (tenths: number) => ({ mechanism: 'declared_pure', epsilon: `${tenths}/10` })
const reason = 'nothing ran'

export const messageOf = (said: Said, offset: number): Ingest => {
  const cause = causeAt(offset)
  switch (said.kind) {
    case 'spend':
    case 'report':
    case 'reserve': {
      const expiry = said.kind === 'reserve' ? { expiresInSeconds: 3600 } : {}
      const wire = { id: said.id, units: [...unitsOf(said.units)], ...pure(said.tenths), ...expiry }
      return { request: said.kind, source: SOURCE, wire, cause }
    }
    case 'settle':
      return { request: 'settle', source: SOURCE, id: said.id, wire: pure(said.tenths), cause }
    case 'release':
      return { request: 'release', source: SOURCE, id: said.id, wire: { reason }, cause }
    case 'bare-spend':
    case 'bare-report': {
      const request = said.kind === 'bare-spend' ? 'spend' : 'report'
      return { request, source: SOURCE, wire: { id: said.id, ...pure(1) }, cause }
    }
    case 'malformed-spend':
    case 'malformed-report': {
      const request = said.kind === 'malformed-spend' ? 'spend' : 'report'
      return { request, source: SOURCE, wire: { id: said.id, unit: 'u1', ...pure(1), epsilon: '-1' }, cause }
    }
    case 'unreadable':
      return quarantineOf(offset)
  }
}

export const quarantineOf = (offset: number): Ingest => ({
  request: 'quarantine',
  message: { reason: 'JSON_INVALID', detail: 'the value is no JSON', bytes: 3, key: null },
  cause: causeAt(offset),
})

export const causeAt = (offset: number): KafkaCause => ({
  kind: 'kafka',
  topic: 'epsilon.spends',
  partition: 0,
  offset: String(offset),
  digest: offset.toString(16).padStart(32, '0'),
})

/** What the log has to say after all messages, worked out one after the other and by addition alone. */
export class TopicOracle {
  /** For each message the type of its record; undefined for a repeat, which has none. */
  readonly records: (string | undefined)[] = []
  readonly spent = new Map<string, number>()
  readonly reserved = new Map<string, number>()
  readonly #answered = new Map<string, string>()
  readonly #open = new Map<string, Extract<Said, { readonly kind: 'reserve' | 'spend' | 'report' }>>()
  readonly #closed = new Map<string, string>()

  take(said: Said): void {
    this.records.push(this.#recordOf(said))
  }

  #recordOf(said: Said): string | undefined {
    switch (said.kind) {
      case 'spend':
      case 'reserve':
      case 'report':
        return this.#charged(said)
      case 'settle':
      case 'release':
        return this.#closedBy(said)
      case 'bare-spend':
      case 'malformed-spend':
        // An id that is answered already is looked at first, and a malformed body before that.
        return 'RequestInvalid'
      default:
        return 'MessageQuarantined'
    }
  }

  #charged(said: Extract<Said, { readonly kind: 'spend' | 'reserve' | 'report' }>): string | undefined {
    const request = JSON.stringify(said)
    const before = this.#answered.get(said.id)
    if (before === request) return undefined
    if (before !== undefined) return said.kind === 'report' ? 'MessageQuarantined' : 'RequestInvalid'
    this.#answered.set(said.id, request)
    const units = unitsOf(said.units)
    const fits = units.every((unit) => this.#used(unit) + said.tenths <= 10)
    if (said.kind !== 'report' && !fits) return said.kind === 'spend' ? 'SpendRefused' : 'ReservationRefused'
    for (const unit of units) add(said.kind === 'reserve' ? this.reserved : this.spent, unit, said.tenths)
    if (said.kind === 'reserve') this.#open.set(said.id, said)
    return { spend: 'SpendAccepted', reserve: 'ReservationOpened', report: 'SpendReported' }[said.kind]
  }

  #closedBy(said: Extract<Said, { readonly kind: 'settle' | 'release' }>): string | undefined {
    const request = JSON.stringify(said)
    const before = this.#closed.get(said.id)
    if (before === request) return undefined
    const open = this.#open.get(said.id)
    if (open === undefined || (said.kind === 'settle' && said.tenths > open.tenths)) return 'RequestInvalid'
    this.#open.delete(said.id)
    this.#closed.set(said.id, request)
    for (const unit of unitsOf(open.units)) {
      add(this.reserved, unit, -open.tenths)
      if (said.kind === 'settle') add(this.spent, unit, said.tenths)
    }
    return said.kind === 'settle' ? 'ReservationSettled' : 'ReservationReleased'
  }

  #used(unit: string): number {
    return (this.spent.get(unit) ?? 0) + (this.reserved.get(unit) ?? 0)
  }
}

const add = (sums: Map<string, number>, unit: string, tenths: number): void =>
  void sums.set(unit, (sums.get(unit) ?? 0) + tenths)

const id = fc.nat(9).map((number) => `id-${number}`)
const reservationId = fc.nat(4).map((number) => `r-${number}`)
const tenths = fc.integer({ min: 1, max: 4 })
const units = fc.integer({ min: 1, max: 4 })

/** Messages in which ids come twice, with the same words and with others. */
export const said: fc.Arbitrary<Said> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constantFrom('spend', 'report'), id, units, tenths }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('reserve' as const), id: reservationId, units, tenths }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('settle' as const), id: reservationId, tenths }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), id: reservationId }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('spend' as const), id, units: fc.constant(7), tenths }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('bare-spend', 'bare-report', 'malformed-spend', 'malformed-report'),
      id: fc.nat(9).map((number) => `bad-${number}`),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'unreadable' as const }) },
)
