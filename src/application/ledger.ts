import { AccountingError } from '../accounting/errors.js'
import { Fields } from '../accounting/fields.js'
import { parseRelease, type Release, withCount } from '../accounting/release.js'
import type { Row } from '../accounting/units.js'
import { answerOf } from '../budget/answer.js'
import type { Actor, Command } from '../budget/commands.js'
import { type Prior, type Rejection, reject } from '../budget/context.js'
import type { Costs } from '../budget/costs.js'
import type { Answer, Answered } from '../budget/decider.js'
import { type Estimate, estimate } from '../budget/estimate.js'
import { nameFrom, reasonFrom } from '../budget/names.js'
import {
  hashOf,
  type ParsedRequest,
  parseRequest,
  type RequestKind,
  releaseOf,
  withTextNumbers,
} from '../budget/request.js'
import type { BudgetState } from '../budget/state.js'
import { rowsFor } from '../budget/targets.js'
import { LedgerError } from '../ledger/errors.js'
import type { Cause, JsonObject } from '../ledger/record.js'
import type { Writer } from '../ledger/writer.js'

/** What became of a request: recorded (now or before), or refused without a record. */
export type Outcome = Answered | Rejection

/** Computes what releases cost, off the thread that decides. */
export abstract class CostSource {
  /** The costs of `release` in these rows. @throws LedgerError BUSY where too many wait. */
  abstract costs(release: Release, rows: readonly Row[]): Promise<Costs>
  /** The same, where nothing has to be computed. */
  abstract cached(release: Release, rows: readonly Row[]): Costs | undefined
}

export interface LedgerParts {
  readonly writer: Writer<Command, Answer>
  readonly state: BudgetState
  readonly costs: CostSource
  readonly priorAt: (seq: number) => Promise<Prior | undefined>
  /** The instant that a batch would get now. */
  readonly at: () => string
}

/** Makes a command, or says why there can be none. */
type Ask = () => Command | Error | Promise<Command>

/** How often a command is asked again because the policies changed under it or its twin was being written. */
const MOST_TRIES = 20

/**
 * The way in for everything that charges budgets, whichever edge it comes from: reads the request, has its costs
 * computed, and lets the writer decide it.
 */
export class Ledger {
  constructor(private readonly parts: LedgerParts) {}

  /** Spends, reports or reserves. @throws AccountingError for a malformed request: nothing of it is recorded. */
  async request(kind: Exclude<RequestKind, 'estimate'>, wire: unknown, actor: Actor, cause: Cause): Promise<Outcome> {
    return this.#settle(this.#asking(kind, parseRequest(kind, wire, actor.source), actor, cause))
  }

  /** Spends each item on its own, in order; a malformed one fails alone. */
  requestAll(items: readonly unknown[], actor: Actor, cause: Cause): Promise<readonly (Outcome | Error)[]> {
    return this.#settleAll(
      items.map((item) => {
        const request = parsed(item, actor.source)
        return request instanceof Error ? () => request : this.#asking('spend', request, actor, cause)
      }),
    )
  }

  /** What a spend would meet now; changes nothing. */
  async estimate(wire: unknown, actor: Actor): Promise<Estimate | Rejection> {
    const request = parseRequest('estimate', wire, actor.source)
    for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
      const costs = await this.#costsOf(request)
      const result = estimate(this.parts.state, { ...request, costs }, this.parts.at())
      if (result.kind !== 'costs-needed') return result
    }
    throw unsettled()
  }

  /** Settles a reservation of the actor's source: `wire` is a body or `{count}`. */
  async settle(id: string, wire: unknown, actor: Actor, cause: Cause): Promise<Outcome> {
    nameFrom(id, '/id')
    const reserved = (await this.answered(actor.source, id))?.event
    if (reserved?.type !== 'ReservationOpened') return noReservation(id, actor)
    const release = settledRelease(releaseOf(reserved.data.spend), wire)
    const hash = hashOf({ kind: 'settle', id, source: actor.source, release: release.key })
    const rows = [...new Set(reserved.data.charges.flatMap(({ cost }) => Object.keys(cost) as Row[]))]
    const costs = await this.parts.costs.costs(release, rows)
    return this.submit({ kind: 'settle', actor, cause, id, hash, settle: withTextNumbers(wire as JsonObject), costs })
  }

  /** Releases a reservation: nothing was computed or seen. */
  async release(id: string, wire: unknown, actor: Actor, cause: Cause): Promise<Outcome> {
    nameFrom(id, '/id')
    const fields = new Fields(wire, '')
    const reason = reasonFrom(fields.take('reason'), '/reason')
    fields.end()
    const hash = hashOf({ kind: 'release', id, source: actor.source, reason })
    return this.submit({ kind: 'release', actor, cause, id, hash, reason })
  }

  /** Hands any other command to the writer. */
  submit(command: Command): Promise<Outcome> {
    return this.#settle(() => command)
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

  /** An outcome as callers see it. */
  shown({ event, parts, receipt }: Answered): JsonObject {
    const answer = answerOf(event, parts, receipt, this.parts.state.registry)
    if (answer === undefined) throw new RangeError(`a ${event.type} answers no request`)
    return answer
  }

  /** Makes the command of a request, anew at each try: the policies may have changed. */
  #asking(kind: Exclude<RequestKind, 'estimate'>, request: ParsedRequest, actor: Actor, cause: Cause): Ask {
    const commandWith = (costs: Costs): Command => {
      const asked = { actor, cause, request: { ...request, costs } }
      return kind === 'reserve' ? { kind, ...asked, expiresInSeconds: request.expiresInSeconds } : { kind, ...asked }
    }
    return () => {
      const costs = this.#cachedCosts(request)
      return costs === undefined ? this.#costsOf(request).then(commandWith) : commandWith(costs)
    }
  }

  async #settle(ask: Ask): Promise<Outcome> {
    const [outcome] = await this.#settleAll([ask])
    if (outcome === undefined || outcome instanceof Error) throw outcome
    return outcome
  }

  /** Asks until each command has its final answer; those that lack nothing go to the writer together, in order. */
  async #settleAll(asks: readonly Ask[]): Promise<readonly (Outcome | Error)[]> {
    const outcomes: (Outcome | Error)[] = new Array(asks.length)
    let open = asks.map((_, index) => index)
    for (let attempt = 0; attempt < MOST_TRIES && open.length > 0; attempt++) {
      const made = await commandsOf(open.map((index) => asks[index] as Ask))
      const commands = made.filter((command) => !(command instanceof Error)) as readonly Command[]
      if (commands.some((command) => 'request' in command)) this.#expire()
      const answers = (await this.parts.writer.writeAll(commands)).values()
      const again: number[] = []
      for (const [place, index] of open.entries()) {
        const command = made[place]
        const answer = command instanceof Error ? command : answers.next().value
        if (answer === undefined || isPassing(answer)) again.push(index)
        else outcomes[index] = answer
      }
      open = again
    }
    for (const index of open) outcomes[index] = unsettled()
    return outcomes
  }

  /** What is overdue is recorded beside the next decision, never by the passing of time alone. */
  #expire(): void {
    if (this.parts.state.overdue(this.parts.at(), 1).length === 0) return
    const actor: Actor = { token: '', role: 'system', source: 'ledger' }
    this.parts.writer.write({ kind: 'expire', actor, cause: { kind: 'system' } }).catch(() => {
      // The same failure meets the command that follows, and is reported there.
    })
  }

  #cachedCosts({ release, attributes }: ParsedRequest): Costs | undefined {
    return this.parts.costs.cached(release, rowsFor(this.parts.state.registry.active, attributes))
  }

  #costsOf({ release, attributes }: ParsedRequest): Promise<Costs> {
    return this.parts.costs.costs(release, rowsFor(this.parts.state.registry.active, attributes))
  }
}

/** What really ran: a body of its own, or so many of the counts that were reserved. */
const settledRelease = (reserved: Release, wire: unknown): Release => {
  if (!isCountAlone(wire)) return parseRelease(wire, reserved.relation)
  const count = new Fields(wire, '').integer('count', 0n, 10n ** 12n)
  if (count === 0n) throw new AccountingError('OUT_OF_RANGE', 'nothing ran: release the reservation instead', '/count')
  return withCount(reserved, count)
}

const parsed = (item: unknown, source: string): ParsedRequest | Error => {
  try {
    return parseRequest('spend', item, source)
  } catch (error) {
    if (error instanceof AccountingError || error instanceof LedgerError) return error
    throw error
  }
}

/** Awaits only what has to be computed, so that a batch whose costs are known reaches the writer in one turn. */
const commandsOf = (asks: readonly Ask[]): (Command | Error)[] | Promise<(Command | Error)[]> => {
  const made = asks.map((ask) => ask())
  if (!made.some((command) => command instanceof Promise)) return made as (Command | Error)[]
  return Promise.all(
    made.map((command) => (command instanceof Promise ? command.catch((error: Error) => error) : command)),
  )
}

/** Not the last word: costs are missing since the policies changed, or the same request is being written. */
const isPassing = (answer: Answer | Error): answer is Exclude<Answer, Outcome> =>
  !(answer instanceof Error) && answer.kind !== 'answered' && answer.kind !== 'rejected'

const isCountAlone = (wire: unknown): boolean =>
  typeof wire === 'object' && wire !== null && Object.keys(wire).join() === 'count'

const noReservation = (id: string, actor: Actor): Rejection =>
  reject('NOT_FOUND', `source ${JSON.stringify(actor.source)} has no reservation ${JSON.stringify(id)}`)

const unsettled = (): LedgerError =>
  new LedgerError('BUSY', `the policies changed ${MOST_TRIES} times while this request was decided`, {
    retry: 'now',
    hint: 'send the same request again',
  })
