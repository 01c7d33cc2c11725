import { randomUUID } from 'node:crypto'
import type { Batch, Consumer, ConsumerCrashEvent, EachBatchPayload, KafkaMessage } from 'kafkajs'
import type { TopicOffset } from '../budget/state.js'
import { LedgerError } from '../ledger/errors.js'
import { isClientError } from './client.js'
import { comparable, type Ends, exchanged, type LostRange, lossByEnds, START } from './lost-range.js'
import type { MessageHandler } from './message-handler.js'
import { OwnedPartition } from './partition.js'

export interface ConsumerParts {
  readonly topic: string
  readonly consumer: Consumer
  /** Whether this ledger is told to take a partition. */
  readonly takes: (partition: number) => boolean
  /** Up to where the ledger has applied a partition. */
  readonly applied: (partition: number) => TopicOffset | undefined
  /** How often two people have agreed where a partition goes on. */
  readonly resets: (partition: number) => number
  readonly ends: () => Promise<ReadonlyMap<number, Ends>>
  /** Digest of the message at an offset, read now; undefined where there is none that can be read. */
  readonly digestAt: (partition: number, offset: bigint) => Promise<string | undefined>
  readonly digestOf: (message: KafkaMessage) => string
  readonly handler: MessageHandler
  /** Records that all messages below `next` are handled. */
  readonly recordOffsets: (partition: number, next: bigint, digest: string | null) => Promise<void>
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
  /** Consuming cannot go on in this process. */
  readonly onFatal: (error: LedgerError) => void
  readonly log: (line: string) => void
}

/** A group of its own for every start: members of an older start would hold partitions until their session ends. */
export const groupOf = (prefix: string, ledger: string): string => `${prefix}-${ledger}-${randomUUID()}`

const TICK_MS = 250
const WAIT_MS = 1_000
const ENDS_EVERY_MS = 5_000
/** Offsets of messages without a record are recorded after so many of them, or so long. */
const MOST_AHEAD = 10_000n
const LONGEST_AHEAD_MS = 10_000

/**
 * Reads the spends of a topic from where the ledger itself stands, never from where a group does.
 *
 * A join pauses every partition and seeks it in the same turn; a partition runs once its ends and its last applied
 * message are what the ledger knows. Nothing is committed to the group. Every batch is checked again for the place it
 * was fetched from, since a client resets silently where an offset is out of range.
 */
export class SpendConsumer {
  #owned = new Map<number, OwnedPartition>()
  /** What the topic has, when last seen. */
  #ends: ReadonlyMap<number, Ends> = new Map()
  /** The partitions that there were to give away at the last join; one that was added since is nobody's before the next. */
  #givenAway: ReadonlySet<number> | undefined
  /** The partitions that another member had when that was logged last. */
  #saidElsewhere = ''
  /** Goes up with every join: what an older one has begun is over. */
  #generation = 0
  #ticker: NodeJS.Timeout | undefined
  #ticking: Promise<void> | undefined
  #endsAt = Number.NEGATIVE_INFINITY
  #joined = false
  #stopped = false
  #trouble: Error | undefined

  constructor(private readonly parts: ConsumerParts) {}

  async start(): Promise<void> {
    const { consumer, topic } = this.parts
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => this.#join(payload.memberAssignment[topic] ?? []))
    consumer.on(consumer.events.CRASH, (event) => this.#crashed(event))
    consumer.on(consumer.events.START_BATCH_PROCESS, ({ payload }) => this.#passHidden(payload))
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 8,
      eachBatch: (payload) => this.#eachBatch(payload),
    })
    this.#ticker = setInterval(() => this.#tick(), TICK_MS)
  }

  /** Takes no more messages; what is in flight is finished. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#ticker)
    await this.#ticking
    await this.parts.consumer.disconnect()
  }

  /** Whether the group has given this member its partitions. */
  get joined(): boolean {
    return this.#joined
  }

  /** Why the topic could not be looked at lately; it is tried again. */
  get trouble(): Error | undefined {
    return this.#trouble
  }

  /** The partitions that this member has and takes, in order. */
  partitions(): readonly OwnedPartition[] {
    return [...this.#owned.values()].sort((one, other) => one.number - other.number)
  }

  /** Partitions that this ledger is told to take, and that another member of its group has, with their ends. */
  elsewhere(): readonly (readonly [partition: number, ends: Ends])[] {
    if (!this.#joined) return []
    return [...this.#ends]
      .filter(([partition]) => this.#givenAway?.has(partition) && this.parts.takes(partition))
      .filter(([partition]) => !this.#owned.has(partition))
      .sort(([one], [other]) => one - other)
  }

  /** Must not await: a seek is right only in the turn of the join. */
  #join(assigned: readonly number[]): void {
    this.#generation++
    this.#joined = true
    this.#givenAway = undefined
    this.#owned = new Map()
    for (const number of assigned) {
      this.#pause(number)
      if (!this.parts.takes(number)) continue
      const owned = this.#anew(number)
      this.#owned.set(number, owned)
      this.#seek(number, owned.position)
    }
    this.#endsAt = Number.NEGATIVE_INFINITY
  }

  async #eachBatch(payload: EachBatchPayload): Promise<void> {
    try {
      await this.#handle(payload)
    } catch (error) {
      // Kafka's own errors (a rebalance, a lost session) belong to the client, which joins again.
      if (isClientError(error) || this.#stopped) throw error
      this.#fail(error)
    }
  }

  async #handle({ batch, resolveOffset, heartbeat, isRunning, isStale }: EachBatchPayload): Promise<void> {
    const owned = this.#owned.get(batch.partition)
    if (owned === undefined || owned.standing.kind !== 'running' || !isRunning() || isStale()) return
    const fetched = fetchedFrom(batch)
    const reset = resetTo(fetched, BigInt(batch.highWatermark), owned.position)
    if (reset !== undefined) return this.#lose(owned, reset)
    // The client went back by itself: this may be another topic of the same name.
    if (fetched < owned.position) return this.#recheck(owned)
    owned.high = BigInt(batch.highWatermark)
    const messages = batch.messages.filter(({ offset }) => BigInt(offset) >= owned.position)
    const { done, wait } = await this.parts.handler.handle(messages, batch.partition)
    const last = messages[done - 1]
    if (last !== undefined) owned.advance(BigInt(last.offset) + 1n, this.parts.digestOf(last))
    if (wait === undefined) owned.advance(BigInt(batch.lastOffset()) + 1n, null)
    if (this.#owned.get(batch.partition) !== owned || isStale()) return
    resolveOffset(String(owned.position - 1n))
    if (wait !== undefined) this.#wait(owned, wait)
    await heartbeat()
  }

  /** A batch of nothing but what no reader is shown: marks of transactions, and messages of aborted ones. */
  #passHidden({ partition, batchSize, firstOffset, lastOffset }: HiddenBatch): void {
    const owned = this.#owned.get(partition)
    if (batchSize > 0 || firstOffset === null || owned?.standing.kind !== 'running') return
    if (BigInt(firstOffset) <= owned.position) owned.advance(BigInt(lastOffset) + 1n, null)
  }

  #wait(owned: OwnedPartition, { code, detail }: { readonly code: string; readonly detail: string }): void {
    owned.standing = { kind: 'waiting', until: this.parts.now() + WAIT_MS, code, detail }
    this.#pause(owned.number)
  }

  #recheck(owned: OwnedPartition): void {
    owned.standing = { kind: 'checking' }
    this.#pause(owned.number)
  }

  #lose(owned: OwnedPartition, loss: LostRange): void {
    owned.standing = { kind: 'lost', loss }
    this.#pause(owned.number)
    this.parts.log(
      `${this.parts.topic} partition ${owned.number}: ${loss.code}, offsets ${loss.from} to ${loss.to}: ${loss.detail}`,
    )
  }

  #run(owned: OwnedPartition): void {
    owned.standing = { kind: 'running' }
    this.#seek(owned.number, owned.position)
    this.parts.consumer.resume([{ topic: this.parts.topic, partitions: [owned.number] }])
  }

  #pause(partition: number): void {
    this.parts.consumer.pause([{ topic: this.parts.topic, partitions: [partition] }])
  }

  #seek(partition: number, next: bigint): void {
    this.parts.consumer.seek({ topic: this.parts.topic, partition, offset: String(next) })
  }

  #tick(): void {
    if (this.#ticking !== undefined || this.#stopped) return
    this.#ticking = this.#look()
      .then(() => {
        this.#trouble = undefined
      })
      .catch((error: unknown) => {
        if (error instanceof LedgerError || isClientError(error)) this.#trouble = error as Error
        else if (!this.#stopped) this.#fail(error)
      })
      .finally(() => {
        this.#ticking = undefined
      })
  }

  /** What time brings: partitions that wait, that lack their check, or whose offsets nobody has recorded. */
  async #look(): Promise<void> {
    const generation = this.#generation
    const now = this.parts.now()
    for (const owned of this.#owned.values()) {
      const { standing } = owned
      if (standing.kind === 'waiting' && standing.until <= now) this.#quietly(() => this.#run(owned))
      if (this.parts.resets(owned.number) !== owned.resets) {
        this.#owned.set(owned.number, this.#anew(owned.number))
        this.#quietly(() => this.#pause(owned.number))
      }
    }
    await this.#recordOffsets(now)
    const unchecked = [...this.#owned.values()].filter(({ standing }) => standing.kind === 'checking')
    if (unchecked.length === 0 && now - this.#endsAt < ENDS_EVERY_MS) return
    // Another instance of this ledger may go on meanwhile: what is applied is asked for before the ends that it must not pass.
    const applied = new Map(unchecked.map(({ number }) => [number, this.parts.applied(number) ?? START]))
    const ends = await this.parts.ends()
    this.#endsAt = now
    this.#ends = ends
    this.#givenAway ??= new Set(ends.keys())
    this.#sayElsewhere()
    for (const owned of this.#owned.values()) owned.high = ends.get(owned.number)?.high ?? owned.high
    for (const owned of unchecked) {
      const loss = await this.#lossOf(owned.number, applied.get(owned.number) ?? START, ends.get(owned.number))
      if (generation !== this.#generation || this.#stopped) return
      if (loss !== undefined) this.#lose(owned, loss)
      else this.#quietly(() => this.#run(owned))
    }
  }

  #sayElsewhere(): void {
    const elsewhere = this.elsewhere().map(([partition]) => partition)
    const said = elsewhere.join(', ')
    if (said === this.#saidElsewhere) return
    this.#saidElsewhere = said
    const what = said === '' ? 'no partition any more' : `partitions ${said}, which are not read here`
    this.parts.log(`${this.parts.topic}: another member of this group has ${what}`)
  }

  #anew(partition: number): OwnedPartition {
    const { next } = this.parts.applied(partition) ?? START
    return new OwnedPartition(partition, next, this.parts.resets(partition))
  }

  async #lossOf(partition: number, applied: TopicOffset, ends: Ends | undefined): Promise<LostRange | undefined> {
    if (ends === undefined) return { ...GONE, from: 0n, to: applied.next - 1n }
    const loss = lossByEnds(applied, ends)
    if (loss !== undefined || !comparable(applied, ends)) return loss
    return exchanged(applied, await this.parts.digestAt(partition, applied.next - 1n))
  }

  async #recordOffsets(now: number): Promise<void> {
    for (const owned of this.#owned.values()) {
      const { next } = this.parts.applied(owned.number) ?? START
      const { position, handled } = owned
      if (position <= next) owned.aheadSince = undefined
      else owned.aheadSince ??= now
      if (owned.aheadSince === undefined) continue
      const isFar = position - next >= MOST_AHEAD
      if (!isFar && now - owned.aheadSince < LONGEST_AHEAD_MS) continue
      // Marks of transactions alone would take the place of the digest by which the topic is known again.
      const due = isFar && position !== handled?.next ? { next: position, digest: null } : handled
      if (due === undefined || due.next <= next) continue
      if (owned.standing.kind === 'lost' || owned.standing.kind === 'checking') continue
      await this.parts.recordOffsets(owned.number, due.next, due.digest)
      owned.aheadSince = undefined
    }
  }

  /** Between a crash of the client and its restart it has no group, and throws; the next join does the same again. */
  #quietly(step: () => void): void {
    try {
      step()
    } catch (error) {
      if (!isClientError(error)) throw error
    }
  }

  #crashed({ payload }: ConsumerCrashEvent): void {
    this.#joined = false
    this.parts.log(`${this.parts.topic}: ${payload.error.message}${payload.restart ? '; it is tried again' : ''}`)
    if (!payload.restart && !this.#stopped) this.#fail(payload.error)
  }

  #fail(cause: unknown): void {
    const message = cause instanceof Error ? cause.message : String(cause)
    this.parts.onFatal(
      cause instanceof LedgerError
        ? cause
        : new LedgerError('CONSUMER_FAILED', `${this.parts.topic} cannot be consumed any more: ${message}`, {
            retry: 'after-restart',
            hint: 'Nothing is lost: a restart goes on from the last recorded offset. docs/runbooks/kafka.md',
            cause,
          }),
    )
  }
}

interface HiddenBatch {
  readonly partition: number
  readonly batchSize: number
  readonly firstOffset: string | null
  readonly lastOffset: string
}

/** Where a batch was asked for; the client does not type it. */
const fetchedFrom = (batch: Batch): bigint =>
  BigInt((batch as Batch & { readonly fetchedOffset: string | number }).fetchedOffset)

/** The client has gone on elsewhere by itself, or the topic is shorter than it was: what lies between is lost. */
const resetTo = (fetched: bigint, high: bigint, position: bigint): LostRange | undefined => {
  if (fetched > position) {
    const detail = `offset ${position} was to be read, but reading went on at ${fetched}`
    return { code: 'OFFSET_RESET', from: position, to: fetched - 1n, detail }
  }
  return lossByEnds({ next: position, digest: null }, { low: 0n, high })
}

const GONE = { code: 'TOPIC_SHORTER', detail: 'the partition is gone' } as const
