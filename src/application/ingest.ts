import { AccountingError } from '../accounting/errors.js'
import type { Actor, Command } from '../budget/commands.js'
import type { Rejection } from '../budget/context.js'
import type { Answer, Answered } from '../budget/decider.js'
import type { MessageQuarantined, RequestInvalid } from '../budget/events.js'
import { firstUnitOf, nameFrom } from '../budget/names.js'
import {
  invalidRequest,
  isUnavailable,
  isUnkeepable,
  type NamedRequest,
  problemOfRejection,
  problemOfRequest,
  type RequestProblem,
} from '../budget/problems.js'
import { LedgerError } from '../ledger/errors.js'
import type { JsonObject, KafkaCause } from '../ledger/record.js'
import type { Writer } from '../ledger/writer.js'
import type { Asking } from './asking.js'
import { MOST_UNITS_TOGETHER } from './groups.js'
import { inLanes } from './lanes.js'
import { MOST_TRIES, unsettled } from './tries.js'

/** What one message of a topic asks for. `source` is that of its CloudEvent, as the token's source is over HTTP. */
export type Ingest = ChargingMessage | ClosingMessage | InvalidMessage | UnreadableMessage

/** A spend, reservation or report. */
export interface ChargingMessage {
  readonly request: 'spend' | 'reserve' | 'report'
  readonly source: string
  /** The body of the HTTP request of the same name, with the CloudEvent's id as `id`. */
  readonly wire: JsonObject
  readonly cause: KafkaCause
}

export interface ClosingMessage {
  readonly request: 'settle' | 'release'
  readonly source: string
  /** The reservation. */
  readonly id: string
  readonly wire: JsonObject
  readonly cause: KafkaCause
}

/** Asks for permission, but has no body that could be read as the request that it claims to be. */
export interface InvalidMessage {
  readonly request: 'invalid'
  readonly invalid: RequestInvalid
  readonly cause: KafkaCause
}

/** Nobody can account for it. Its bytes lie on the dead-letter topic already. */
export interface UnreadableMessage {
  readonly request: 'quarantine'
  readonly message: MessageQuarantined
  readonly cause: KafkaCause
}

export type IngestOutcome =
  /** Recorded now: accepted, refused, invalid or quarantined. */
  | { readonly kind: 'decided'; readonly answered: Answered }
  /** The same request has its answer from an earlier message or from HTTP. */
  | { readonly kind: 'repeated'; readonly answered: Answered }
  /** The message itself was handled before. */
  | { readonly kind: 'passed' }
  /**
   * A report, or a request that a lost record may have permitted, that can never be accounted: to be kept on the
   * dead-letter topic, then brought again as quarantined.
   */
  | { readonly kind: 'report-rejected'; readonly rejection: RequestProblem }
  /** Not now: to be brought again later. */
  | { readonly kind: 'waiting'; readonly code: string; readonly detail: string }
  /** An earlier message of the call waits, or is a rejected report. */
  | { readonly kind: 'not-reached' }

type Stop = Extract<IngestOutcome, { readonly kind: 'report-rejected' | 'waiting' }>

/** The most commands that go to the writer at once, and how many go at least, where there are so many. */
const MOST_AT_ONCE = 5_000
const FEWEST_AT_ONCE = 8

/** Brings messages to the writer in their order, and asks again what could not be decided at the first time. */
export class Ingestion {
  /** Commands of items that were made and not decided yet: a call that goes no further is brought again from there. */
  #made = new WeakMap<Ingest, Command>()
  /** What goes to the writer at once now: twice what went through where something stopped it, so that all is linear. */
  #most = MOST_AT_ONCE

  constructor(
    private readonly asking: Pick<Asking, 'request' | 'release' | 'settle'>,
    private readonly writer: Writer<Command, Answer>,
    /** Records what is overdue beside the next decision. */
    private readonly expire: () => void,
  ) {}

  /** An outcome for each item. */
  async ingest(items: readonly Ingest[]): Promise<readonly IngestOutcome[]> {
    const outcomes: IngestOutcome[] = []
    let fruitless = 0
    while (outcomes.length < items.length) {
      const { tried, decided, stop } = await this.#round(items.slice(outcomes.length, outcomes.length + this.#most))
      outcomes.push(...decided)
      this.#most = nextMost(this.#most, tried, decided.length)
      fruitless = decided.length > 0 ? 0 : fruitless + 1
      const end = stop ?? (fruitless === MOST_TRIES ? waiting(unsettled()) : undefined)
      if (end === undefined) continue
      outcomes.push(end)
      while (outcomes.length < items.length) outcomes.push({ kind: 'not-reached' })
    }
    return outcomes
  }

  /** Decides as many of the items as go, from the first on; neither decided nor stopped is what has to be asked again. */
  async #round(items: readonly Ingest[]): Promise<Round> {
    const made = await this.#commands(items)
    const tried = made.length
    const commands = made.filter((command): command is Command => 'actor' in command)
    const answers = await this.#write(commands)
    const decided: IngestOutcome[] = []
    for (const [index, answer] of answers.entries()) {
      const outcome = await this.#outcome(items[index] as Ingest, answer)
      if (outcome === undefined) {
        // What lacks costs now was made under other policies, and so were those after it.
        if ('kind' in answer && answer.kind === 'costs-needed') this.#made = new WeakMap()
        return { tried, decided }
      }
      if (isStop(outcome)) return { tried, decided, stop: outcome }
      decided.push(outcome)
    }
    const stop = made[decided.length]
    return stop === undefined || 'actor' in stop ? { tried, decided } : { tried, decided, stop }
  }

  /** The answers of the first commands: where all are more than may wait, of fewer. */
  async #write(commands: readonly Command[]): Promise<readonly (Answer | LedgerError)[]> {
    if (commands.some((command) => 'request' in command)) this.expire()
    try {
      return await this.writer.writeInOrder(commands)
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error
      if (error.code !== 'BUSY' || commands.length === 1) return [error]
      return this.#write(commands.slice(0, Math.ceil(commands.length / 2)))
    }
  }

  /** The commands of the first items: up to one that stops, that one included, or that has to be looked at afterwards. */
  #commands(items: readonly Ingest[]): Promise<readonly (Command | Stop)[]> {
    return inLanes<Command | Stop>(
      together(items),
      (index) => this.#kept(items[index] as Ingest),
      (command) => !('actor' in command),
    )
  }

  #kept(item: Ingest): Command | Stop | Promise<Command | Stop> {
    const kept = this.#made.get(item)
    if (kept !== undefined) return kept
    const made = this.#command(item)
    return made instanceof Promise ? made.then((command) => this.#keep(item, command)) : this.#keep(item, made)
  }

  #keep(item: Ingest, command: Command | Stop): Command | Stop {
    if ('actor' in command) this.#made.set(item, command)
    return command
  }

  #command(item: Ingest): Command | Stop | Promise<Command | Stop> {
    try {
      const command = this.#asked(item)
      return command instanceof Promise ? command.catch((error) => unmade(item, error)) : command
    } catch (error) {
      return unmade(item, error)
    }
  }

  /** @throws AccountingError, and what the computation of costs throws. */
  #asked(item: Ingest): Command | Promise<Command | Stop> {
    const { cause } = item
    switch (item.request) {
      case 'quarantine':
        return { kind: 'quarantine', actor: LEDGER, cause, message: item.message }
      case 'invalid':
        return { kind: 'invalid', actor: emitterOf(item.invalid), cause, invalid: item.invalid }
      case 'settle':
        return this.asking
          .settle(item.id, item.wire, emitterFrom(item), cause)
          .then((command) => (command.kind === 'rejected' ? unsettleable(item, command) : command))
      case 'release':
        return this.asking.release(item.id, item.wire, emitterFrom(item), cause)
      default:
        return this.asking.request(item.request, item.wire, emitterFrom(item), cause)()
    }
  }

  /** What an answer means for its message; undefined where it is not the last word. */
  async #outcome(item: Ingest, answer: Answer | LedgerError): Promise<IngestOutcome | undefined> {
    if (answer instanceof LedgerError) return this.#failed(item, answer)
    switch (answer.kind) {
      case 'answered':
        return { kind: answer.replayed ? 'repeated' : 'decided', answered: answer }
      case 'passed':
        return answer
      case 'rejected':
        return isUnavailable(answer.code)
          ? { kind: 'waiting', code: answer.code, detail: answer.detail }
          : { kind: 'report-rejected', rejection: problemOfRejection(answer) }
      default:
        return undefined
    }
  }

  /** A request that no record can hold is invalid for ever; everything else may pass. */
  async #failed(item: Ingest, error: LedgerError): Promise<IngestOutcome | undefined> {
    if (!isUnkeepable(error)) return waiting(error)
    const problem = { status: 422, code: 'INVALID', detail: error.message }
    if (!asksForPermission(item)) return { kind: 'report-rejected', rejection: problem }
    const [answer] = await this.#write([invalid(item, problem)])
    return answer === undefined || (answer instanceof LedgerError && isUnkeepable(answer))
      ? waiting(error)
      : this.#outcome(item, answer)
  }
}

/** How many of the items can be decided before anything has become of the first. */
const together = (items: readonly Ingest[]): number => {
  const asked = new Set<string>()
  const reserving = new Set<string>()
  let units = 0
  const end = items.findIndex((item, index) => {
    if ('wire' in item) {
      const name = nameOf(namesIn(item))
      const asking = `${'id' in item ? 'close' : 'request'} ${name}`
      // The same once more has the answer of the first, which is told from its record alone.
      if (asked.has(asking)) return true
      asked.add(asking)
      // What it settles is known only when the reservation before it has its record.
      if (item.request === 'settle' && reserving.has(name)) return true
      if (item.request === 'reserve') reserving.add(name)
    }
    units += unitsIn(item)
    return index > 0 && units > MOST_UNITS_TOGETHER
  })
  return end === -1 ? items.length : end
}

const nextMost = (most: number, tried: number, decided: number): number =>
  decided === tried ? Math.min(MOST_AT_ONCE, 2 * most) : Math.max(FEWEST_AT_ONCE, Math.min(most, 2 * decided))

const unitsIn = (item: Ingest): number => {
  const units = 'wire' in item ? (item.wire as { readonly units?: unknown }).units : undefined
  return Array.isArray(units) ? units.length : 1
}

interface Round {
  /** How many items it was about. */
  readonly tried: number
  readonly decided: readonly IngestOutcome[]
  readonly stop?: Stop
}

const isStop = (outcome: IngestOutcome): outcome is Stop =>
  outcome.kind === 'waiting' || outcome.kind === 'report-rejected'

/** Why there is no command: the item can never be one, or its costs could not be computed now. */
const unmade = (item: Ingest, error: unknown): Command | Stop => {
  if (error instanceof AccountingError) {
    const problem = problemOfRequest(error)
    if (asksForPermission(item)) return invalid(item, problem)
    return { kind: 'report-rejected', rejection: problem }
  }
  if (error instanceof LedgerError) return waiting(error)
  throw error
}

/** A reservation that nobody knows; lost records may have opened it. */
const unsettleable = (item: ClosingMessage, rejection: Rejection): Command | Stop => {
  const problem = problemOfRejection(rejection)
  if (rejection.mayHaveRun) return { kind: 'report-rejected', rejection: problem }
  return invalidCommand(item.request, item, problem, item.cause)
}

/** A request that can never be decided; its body may be anything. */
const invalid = (item: PermissionMessage, problem: RequestProblem): Command =>
  invalidCommand(item.request, { ...namesIn(item), unit: firstUnitOf(item.wire) }, problem, item.cause)

const invalidCommand = (
  asked: RequestInvalid['request'],
  names: NamedRequest,
  problem: RequestProblem,
  cause: KafkaCause,
): Command => {
  const invalid = invalidRequest(asked, names, problem)
  return { kind: 'invalid', actor: emitterOf(invalid), cause, invalid }
}

type PermissionMessage = (ChargingMessage | ClosingMessage) & { readonly request: RequestInvalid['request'] }

const asksForPermission = (item: Ingest): item is PermissionMessage =>
  item.request !== 'report' && item.request !== 'quarantine' && item.request !== 'invalid'

/** Whose request a message is, as far as it says. */
export const namesIn = (item: ChargingMessage | ClosingMessage): Pick<NamedRequest, 'source' | 'id'> => ({
  source: item.source,
  id: 'id' in item ? item.id : idIn(item.wire),
})

const idIn = (wire: unknown): string => {
  const { id } = (typeof wire === 'object' && wire !== null ? wire : {}) as { readonly id?: unknown }
  return typeof id === 'string' ? id : ''
}

/** The topic's access list is the guard that a token is over HTTP. */
const emitterOf = ({ source }: { readonly source: string }): Actor => ({ token: '', role: 'emitter', source })

/** @throws AccountingError for a source that no token could have. */
const emitterFrom = ({ source }: { readonly source: string }): Actor =>
  emitterOf({ source: nameFrom(source, '/source') })

const LEDGER: Actor = { token: '', role: 'system', source: 'ledger' }

const waiting = ({ code, message }: LedgerError): Stop => ({ kind: 'waiting', code, detail: message })

const nameOf = ({ source, id }: { readonly source: string; readonly id: string }): string => `${source}\0${id}`
