import { endWithin, pause } from '../application/pause.js'
import type { NotReady } from '../application/service.js'
import { type MessageCounts, type PartitionView, Topics } from '../application/topics.js'
import type { Position } from '../ledger/block.js'
import { LedgerError } from '../ledger/errors.js'
import type { Cause } from '../ledger/record.js'
import type { Standing } from '../recovery/start-check.js'
import { decisionsTail } from './decisions-tail.js'
import { type Lag, lagReason, lagRefusal } from './journal-lag.js'
import type { JournalPublisher } from './journal-publisher.js'
import { kafkaError } from './kafka-error.js'
import { partitionReasons, partitionViews } from './partition-view.js'
import { isShuttingDown, shuttingDown } from './shutting-down.js'
import { openJournal, openTopicEnds, type TopicEnds, type TopicParts } from './topic-ends.js'
import { checkTopics } from './topics.js'

export interface EdgeParts extends TopicParts {
  /** How far the journal has the log; rejects where the two do not fit, or cannot be compared now (`retry` is `now`). */
  readonly standing: () => Promise<Standing>
  /** The same, as far as it is known; nothing is decided before it is. */
  readonly compared: () => Standing | undefined
}

/**
 * A ledger among brokers: spends come in, blocks go to the journal, and decisions follow them. It begins by itself as
 * soon as the brokers can be reached, however long that takes, and so it goes on after every outage.
 */
export class KafkaEdge extends Topics {
  readonly inUse = true
  #running: TopicEnds | undefined
  #journal: JournalPublisher | undefined
  #beginning: Promise<void> = Promise.resolve()
  #trouble: LedgerError | undefined
  readonly #begun = new Begun<JournalPublisher>()
  readonly #taking = new AbortController()
  readonly #publishing = new AbortController()
  /** Everything that can still be sent has been. */
  readonly #sent = new AbortController()
  #stopping: Promise<void> | undefined
  #ended: Promise<void> | undefined

  constructor(private readonly parts: EdgeParts) {
    super()
    // Where nobody waits for the journal, that it never began is no failure of its own.
    this.#begun.promise.catch(() => undefined)
  }

  start(): void {
    this.#beginning = this.#beginUntilBegun()
  }

  async stopTaking(): Promise<void> {
    this.#taking.abort(shuttingDown())
    this.#ended ??= pause(STOP_MS, this.#sent.signal).then(() => this.#end())
    this.#stopping ??= this.#beginning.then(() => this.#running?.consumer.stop()).catch(() => undefined)
    // What still comes is fenced by its offset; waiting longer would only keep the requests of others.
    await Promise.race([this.#stopping, this.#ended])
  }

  async stop(): Promise<void> {
    await this.stopTaking()
    await this.#sendTheRest()
    this.#sent.abort()
    await this.#ended
  }

  /** What is decided goes out before the process ends, where that takes no longer than a moment. */
  async #sendTheRest(): Promise<void> {
    const decisions = this.#running?.decisions
    if (decisions === undefined || decisions.trouble !== undefined) return
    await decisions.reached(this.parts.service.position().seq).catch(() => undefined)
  }

  /** Gives up what brokers have not acknowledged, and whoever waits for that: the next start goes on with it. */
  async #end(): Promise<void> {
    this.#begun.reject(shuttingDown())
    this.#publishing.abort(shuttingDown())
    const stopped = [this.#running?.decisions.stop(), this.#running?.deadLetters.stop(), this.#journal?.stop()]
    await endWithin(LEAVE_MS, Promise.all(stopped))
  }

  /** Resolves once the journal has the records up to a position; undefined where it has them. */
  confirm({ seq }: Pick<Position, 'seq'>): Promise<void> | undefined {
    if (this.#journal !== undefined && this.#journal.position() >= seq) return undefined
    const reached = this.#journal?.reached(seq) ?? this.#begun.promise.then((journal) => journal.reached(seq))
    return reached.catch((error) => {
      throw isShuttingDown(error) ? unconfirmed(seq, error) : error
    })
  }

  tellable(seq: number, cause: Cause): Promise<void> | undefined {
    if (cause.kind !== 'kafka' && this.parts.clients.settings.acknowledge === 'ledger') return undefined
    const confirmed = this.confirm({ seq })
    return confirmed && Promise.race([confirmed, notYet(seq)])
  }

  get group(): string | undefined {
    return this.#running?.group
  }

  partitions(): readonly PartitionView[] {
    const consumer = this.#running?.consumer
    if (consumer === undefined) return []
    const topic = this.parts.clients.topic('spends')
    return partitionViews(topic, consumer, (partition) => this.parts.service.state.offset(topic, partition)?.next ?? 0n)
  }

  counts(): MessageCounts {
    return this.#running?.handler.counts ?? { decided: 0, repeated: 0, redelivered: 0, quarantined: 0 }
  }

  published() {
    return { journal: this.#journal?.position() ?? -1, decisions: this.#running?.decisions.position() ?? -1 }
  }

  /** Why not everything that comes by topics can be decided and published now. */
  readiness(): readonly NotReady[] {
    const lag = this.#lag()
    const behind = lag && lagReason(lag)
    return [...(behind === undefined ? [] : [behind]), ...this.#readiness()]
  }

  /** Why nothing may be decided now: a restored copy would give numbers out twice. */
  refusal(): LedgerError | undefined {
    const lag = this.#lag()
    return lag && lagRefusal(lag)
  }

  /** Undefined while nobody knows what the journal has: then nothing is decided anyway. */
  #lag(): Lag | undefined {
    const compared = this.parts.compared()
    if (compared === undefined) return undefined
    const journalled = this.#journal?.position() ?? compared.journalled?.seq ?? -1
    return { head: this.parts.service.position().seq, journalled }
  }

  #readiness(): readonly NotReady[] {
    if (this.#running === undefined) return [reasonOf(this.#trouble ?? connecting())]
    const { consumer, journal, decisions, deadLetters } = this.#running
    const troubles = [journal, decisions, deadLetters].flatMap(({ trouble }) => trouble ?? [])
    if (consumer.trouble !== undefined) troubles.push(kafkaError(consumer.trouble, 'looking at the spends'))
    if (!consumer.joined) troubles.push(connecting())
    const reasons = new Map(troubles.map((trouble) => [trouble.code, reasonOf(trouble)]))
    return [...reasons.values(), ...partitionReasons(this.parts.clients.topic('spends'), consumer)]
  }

  async #beginUntilBegun(): Promise<void> {
    const { signal } = this.#taking
    while (!signal.aborted) {
      try {
        await this.#begin()
        this.#trouble = undefined
        return
      } catch (error) {
        if (signal.aborted) return
        const known = kafkaError(error, 'beginning with the topics')
        if (known.code !== this.#trouble?.code) this.parts.log(`${known.code}: ${known.message}`)
        this.#trouble = known
      }
      await pause(BEGIN_AGAIN_MS, signal)
    }
  }

  async #begin(): Promise<void> {
    const { clients, service } = this.parts
    const { signal } = this.#taking
    for (const warning of await checkTopics(clients, signal)) this.parts.log(warning)
    const standing = await this.#standing()
    signal.throwIfAborted()
    this.#journal ??= openJournal(this.parts, standing, this.#publishing.signal)
    const { upTo } = await decisionsTail(clients, service.ledgerId, signal)
    signal.throwIfAborted()
    this.#begun.resolve(this.#journal)
    this.#running ??= openTopicEnds(this.parts, this.#journal, upTo, signal)
    await this.#running.consumer.start()
  }

  /** A log and a journal that do not fit will not fit later either. */
  async #standing(): Promise<Standing> {
    try {
      return await this.parts.standing()
    } catch (error) {
      const known = kafkaError(error, 'comparing the log with its journal')
      if (known.retry !== 'now') this.parts.onFatal(known)
      throw known
    }
  }
}

/** A value that is there later, for those who ask before. */
class Begun<Value> {
  resolve: (value: Value) => void = () => {}
  reject: (error: Error) => void = () => {}
  readonly promise = new Promise<Value>((resolve, reject) => {
    this.resolve = resolve
    this.reject = reject
  })
}

/** Whoever asks for an answer that the journal does not have yet is told so after a while. */
const notYet = async (seq: number): Promise<never> => {
  await pause(TELL_MS)
  throw new LedgerError(
    'JOURNAL_BEHIND',
    `the journal does not have record ${seq} yet, so its answer is not given out`,
    {
      retry: 'now',
    },
  )
}

const TELL_MS = 10_000
/** How long what was taken may still need to be decided and sent once the service is told to stop; supervisors kill after 10 s. */
const STOP_MS = 4_000
/** How long connections may take to close, of which nothing depends. */
const LEAVE_MS = 1_500
const BEGIN_AGAIN_MS = 1_000

const reasonOf = ({ code, message, hint }: LedgerError): NotReady => ({
  code,
  detail: hint === undefined ? message : `${message} ${hint}`,
})

const connecting = (): LedgerError =>
  new LedgerError('KAFKA_CONNECTING', 'the brokers are not reached yet, or the consumer has no partitions yet.', {
    retry: 'now',
  })

/** Elsewhere SHUTTING_DOWN says that nothing was recorded, which is not so here. */
const unconfirmed = (seq: number, cause: LedgerError): LedgerError =>
  new LedgerError('APPEND_UNCERTAIN', `the ledger shuts down, and the journal does not have record ${seq} yet`, {
    retry: 'after-restart',
    hint: 'The record is in the log: the same request with the same id gets its answer after the next start.',
    cause,
  })
