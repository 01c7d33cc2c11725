import type { LedgerError } from '../ledger/errors.js'
import type { SteadyProducer } from './steady-producer.js'
import type { OutgoingMessage } from './wire-message.js'

/**
 * Keeps messages that nobody could account. Whoever buries one waits until it is acknowledged, and records it then: a crash
 * between the two leaves one copy too many, never one too few.
 */
export class DeadLetter {
  #last: Promise<unknown> = Promise.resolve()

  constructor(
    /** Whole name of the topic. */
    private readonly topic: string,
    private readonly producer: SteadyProducer,
  ) {}

  /** Resolves when the topic has the message; callers are served in turn. Rejects with `SHUTTING_DOWN` alone. */
  async bury(message: OutgoingMessage): Promise<void> {
    const turn = this.#last.then(() => this.producer.insist({ topic: this.topic, messages: [message] }))
    // Whoever comes next has a send of its own, whatever became of this one.
    this.#last = turn.catch(() => undefined)
    await turn
  }

  /** When the send began that is not acknowledged yet, on the producer's clock. */
  get waitingSince(): number | undefined {
    return this.producer.waitingSince
  }

  /** Why it goes no further now. */
  get trouble(): LedgerError | undefined {
    return this.producer.trouble
  }

  async stop(): Promise<void> {
    await this.producer.stop()
    await this.#last
  }
}
