import type { CostsOf } from '../accounting/cost.js'
import { AccountingError } from '../accounting/errors.js'
import { PLANNED_ROWS } from '../accounting/orders.js'
import { answerOf } from '../budget/answer.js'
import type { Actor, Command } from '../budget/commands.js'
import type { Prior, Rejection } from '../budget/context.js'
import type { Answer, Answered } from '../budget/decider.js'
import { type Estimate, estimate } from '../budget/estimate.js'
import { plannedIn } from '../budget/policy-request.js'
import { parseRequest, type RequestKind } from '../budget/request.js'
import type { PartitionOffset } from '../budget/state.js'
import { LedgerError } from '../ledger/errors.js'
import type { Cause, JsonObject } from '../ledger/record.js'
import type { Writer } from '../ledger/writer.js'
import { type Ask, Asking, type AskingParts } from './asking.js'
import { groupsOf } from './groups.js'
import { type Ingest, Ingestion, type IngestOutcome } from './ingest.js'
import { inLanes } from './lanes.js'
import { isPassing, MOST_TRIES, unsettled } from './tries.js'

/** What became of a request: recorded (now or before), or refused without a record. */
export type Outcome = Answered | Rejection

export interface LedgerParts extends AskingParts {
  readonly writer: Writer<Command, Answer>
  /** The instant that a batch would get now. */
  readonly at: () => string
  /** Takes in what other instances have appended up to now; undefined where there are none. */
  readonly refresh?: () => Promise<void>
}

/**
 * The way in for everything that charges budgets, whichever edge it comes from: reads the request, has its costs
 * computed, and lets the writer decide it.
 */
export class Ledger {
  readonly #asking: Asking
  readonly #ingestion: Ingestion

  constructor(private readonly parts: LedgerParts) {
    this.#asking = new Asking(parts)
    const asking: Pick<Asking, 'request' | 'release' | 'settle'> = {
      request: (...asked) => this.#asking.request(...asked),
      release: (...asked) => this.#asking.release(...asked),
      settle: (...asked) => this.#settling(...asked),
    }
    this.#ingestion = new Ingestion(asking, parts.writer, () => this.#expire())
  }

  /** Spends, reports or reserves. @throws AccountingError for a malformed request: nothing of it is recorded. */
  async request(kind: Exclude<RequestKind, 'estimate'>, wire: unknown, actor: Actor, cause: Cause): Promise<Outcome> {
    return this.#settle(this.#asking.request(kind, wire, actor, cause))
  }

  /** Spends each item on its own, in order; a malformed one fails alone. */
  async requestAll(items: readonly unknown[], actor: Actor, cause: Cause): Promise<readonly (Outcome | Error)[]> {
    const asking = (index: number) => orError(() => this.#asking.request('spend', items[index], actor, cause))
    return this.#settleAll(await inLanes(items.length, asking))
  }

  /**
   * Takes messages of topics in order, each once: no message is decided before every earlier one of the same call has
   * its last word.
   *
   * @returns an outcome for each; after the first that waits, or is a report that cannot be accounted, nothing was
   *   decided. The caller brings those again.
   */
  ingest(items: readonly Ingest[]): Promise<readonly IngestOutcome[]> {
    return this.#ingestion.ingest(items)
  }

  /** Says in the log that messages which caused no record are handled. @throws LedgerError */
  async recordOffsets(offsets: readonly PartitionOffset[]): Promise<void> {
    const asked = { actor: LEDGER, cause: { kind: 'system' } } as const
    const answers = await this.parts.writer.writeAll(
      offsets.map(({ next, ...offset }) => ({ kind: 'record-offsets', ...asked, ...offset, next: String(next) })),
    )
    for (const answer of answers) if (answer instanceof LedgerError) throw answer
  }

  /** An operator charges what a quarantined message had spent, in the name of `source`. @throws AccountingError */
  async chargeQuarantined(
    quarantined: number,
    source: string,
    wire: unknown,
    actor: Actor,
    cause: Cause,
  ): Promise<Outcome> {
    return this.#settle(this.#asking.quarantined(quarantined, source, wire, actor, cause))
  }

  /** What a spend would meet now; changes nothing. */
  async estimate(wire: unknown, actor: Actor): Promise<Estimate | Rejection> {
    const request = parseRequest('estimate', wire, actor.source)
    for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
      const costs = await this.#asking.costsOf(request)
      const result = estimate(this.parts.state, { ...request, costs }, this.parts.at())
      if (result.kind !== 'costs-needed') return result
    }
    throw unsettled()
  }

  /** Settles a reservation of the actor's source: `wire` is a body or `{count}`. */
  async settle(id: string, wire: unknown, actor: Actor, cause: Cause): Promise<Outcome> {
    const command = await this.#settling(id, wire, actor, cause)
    return command.kind === 'rejected' ? command : this.submit(command)
  }

  /** Releases a reservation: nothing was computed or seen. */
  async release(id: string, wire: unknown, actor: Actor, cause: Cause): Promise<Outcome> {
    return this.submit(this.#asking.release(id, wire, actor, cause))
  }

  /** What a policy's planned spend costs, worked out off the thread that decides; undefined where it plans for none. */
  async plannedCosts(wire: unknown): Promise<CostsOf | undefined> {
    const planned = plannedIn(wire)
    if (planned === undefined) return undefined
    const { cost } = await this.parts.costs.costs(planned, PLANNED_ROWS)
    return () => Object.fromEntries(cost)
  }

  /** Hands any other command to the writer. */
  submit(command: Command): Promise<Outcome> {
    return this.#settle(() => command)
  }

  /** The answer that (source, id) got. */
  answered(source: string, id: string): Promise<Prior | undefined> {
    return this.#known(
      () => this.#asking.answered(source, id),
      (prior) => prior !== undefined,
    )
  }

  /** An outcome as callers see it. */
  shown({ event, parts, receipt }: Answered): JsonObject {
    const answer = answerOf(event, parts, receipt, this.parts.state.registry)
    if (answer === undefined) throw new RangeError(`a ${event.type} answers no request`)
    return answer
  }

  /** What settles a reservation, which another instance may have opened a moment ago. */
  #settling(...asked: Parameters<Asking['settle']>): ReturnType<Asking['settle']> {
    return this.#known(
      () => this.#asking.settle(...asked),
      ({ kind }) => kind !== 'rejected',
    )
  }

  /** Nobody is told that something is not there before what another instance wrote a moment ago is taken in. */
  async #known<Result>(look: () => Promise<Result>, isThere: (result: Result) => boolean): Promise<Result> {
    const found = await look()
    if (isThere(found) || this.parts.refresh === undefined) return found
    await this.parts.refresh()
    return look()
  }

  async #settle(ask: Ask): Promise<Outcome> {
    const [outcome] = await this.#settleAll([ask])
    if (outcome === undefined || outcome instanceof Error) throw outcome
    return outcome
  }

  /** Asks until each command has its final answer; those that lack nothing go to the writer in order. */
  async #settleAll(asks: readonly (Ask | Error)[]): Promise<readonly (Outcome | Error)[]> {
    const outcomes: (Outcome | Error)[] = new Array(asks.length)
    let open = asks.map((_, index) => index)
    for (let attempt = 0; attempt < MOST_TRIES && open.length > 0; attempt++) {
      const made = await commandsOf(open.map((index) => asks[index] as Ask | Error))
      const commands = made.filter((command) => !(command instanceof Error)) as readonly Command[]
      if (commands.some((command) => 'request' in command)) this.#expire()
      const answers = (await this.#written(commands)).values()
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

  /**
   * Writes them together, but for those over many units, between which others get their turn. Where the writer takes no
   * more after some of them, that is the answer to the rest.
   */
  async #written(commands: readonly Command[]): Promise<readonly (Answer | Error)[]> {
    const answers: (Answer | Error)[] = []
    for (const some of groupsOf(commands)) {
      const written = this.parts.writer.writeAll(some)
      answers.push(...(answers.length === 0 ? await written : await written.catch((error) => some.map(() => error))))
    }
    return answers
  }

  /** What is overdue is recorded beside the next decision, never by the passing of time alone. */
  #expire(): void {
    if (this.parts.state.overdue(this.parts.at(), 1).length === 0) return
    this.parts.writer.write({ kind: 'expire', actor: LEDGER, cause: { kind: 'system' } }).catch(() => {
      // The same failure meets the command that follows, and is reported there.
    })
  }
}

const LEDGER: Actor = { token: '', role: 'system', source: 'ledger' }

const orError = (ask: () => Ask): Ask | Error => {
  try {
    return ask()
  } catch (error) {
    if (error instanceof AccountingError || error instanceof LedgerError) return error
    throw error
  }
}

const commandsOf = (asks: readonly (Ask | Error)[]): Promise<readonly (Command | Error)[]> =>
  inLanes<Command | Error>(asks.length, (index) => {
    const ask = asks[index] as Ask | Error
    const command = ask instanceof Error ? ask : ask()
    return command instanceof Promise ? command.catch((error: Error) => error) : command
  })
