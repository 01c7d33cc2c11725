import { Command, CommandHandler, type ICommandHandler, type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs'
import type { Actor } from '../budget/commands.js'
import type { Unresolved } from '../budget/state.js'
import type { Cause, JsonObject } from '../ledger/record.js'
import { Ledger, type Outcome } from './ledger.js'
import { nextOf, type Page, positionOf } from './query.handlers.js'
import { readRecord } from './records.js'
import { Service } from './service.js'
import { type PartitionView, Topics } from './topics.js'

/** How far every partition is consumed, and how far the ledger is published. */
export class TopicsQuery extends Query<JsonObject> {}

@QueryHandler(TopicsQuery)
export class TopicsHandler implements IQueryHandler<TopicsQuery> {
  constructor(
    private readonly service: Service,
    private readonly topics: Topics,
  ) {}

  async execute(): Promise<JsonObject> {
    const resets = this.service.state.registry.resets.map(({ approvedBy, ...reset }) => ({
      ...reset,
      status: approvedBy === null ? 'proposed' : 'approved',
    }))
    return {
      inUse: this.topics.inUse,
      group: this.topics.group ?? null,
      partitions: this.topics.partitions().map(shown),
      published: this.topics.published(),
      resets,
      ...positionOf(this.service),
    }
  }
}

const shown = ({ topic, partition, next, high, lag, standing, why }: PartitionView): JsonObject => ({
  topic,
  partition,
  next: String(next),
  high: String(high),
  lag: String(lag),
  standing,
  ...(why === undefined ? {} : { why: whyShown(why) }),
})

const whyShown = ({ code, detail, from, to }: NonNullable<PartitionView['why']>): JsonObject => ({
  code,
  detail,
  ...(from === undefined ? {} : { from: String(from) }),
  ...(to === undefined ? {} : { to: String(to) }),
})

/** Messages that nobody could account, and that wait to be resolved, oldest first. */
export class QuarantineQuery extends Query<JsonObject> {
  constructor(readonly page: Page) {
    super()
  }
}

@QueryHandler(QuarantineQuery)
export class QuarantineHandler implements IQueryHandler<QuarantineQuery> {
  constructor(private readonly service: Service) {}

  async execute({ page }: QuarantineQuery): Promise<JsonObject> {
    const found = this.service.state.quarantine({ ...page, limit: page.limit + 1 })
    const quarantine = await Promise.all(found.slice(0, page.limit).map((one) => this.#shown(one)))
    const next = nextOf(
      found.map(({ seq }) => seq),
      page,
    )
    return { quarantine, next, count: this.service.state.unresolvedCount, ...positionOf(this.service) }
  }

  async #shown({ seq, dismissal }: Unresolved): Promise<JsonObject> {
    const record = await readRecord(this.service.store, seq)
    if (record === undefined) throw new RangeError(`record ${seq} is quarantined, but is not in the log`)
    return { seq, at: record.at, cause: record.cause as JsonObject, ...record.data, dismissal }
  }
}

/** An operator charges what a quarantined message had spent. */
export class ChargeQuarantinedCommand extends Command<Outcome> {
  constructor(
    readonly quarantined: number,
    /** In whose name. */
    readonly source: string,
    readonly wire: unknown,
    readonly actor: Actor,
    readonly cause: Cause,
  ) {
    super()
  }
}

@CommandHandler(ChargeQuarantinedCommand)
export class ChargeQuarantinedHandler implements ICommandHandler<ChargeQuarantinedCommand> {
  constructor(private readonly ledger: Ledger) {}

  execute({ quarantined, source, wire, actor, cause }: ChargeQuarantinedCommand): Promise<Outcome> {
    return this.ledger.chargeQuarantined(quarantined, source, wire, actor, cause)
  }
}
