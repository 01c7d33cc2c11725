import { pause } from '../application/pause.js'
import type { NotReady } from '../application/service.js'
import type { BudgetState } from '../budget/state.js'
import { LedgerError } from '../ledger/errors.js'
import type { EventStore } from '../ledger/event-store.js'
import {
  type Checked,
  checkAtStart,
  checkWhileRunning,
  type KnownJournal,
  knownJournal,
  type Repair,
  requireKnownJournal,
  type Standing,
} from '../recovery/start-check.js'
import type { KafkaClients } from './client.js'
import { kafkaError } from './kafka-error.js'
import { KafkaTopics } from './kafka-topics.js'
import { checkTopics } from './topics.js'

/** How long a start waits for brokers before it serves reads alone. */
const PATIENCE_MS = 10_000
const PAUSE_MS = 500

/**
 * Nothing is decided before the log was compared with its journal: a copy that lacks a permit would refund it. Where brokers can
 * be reached, the start brings an older copy up to its journal. Where they cannot, the service reads and does not spend,
 * until they can and the log proves to be current; an older copy then ends the process, and its next start repairs it.
 */
export class StartGate {
  readonly #topics: KafkaTopics
  /** What was compared at the start; undefined for a ledger that begins. */
  #checked: Checked | undefined
  #standing: Standing | undefined
  /** What the log says of its journal; undefined for a ledger that begins. */
  #known: KnownJournal | undefined

  constructor(
    private readonly clients: KafkaClients,
    private readonly log: (line: string) => void,
  ) {
    this.#topics = new KafkaTopics(clients, log)
  }

  /** Before the log is read into a state. `ledger` is undefined for a new one, which has no journal yet. */
  async atStart(ledger: string | undefined, store: EventStore, repair: Repair): Promise<void> {
    const until = performance.now() + PATIENCE_MS
    for (;;) {
      try {
        for (const warning of await checkTopics(this.clients)) this.log(warning)
        if (ledger === undefined) return
        this.#checked = { ledger, store, topics: this.#topics }
        this.#standing = await checkAtStart(this.#checked, repair)
        return
      } catch (error) {
        const known = kafkaError(error, 'comparing the log with its journal')
        if (known.retry !== 'now') throw known
        if (performance.now() > until) return this.log(`${known.code}: ${known.message}; ${UNCHECKED}`)
      }
      await pause(PAUSE_MS)
    }
  }

  /** After the log was read into a state, and before anything is decided. @throws LedgerError JOURNAL_REPLACED, JOURNAL_EMPTIED */
  async accept(state: BudgetState, head: number): Promise<void> {
    const known = knownJournal(state, this.#topics.journalName, head)
    this.#known = known
    if (this.#checked === undefined || this.#standing === undefined) return
    // Another instance may have begun the journal since it was looked at, and the log that was read after that may say so.
    if (this.#standing.journalled === undefined) this.#standing = await this.#lookAgain(this.#checked)
    if (this.#standing !== undefined) requireKnownJournal(this.#standing, known)
  }

  /** Undefined where brokers cannot be reached: then it is compared while the service runs. */
  async #lookAgain(checked: Checked): Promise<Standing | undefined> {
    try {
      return await checkWhileRunning(checked)
    } catch (error) {
      const known = kafkaError(error, 'comparing the log with its journal')
      if (known.retry !== 'now') throw known
      this.log(`${known.code}: ${known.message}; ${UNCHECKED}`)
      return undefined
    }
  }

  /** How far the journal has the log. @throws LedgerError where the two do not fit, or cannot be compared now. */
  async standing(ledger: string, store: EventStore): Promise<Standing> {
    if (this.#standing !== undefined) return this.#standing
    const standing = await checkWhileRunning({ ledger, store, topics: this.#topics })
    if (this.#known !== undefined) requireKnownJournal(standing, this.#known)
    this.#standing = standing
    return standing
  }

  /** What {@link standing} gives, once it is known. */
  get compared(): Standing | undefined {
    return this.#standing
  }

  /** Why nothing may be decided yet. */
  refusal(): LedgerError | undefined {
    if (this.#standing !== undefined) return undefined
    return new LedgerError('JOURNAL_UNCHECKED', UNCHECKED, { retry: 'now', hint: 'Bring the brokers back.' })
  }

  readiness(): readonly NotReady[] {
    return this.#standing === undefined ? [{ code: 'JOURNAL_UNCHECKED', detail: UNCHECKED }] : []
  }
}

const UNCHECKED =
  'the log was not compared with its journal yet, so nothing is decided: an older copy would give spent budget back'
