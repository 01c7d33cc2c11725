import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs'
import { scopeToJson } from '../budget/halts.js'
import { recordBytes } from '../budget/priors.js'
import type { JsonObject } from '../ledger/record.js'
import { Ledger } from './ledger.js'
import { policyHistory, policyState } from './policy-view.js'
import { recordView } from './record-view.js'
import { readRecord, recordLines } from './records.js'
import { Service } from './service.js'
import { Topics } from './topics.js'
import { unitBudgets } from './unit-budgets.js'

/** Every answer says which position of the log it reflects. */
export const positionOf = (service: Service): { readonly position: JsonObject } => {
  const { seq, leaf } = service.position()
  return { position: { seq, leaf } }
}

/** The answer that (source, id) got; undefined where there is none. */
export class AnswerQuery extends Query<JsonObject | undefined> {
  constructor(
    readonly source: string,
    readonly id: string,
  ) {
    super()
  }
}

@QueryHandler(AnswerQuery)
export class AnswerHandler implements IQueryHandler<AnswerQuery> {
  constructor(
    private readonly ledger: Ledger,
    private readonly service: Service,
    private readonly topics: Topics,
  ) {}

  async execute({ source, id }: AnswerQuery): Promise<JsonObject | undefined> {
    const prior = await this.ledger.answered(source, id)
    if (prior === undefined) return undefined
    const { event, parts, epoch, seq, leaf } = prior
    const receipt = { ledger: this.service.ledgerId, epoch, seq, leaf }
    // Whoever asks here adds noise on what it hears: it hears nothing that could be lost with this machine alone.
    const cause = (await readRecord(this.service.store, seq))?.cause
    if (cause !== undefined) await this.topics.tellable(seq, cause)
    return {
      ...this.ledger.shown({ kind: 'answered', event, parts, receipt, replayed: true }),
      ...positionOf(this.service),
    }
  }
}

/** The budgets of one unit. */
export class UnitBudgetsQuery extends Query<JsonObject> {
  constructor(readonly unit: string) {
    super()
  }
}

@QueryHandler(UnitBudgetsQuery)
export class UnitBudgetsHandler implements IQueryHandler<UnitBudgetsQuery> {
  constructor(private readonly service: Service) {}

  async execute({ unit }: UnitBudgetsQuery): Promise<JsonObject> {
    const budgets = unitBudgets(this.service.state, unit, this.service.at())
    return { unit, budgets, ...positionOf(this.service) }
  }
}

export interface Page {
  readonly after: number
  readonly limit: number
}

/** What happened to one unit, oldest first. */
export class UnitSpendsQuery extends Query<JsonObject> {
  constructor(
    readonly unit: string,
    readonly page: Page,
  ) {
    super()
  }
}

@QueryHandler(UnitSpendsQuery)
export class UnitSpendsHandler implements IQueryHandler<UnitSpendsQuery> {
  constructor(private readonly service: Service) {}

  async execute({ unit, page }: UnitSpendsQuery): Promise<JsonObject> {
    const seqs = this.service.state.unitHistory(unit, { ...page, limit: page.limit + 1 })
    return { unit, ...(await pageOf(this.service, 'spends', seqs, page)), ...positionOf(this.service) }
  }
}

/** Reports that took a guarantee beyond its cap, oldest first. */
export class ViolationsQuery extends Query<JsonObject> {
  constructor(readonly page: Page) {
    super()
  }
}

@QueryHandler(ViolationsQuery)
export class ViolationsHandler implements IQueryHandler<ViolationsQuery> {
  constructor(private readonly service: Service) {}

  async execute({ page }: ViolationsQuery): Promise<JsonObject> {
    const { state } = this.service
    const seqs = state.violations({ ...page, limit: page.limit + 1 })
    const shown = await pageOf(this.service, 'violations', seqs, page)
    return { ...shown, count: state.violationCount, ...positionOf(this.service) }
  }
}

/** Reads the records of one page. */
const pageOf = async (service: Service, name: string, seqs: readonly number[], page: Page): Promise<JsonObject> => {
  const records = await Promise.all(seqs.slice(0, page.limit).map((seq) => readRecord(service.store, seq)))
  const shown = records.flatMap((record) => (record === undefined ? [] : [recordView(record, service.state.registry)]))
  return { [name]: shown, next: nextOf(seqs, page) }
}

/** The `after` of the following page, null at the end. `seqs` are those of this page, and one more where there is one. */
export const nextOf = (seqs: readonly number[], { limit }: Page): number | null =>
  seqs.length > limit ? (seqs[limit - 1] ?? null) : null

/** Reservations that are neither settled, released nor expired, oldest first. */
export class ReservationsQuery extends Query<JsonObject> {
  constructor(readonly page: Page) {
    super()
  }
}

@QueryHandler(ReservationsQuery)
export class ReservationsHandler implements IQueryHandler<ReservationsQuery> {
  constructor(private readonly service: Service) {}

  async execute({ page }: ReservationsQuery): Promise<JsonObject> {
    const { state } = this.service
    const at = this.service.at()
    const found = state.openReservations({ ...page, limit: page.limit + 1 })
    const reservations = found.slice(0, page.limit).map(({ source, id, seq, expiresAt, held, units }) => ({
      source,
      id,
      seq,
      expiresAt,
      overdue: expiresAt <= at,
      policies: held.map(({ policy, version, window }) => ({ policy, version, window })),
      unitCount: units.length,
    }))
    const next = nextOf(
      found.map(({ seq }) => seq),
      page,
    )
    return { reservations, next, count: state.openReservationCount, ...positionOf(this.service) }
  }
}

export class PoliciesQuery extends Query<JsonObject> {}

@QueryHandler(PoliciesQuery)
export class PoliciesHandler implements IQueryHandler<PoliciesQuery> {
  constructor(private readonly service: Service) {}

  async execute(): Promise<JsonObject> {
    const policies = [...this.service.state.registry.policies].map(([id, history]) => policyState(id, history))
    return { policies, ...positionOf(this.service) }
  }
}

export class PolicyQuery extends Query<JsonObject | undefined> {
  constructor(readonly id: string) {
    super()
  }
}

@QueryHandler(PolicyQuery)
export class PolicyHandler implements IQueryHandler<PolicyQuery> {
  constructor(private readonly service: Service) {}

  async execute({ id }: PolicyQuery): Promise<JsonObject | undefined> {
    const history = this.service.state.registry.policies.get(id)
    return history === undefined ? undefined : { ...policyHistory(id, history), ...positionOf(this.service) }
  }
}

/** All tokens, without anything that could be used as one. */
export class TokensQuery extends Query<JsonObject> {}

@QueryHandler(TokensQuery)
export class TokensHandler implements IQueryHandler<TokensQuery> {
  constructor(private readonly service: Service) {}

  async execute(): Promise<JsonObject> {
    const tokens = [...this.service.state.registry.tokens.values()].map(
      ({ token, role, source, createdAt, expiresAt, revoked }) => ({
        id: token,
        role,
        source,
        createdAt,
        expiresAt,
        revoked,
      }),
    )
    return { tokens, ...positionOf(this.service) }
  }
}

/** What this ledger is, where its head stands, and what is halted. */
export class LedgerQuery extends Query<JsonObject> {}

@QueryHandler(LedgerQuery)
export class LedgerHandler implements IQueryHandler<LedgerQuery> {
  constructor(private readonly service: Service) {}

  async execute(): Promise<JsonObject> {
    const { state, ledgerId, epoch } = this.service
    const { position } = positionOf(this.service)
    const halts = state.registry.halts.map(({ scope, reason, at }) => ({ scope: scopeToJson(scope), reason, at }))
    return { ledger: ledgerId, epoch, head: position, counts: Object.fromEntries(state.counts()), halts, position }
  }
}

/** The exact bytes of one record. */
export class RecordQuery extends Query<Uint8Array | undefined> {
  constructor(readonly seq: number) {
    super()
  }
}

@QueryHandler(RecordQuery)
export class RecordHandler implements IQueryHandler<RecordQuery> {
  constructor(private readonly service: Service) {}

  execute({ seq }: RecordQuery): Promise<Uint8Array | undefined> {
    return recordBytes(this.service.store, seq)
  }
}

/** The log from one record on, as it is stored. */
export class RecordsQuery extends Query<AsyncIterable<Uint8Array>> {
  constructor(
    readonly from: number,
    readonly limit: number | undefined,
  ) {
    super()
  }
}

@QueryHandler(RecordsQuery)
export class RecordsHandler implements IQueryHandler<RecordsQuery> {
  constructor(private readonly service: Service) {}

  async execute({ from, limit }: RecordsQuery): Promise<AsyncIterable<Uint8Array>> {
    return recordLines(this.service.store, from, limit)
  }
}
