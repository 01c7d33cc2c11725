import { Command, CommandHandler, type ICommandHandler, type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs'
import type { Actor } from '../budget/commands.js'
import type { Rejection } from '../budget/context.js'
import type { Estimate } from '../budget/estimate.js'
import type { RequestKind } from '../budget/request.js'
import type { Cause } from '../ledger/record.js'
import { Ledger, type Outcome } from './ledger.js'

/** Charges budgets: a spend, a reservation, or a report of what has happened already. */
export class ChargeCommand extends Command<Outcome> {
  constructor(
    readonly kind: Exclude<RequestKind, 'estimate'>,
    readonly wire: unknown,
    readonly actor: Actor,
    readonly cause: Cause,
  ) {
    super()
  }
}

@CommandHandler(ChargeCommand)
export class ChargeHandler implements ICommandHandler<ChargeCommand> {
  constructor(private readonly ledger: Ledger) {}

  execute({ kind, wire, actor, cause }: ChargeCommand): Promise<Outcome> {
    return this.ledger.request(kind, wire, actor, cause)
  }
}

/** Spends many, each decided on its own, in order. */
export class ChargeAllCommand extends Command<readonly (Outcome | Error)[]> {
  constructor(
    readonly items: readonly unknown[],
    readonly actor: Actor,
    readonly cause: Cause,
  ) {
    super()
  }
}

@CommandHandler(ChargeAllCommand)
export class ChargeAllHandler implements ICommandHandler<ChargeAllCommand> {
  constructor(private readonly ledger: Ledger) {}

  execute({ items, actor, cause }: ChargeAllCommand): Promise<readonly (Outcome | Error)[]> {
    return this.ledger.requestAll(items, actor, cause)
  }
}

/** Settles or releases a reservation of the actor's source. */
export class CloseReservationCommand extends Command<Outcome> {
  constructor(
    readonly how: 'settle' | 'release',
    readonly id: string,
    readonly wire: unknown,
    readonly actor: Actor,
    readonly cause: Cause,
  ) {
    super()
  }
}

@CommandHandler(CloseReservationCommand)
export class CloseReservationHandler implements ICommandHandler<CloseReservationCommand> {
  constructor(private readonly ledger: Ledger) {}

  execute({ how, id, wire, actor, cause }: CloseReservationCommand): Promise<Outcome> {
    return this.ledger[how](id, wire, actor, cause)
  }
}

/** What a spend would meet now. */
export class EstimateQuery extends Query<Estimate | Rejection> {
  constructor(
    readonly wire: unknown,
    readonly actor: Actor,
  ) {
    super()
  }
}

@QueryHandler(EstimateQuery)
export class EstimateHandler implements IQueryHandler<EstimateQuery> {
  constructor(private readonly ledger: Ledger) {}

  execute({ wire, actor }: EstimateQuery): Promise<Estimate | Rejection> {
    return this.ledger.estimate(wire, actor)
  }
}
