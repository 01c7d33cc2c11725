import type { KafkaMessage } from 'kafkajs'
import type { Ingest, IngestOutcome } from '../application/ingest.js'
import type { Answered } from '../budget/decider.js'

/** Why a message cannot be decided now; it is tried again. */
export interface Wait {
  readonly code: string
  readonly detail: string
}

/** How far a list of messages was handled: the first `done` of them; a wait says why not further. */
export interface Handled {
  readonly done: number
  readonly wait?: Wait
}

export interface HandlerParts {
  /** What a message asks for, whatever it looks like; never throws. */
  readonly read: (message: KafkaMessage, partition: number) => Ingest
  readonly ingest: (items: readonly Ingest[]) => Promise<readonly IngestOutcome[]>
  /** Keeps a message that nobody could account; resolves when the dead-letter topic has it. */
  readonly bury: (message: KafkaMessage, item: Quarantine) => Promise<void>
  /** The report that a rejection makes unaccountable, as something to quarantine. */
  readonly quarantineOf: (message: KafkaMessage, item: Ingest, rejected: Rejected) => Quarantine
  /** Sends the first answer again; resolves when the decisions topic has it. */
  readonly repeat: (answers: readonly Answered[]) => Promise<void>
}

export type Quarantine = Extract<Ingest, { readonly request: 'quarantine' }>
export type Rejected = Extract<IngestOutcome, { readonly kind: 'report-rejected' }>

/** What became of messages, since the process began. */
export interface HandlerCounts {
  readonly decided: number
  /** Asked again with the same id: the first answer was sent again. */
  readonly repeated: number
  /** Came again with an offset that the ledger has applied. */
  readonly redelivered: number
  readonly quarantined: number
}

/**
 * Takes messages of one partition through the ledger, in order, as one group. Each meets one of three fates: it is
 * decided (an invalid request too), its first answer is sent again, or it is quarantined: on the dead-letter topic first,
 * then in a record, so that a crash between the two leaves one copy too many and never one too few.
 */
export class MessageHandler {
  readonly #counts = { decided: 0, repeated: 0, redelivered: 0, quarantined: 0 }
  /** Messages that are buried, but wait for their record behind others: a retry does not bury them again. */
  readonly #buried = new Set<string>()

  constructor(private readonly parts: HandlerParts) {}

  get counts(): HandlerCounts {
    return { ...this.#counts }
  }

  async handle(messages: readonly KafkaMessage[], partition: number): Promise<Handled> {
    const items = messages.map((message) => this.parts.read(message, partition))
    for (const [index, item] of items.entries()) await this.#bury(messages[index] as KafkaMessage, item, partition)
    for (let done = 0; done < items.length; ) {
      const outcomes = await this.parts.ingest(items.slice(done))
      const reached = outcomes.findIndex(({ kind }) => !FINAL.has(kind))
      const final = reached < 0 ? outcomes : outcomes.slice(0, reached)
      await this.#count(final)
      for (const message of messages.slice(done, done + final.length)) this.#forget(message, partition)
      done += final.length
      const stop = outcomes[final.length]
      const message = messages[done]
      const item = items[done]
      if (stop === undefined || message === undefined || item === undefined) continue
      if (stop.kind === 'waiting') return { done, wait: { code: stop.code, detail: stop.detail } }
      if (stop.kind !== 'report-rejected') continue
      items[done] = this.parts.quarantineOf(message, item, stop)
      await this.#bury(message, items[done] as Ingest, partition)
    }
    return { done: items.length }
  }

  async #bury(message: KafkaMessage, item: Ingest, partition: number): Promise<void> {
    const place = placeOf(message, partition)
    if (item.request !== 'quarantine' || this.#buried.has(place)) return
    await this.parts.bury(message, item)
    this.#buried.add(place)
  }

  #forget(message: KafkaMessage, partition: number): void {
    if (this.#buried.delete(placeOf(message, partition))) this.#counts.quarantined++
  }

  async #count(outcomes: readonly IngestOutcome[]): Promise<void> {
    const repeated: Answered[] = []
    for (const outcome of outcomes) {
      if (outcome.kind === 'decided') this.#counts.decided++
      else if (outcome.kind === 'passed') this.#counts.redelivered++
      else if (outcome.kind === 'repeated') repeated.push(outcome.answered)
    }
    this.#counts.repeated += repeated.length
    if (repeated.length > 0) await this.parts.repeat(repeated)
  }
}

/** Another message may get the same offset, where the topic is made anew meanwhile. */
const placeOf = ({ offset, timestamp }: KafkaMessage, partition: number): string =>
  `${partition} ${offset} ${timestamp}`

const FINAL: ReadonlySet<IngestOutcome['kind']> = new Set(['decided', 'repeated', 'passed'])
