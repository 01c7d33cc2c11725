import type { Block, Position } from '../ledger/block.js'
import type { Context, Decider, Decision, Receipt } from '../ledger/decider.js'
import { askerOf } from './authority.js'
import type { Command } from './commands.js'
import type { CostsNeeded, InFlight, Passed, Prior, Rejection, Verdict } from './context.js'
import { decide } from './decide.js'
import { Draft } from './draft.js'
import type { BudgetEvent, SpendPart } from './events.js'
import { evolve } from './evolve.js'
import type { BudgetState, KeyFamily } from './state.js'
import { chargedWhole } from './undecided.js'

/** What became of a command. */
export type Answer = Answered | Rejection | CostsNeeded | InFlight | Passed

/** Recorded now, or (`replayed`) recorded before by the same request. */
export interface Answered {
  readonly kind: 'answered'
  readonly event: BudgetEvent
  readonly parts: readonly SpendPart[]
  readonly receipt: Receipt
  readonly replayed: boolean
}

/** What the decider needs of the world around it. */
export interface DeciderParts {
  readonly state: BudgetState
  readonly ledger: string
  /** The record with this number and the parts before it, from the log; undefined past its end. */
  readonly priorAt: (seq: number) => Promise<Prior | undefined>
  /** Evolves the committed state over records that somebody else appended. */
  readonly follow: (block: Block) => void
  /** Called when a batch is durable and the state shows it. */
  readonly committed: (position: Position) => void
}

/** Lets the ledger's writer decide budgets: reads priors ahead, decides on a draft, commits it when it is durable. */
export class BudgetDecider implements Decider<Command, Answer> {
  #priors = new Map<Command, Prior>()

  constructor(private readonly parts: DeciderParts) {}

  async prepare(commands: readonly Command[]): Promise<void> {
    this.#priors = new Map()
    for (const command of commands) {
      const key = keyOf(command)
      if (key === undefined) continue
      for (const seq of this.parts.state.candidates(...key)) {
        const prior = await this.parts.priorAt(seq)
        if (prior !== undefined && answers(prior, key)) this.#priors.set(command, prior)
      }
    }
  }

  draft() {
    const draft = new Draft(this.parts.state)
    return {
      decide: (command: Command, context: Context) => this.#decide(draft, command, context),
      commit: (position: Position) => {
        draft.commit()
        this.parts.committed(position)
      },
    }
  }

  follow(block: Block): void {
    this.parts.follow(block)
  }

  #decide(draft: Draft, command: Command, context: Context): Decision<Answer> {
    const verdict = decide(draft, command, { ...context, prior: this.#priors.get(command) })
    const by = askerOf(command.actor)
    const events = verdict.kind === 'recorded' ? verdict.events : []
    for (const [index, event] of events.entries()) {
      evolve(draft, event, { seq: context.seq + index, at: context.at, by, cause: command.cause })
    }
    return {
      events: events.map((event) => ({ type: event.type, v: 1, data: event.data })),
      by,
      cause: command.cause,
      blocks: verdict.kind === 'rejected' || verdict.kind === 'costs-needed' || verdict.kind === 'in-flight',
      answer: (receipt) => this.#answer(verdict, receipt),
    }
  }

  #answer(verdict: Verdict, receipt: Receipt | undefined): Answer {
    if (verdict.kind === 'replayed') {
      const { event, parts, seq, leaf, epoch } = verdict.prior
      return {
        kind: 'answered',
        event,
        parts,
        receipt: { ledger: this.parts.ledger, epoch, seq, leaf },
        replayed: true,
      }
    }
    if (verdict.kind !== 'recorded') return verdict
    const event = verdict.events.at(-1)
    if (event === undefined || receipt === undefined) return { kind: 'in-flight' }
    const parts = verdict.events.flatMap((part) => (part.type === 'SpendPart' ? [part.data] : []))
    return { kind: 'answered', event, parts, receipt, replayed: false }
  }
}

/** Where the answer to the same request would be remembered. */
const keyOf = (command: Command): readonly [family: KeyFamily, source: string, id: string] | undefined => {
  switch (command.kind) {
    case 'spend':
    case 'report':
    case 'reserve':
      return ['request', command.request.attributes.source, command.request.id]
    case 'settle':
    case 'release':
      return ['close', command.actor.source, command.id]
    default:
      return undefined
  }
}

/** A candidate is only that: the record has to name this very source and id, in this family. */
const answers = (prior: Prior, [family, source, id]: readonly [KeyFamily, string, string]): boolean => {
  const { type, data } = prior.event
  const whole = type === 'SpendReported' && chargedWhole(data)
  const closes = type === 'ReservationSettled' || type === 'ReservationReleased' || type === 'ReservationExpired'
  if ((closes !== (family === 'close') && !whole) || type === 'SpendPart' || !('id' in data) || !('source' in data))
    return false
  return data.source === source && data.id === id
}
