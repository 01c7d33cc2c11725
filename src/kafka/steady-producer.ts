import { endWithin, pause } from '../application/pause.js'
import { LedgerError } from '../ledger/errors.js'
import { kafkaError } from './kafka-error.js'
import type { Acknowledged, Outgoing, Sender } from './sender.js'

export interface SteadyProducerParts {
  readonly open: () => Sender
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
  /** Milliseconds after which a try without any end is given up, 60,000 where nothing is said: the client library may lose track of an answer. */
  readonly attemptMs?: number
  /** Milliseconds before the first repeated try, 100 where nothing is said; doubled up to ten times as much. */
  readonly pauseMs?: number
}

/** The most messages of one send: the client library takes time that grows with the square of their number. */
export const MOST_MESSAGES = 1_000

/**
 * Sends to one topic, one send at a time, and the identical one again after a failure, however long that lasts. So nothing
 * that was acknowledged is missing, and messages stand in the order of their sends, except that any may stand there again:
 * a try whose answer was lost was written all the same.
 */
export class SteadyProducer {
  readonly #parts: SteadyProducerParts
  #stopped = false
  /** Ends the waiting of the try, or of the pause, that is under way. */
  #waiting = new AbortController()
  #sender: Sender | undefined
  #began: number | undefined
  #trouble: LedgerError | undefined

  constructor(parts: SteadyProducerParts) {
    this.#parts = parts
  }

  /**
   * Resolves when all messages are acknowledged. Rejects where the same again would be refused again (`retry` is `never`:
   * `MESSAGE_TOO_LARGE`, `KAFKA_FORBIDDEN`, `KAFKA_LOGIN_FAILED`, `KAFKA_REFUSED`), and with `SHUTTING_DOWN` after
   * {@link stop}: then any of them may be there. Throws where a send is under way, or has more than 1,000 messages.
   */
  async send(outgoing: Outgoing): Promise<Acknowledged> {
    if (this.#began !== undefined) throw new RangeError('a send is under way: the next has to wait for it')
    if (outgoing.messages.length === 0 || outgoing.messages.length > MOST_MESSAGES) {
      throw new RangeError(`a send has 1 to ${MOST_MESSAGES} messages, not ${outgoing.messages.length}`)
    }
    this.#began = this.#parts.now()
    try {
      return await this.#untilAcknowledged(outgoing)
    } finally {
      this.#began = undefined
    }
  }

  /**
   * As {@link send}, but what was refused is sent again too, every few seconds: whoever sees the {@link trouble} may raise a
   * limit or grant a right while this process runs.
   */
  async insist(outgoing: Outgoing): Promise<Acknowledged> {
    for (;;) {
      try {
        return await this.send(outgoing)
      } catch (error) {
        if (!(error instanceof LedgerError) || error.retry !== 'never') throw error
        await pause((this.#parts.pauseMs ?? PAUSE_MS) * PAUSES_AFTER_REFUSAL, this.#wait().signal)
      }
    }
  }

  /** When the send began that is not acknowledged yet, on the clock of the parts. */
  get waitingSince(): number | undefined {
    return this.#began
  }

  /** Why the last try failed; undefined once a send was acknowledged again. */
  get trouble(): LedgerError | undefined {
    return this.#trouble
  }

  /** A send that is under way is given up. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#waiting.abort()
    await this.#drop()
  }

  async #untilAcknowledged(outgoing: Outgoing): Promise<Acknowledged> {
    const { pauseMs = PAUSE_MS } = this.#parts
    for (let failures = 0; ; failures++) {
      if (this.#stopped) throw shuttingDown(outgoing)
      const result = await this.#try(outgoing)
      if (!(result instanceof LedgerError)) {
        this.#trouble = undefined
        return result
      }
      this.#trouble = result
      if (result.retry === 'never') throw result
      // Its connections may be of no use any more, and what it remembers of the brokers may be wrong.
      if (failures % TRIES_OF_ONE_SENDER === TRIES_OF_ONE_SENDER - 1) await this.#drop()
      await pause(Math.min(pauseMs * 2 ** failures, pauseMs * 10), this.#wait().signal)
    }
  }

  async #try(outgoing: Outgoing): Promise<Acknowledged | LedgerError> {
    const { open, attemptMs = 60_000 } = this.#parts
    const waiting = this.#wait()
    try {
      this.#sender ??= open()
      return await Promise.race([this.#sender.send(outgoing), noAnswer(attemptMs, waiting.signal)])
    } catch (error) {
      const known = kafkaError(error, `sending to ${outgoing.topic}`)
      if (known.code === 'KAFKA_FAILED' || known.retry === 'never') await this.#drop()
      return known
    } finally {
      waiting.abort()
    }
  }

  #wait(): AbortController {
    if (!this.#stopped) this.#waiting = new AbortController()
    return this.#waiting
  }

  /** A sender that hangs must not hold up its successor: what it still writes is a repeat. */
  async #drop(): Promise<void> {
    const sender = this.#sender
    this.#sender = undefined
    if (sender !== undefined) await endWithin(CLOSE_MS, sender.close())
  }
}

const TRIES_OF_ONE_SENDER = 5
const PAUSE_MS = 100
const PAUSES_AFTER_REFUSAL = 50
const CLOSE_MS = 1_000

const noAnswer = async (ms: number, cancel: AbortSignal): Promise<never> => {
  await pause(ms, cancel)
  throw new Error(`there was no answer within ${ms} ms`)
}

const shuttingDown = ({ topic, messages }: Outgoing): LedgerError =>
  new LedgerError('SHUTTING_DOWN', `${topic}: ${messages.length} messages were given up, and may or may not be there`, {
    retry: 'after-restart',
    hint: 'The next start sends them again.',
  })
