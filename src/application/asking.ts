import { AccountingError } from '../accounting/errors.js'
import { Fields } from '../accounting/fields.js'
import { parseRelease, type Release, withCount } from '../accounting/release.js'
import type { Row } from '../accounting/units.js'
import type { Actor, Command } from '../budget/commands.js'
import { type Prior, type Rejection, reject, uncertain } from '../budget/context.js'
import type { Costs } from '../budget/costs.js'
import { nameFrom, reasonFrom } from '../budget/names.js'
import {
  hashOf,
  limitBody,
  type ParsedRequest,
  parseRequest,
  type RequestKind,
  releaseOf,
  withTextNumbers,
} from '../budget/request.js'
import type { BudgetState } from '../budget/state.js'
import { rowsFor } from '../budget/targets.js'
import { chargedWhole, isUndecided } from '../budget/undecided.js'
import type { Cause, JsonObject } from '../ledger/record.js'

/** Computes what releases cost, off the thread that decides. */
export abstract class CostSource {
  /** The costs of `release` in these rows. @throws LedgerError BUSY where too many wait. */
  abstract costs(release: Release, rows: readonly Row[]): Promise<Costs>
  /** The same, where nothing has to be computed. */
  abstract cached(release: Release, rows: readonly Row[]): Costs | undefined
}

/** Makes a command, anew at each try: the policies may have changed, and with them the rows that need a cost. */
export type Ask = () => Command | Promise<Command>

export interface AskingParts {
  readonly state: BudgetState
  readonly costs: CostSource
  readonly priorAt: (seq: number) => Promise<Prior | undefined>
}

/** Reads requests, and makes commands of them that lack nothing: their costs are computed before they are decided. */
export class Asking {
  constructor(private readonly parts: AskingParts) {}

  /** A spend, report or reservation. @throws AccountingError for a malformed one. */
  request(kind: Exclude<RequestKind, 'estimate'>, wire: unknown, actor: Actor, cause: Cause): Ask {
    const request = parseRequest(kind, wire, actor.source)
    return this.#asking(request, (costs) => {
      const asked = { actor, cause, request: { ...request, costs } }
      return kind === 'reserve' ? { kind, ...asked, expiresInSeconds: request.expiresInSeconds } : { kind, ...asked }
    })
  }

  /** What a quarantined message had spent, in the name of `source`. @throws AccountingError */
  quarantined(quarantined: number, source: string, wire: unknown, actor: Actor, cause: Cause): Ask {
    const request = parseRequest('report', wire, source)
    return this.#asking(request, (costs) => ({
      kind: 'report',
      actor,
      cause,
      request: { ...request, costs },
      quarantined,
    }))
  }

  /** Settles a reservation of the actor's source: `wire` is a body or `{count}`. @throws AccountingError */
  async settle(id: string, wire: unknown, actor: Actor, cause: Cause): Promise<Command | Rejection> {
    nameFrom(id, '/id')
    const reserved = (await this.answered(actor.source, id))?.event
    const isCharged = reserved?.type === 'SpendReported' && chargedWhole(reserved.data)
    if (reserved?.type !== 'ReservationOpened' && !isCharged) {
      const unknown = noReservation(id, actor)
      return isUndecided(this.parts.state.registry, cause) ? uncertain(unknown) : unknown
    }
    limitBody(wire, 'what settles a reservation')
    const release = settledRelease(releaseOf(reserved.data.spend), wire)
    const hash = hashOf({ kind: 'settle', id, source: actor.source, release: release.key })
    const rows = [...new Set(reserved.data.charges.flatMap(({ cost }) => Object.keys(cost) as Row[]))]
    const costs = await this.parts.costs.costs(release, rows)
    return { kind: 'settle', actor, cause, id, hash, settle: withTextNumbers(wire as JsonObject), costs }
  }

  /** Releases a reservation: nothing was computed or seen. @throws AccountingError */
  release(id: string, wire: unknown, actor: Actor, cause: Cause): Command {
    nameFrom(id, '/id')
    const fields = new Fields(wire, '')
    const reason = reasonFrom(fields.take('reason'), '/reason')
    fields.end()
    const hash = hashOf({ kind: 'release', id, source: actor.source, reason })
    return { kind: 'release', actor, cause, id, hash, reason }
  }

  /** The answer that (source, id) got. */
  async answered(source: string, id: string): Promise<Prior | undefined> {
    for (const seq of this.parts.state.candidates('request', source, id)) {
      const prior = await this.parts.priorAt(seq)
      if (prior !== undefined && 'id' in prior.event.data && 'source' in prior.event.data) {
        if (prior.event.data.source === source && prior.event.data.id === id) return prior
      }
    }
    return undefined
  }

  costsOf({ release, attributes }: ParsedRequest): Promise<Costs> {
    return this.parts.costs.costs(release, rowsFor(this.parts.state.registry.active, attributes))
  }

  #asking(request: ParsedRequest, commandWith: (costs: Costs) => Command): Ask {
    return () => {
      const { release, attributes } = request
      const costs = this.parts.costs.cached(release, rowsFor(this.parts.state.registry.active, attributes))
      return costs === undefined ? this.costsOf(request).then(commandWith) : commandWith(costs)
    }
  }
}

/** What really ran: a body of its own, or so many of the counts that were reserved. */
const settledRelease = (reserved: Release, wire: unknown): Release => {
  if (!isCountAlone(wire)) return parseRelease(wire, reserved.relation)
  const count = new Fields(wire, '').integer('count', 0n, 10n ** 12n)
  if (count === 0n) throw new AccountingError('OUT_OF_RANGE', 'nothing ran: release the reservation instead', '/count')
  return withCount(reserved, count)
}

const isCountAlone = (wire: unknown): boolean =>
  typeof wire === 'object' && wire !== null && Object.keys(wire).join() === 'count'

const noReservation = (id: string, actor: Actor): Rejection =>
  reject('NOT_FOUND', `source ${JSON.stringify(actor.source)} has no reservation ${JSON.stringify(id)}`)
