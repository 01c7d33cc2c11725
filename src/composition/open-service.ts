import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { CostWorkers } from '../adapters/cost-workers.js'
import { DataDirectory } from '../adapters/data-directory.js'
import { SeenFile } from '../adapters/seen-file.js'
import { LedgerState } from '../adapters/state/ledger-state.js'
import { Ledger } from '../application/ledger.js'
import { endWithin } from '../application/pause.js'
import type { NotReady, Service } from '../application/service.js'
import { SharedLook } from '../application/shared-look.js'
import { follow } from '../budget/catch-up.js'
import type { Command } from '../budget/commands.js'
import { type Answer, BudgetDecider } from '../budget/decider.js'
import { readPrior } from '../budget/priors.js'
import { notCharged } from '../budget/undecided.js'
import type { Configuration } from '../configuration.js'
import { type Position, positionOf } from '../ledger/block.js'
import type { ChainState } from '../ledger/chain.js'
import { TimeKeeper } from '../ledger/clock.js'
import { LedgerError } from '../ledger/errors.js'
import type { EventStore } from '../ledger/event-store.js'
import { type Appended, Writer } from '../ledger/writer.js'
import { ClockWatch } from './clock-watch.js'
import { LastCall } from './last-call.js'
import { PlaceWatch } from './place-watch.js'

/** What a service is built of, once the log was looked at. */
export interface Parts {
  readonly directory: DataDirectory
  readonly store: EventStore
  readonly state: LedgerState
  readonly seen: SeenFile
  readonly timeKeeper: TimeKeeper
  readonly ledgerId: string
  readonly chain: ChainState | undefined
  readonly configuration: Configuration
}

/** A ledger that is open: its writer, its state, and all that watches them. */
export class OpenService implements Service {
  readonly ledger: Ledger
  readonly ledgerId: string
  readonly epoch: number
  readonly state: LedgerState
  readonly store: EventStore
  readonly #parts: Parts
  readonly #writer: Writer<Command, Answer>
  readonly #costs: CostWorkers
  readonly #reached: { readonly seq: number; readonly tell: (reached: boolean) => void }[] = []
  #flushed: number
  readonly #readiness: (() => readonly NotReady[])[] = []
  #confirm: ((position: Position) => Promise<void> | undefined) | undefined
  #refusal: (() => LedgerError | undefined) | undefined
  readonly #closing = new AbortController()
  /** Aborts when nobody waits for the store any more. */
  readonly #drained = new AbortController()
  #following: Promise<void> | undefined
  readonly #place: PlaceWatch
  readonly #news: SharedLook | undefined
  #fatal: Error | undefined
  #fatalListener: (error: Error) => void = () => {}
  #appendListener: (appended: Appended) => void = () => {}

  constructor(parts: Parts) {
    this.#parts = parts
    this.ledgerId = parts.ledgerId
    this.epoch = parts.chain?.epoch ?? 0
    this.state = parts.state
    this.store = parts.store
    this.#place = new PlaceWatch(parts.store, () => this.#writer.position)
    this.#news = isShared(parts) ? new SharedLook(() => this.#catchUp(), LOOK_EVERY_MS) : undefined
    this.#flushed = parts.state.position?.seq ?? -1
    this.#costs = new CostWorkers({
      threads: parts.configuration.costThreads,
      cacheEntries: parts.configuration.costCacheEntries,
    })
    this.#writer = this.#openWriter(parts)
    this.ledger = new Ledger({
      writer: this.#writer,
      state: this.state,
      costs: this.#costs,
      priorAt: (seq) => this.priorAt(seq),
      at: () => this.at(),
      ...(isShared(parts) ? { refresh: () => this.#writer.refresh() } : {}),
    })
  }

  /**
   * Opens a new ledger with one token for each of the two people that a raise takes.
   *
   * @returns false where somebody else has opened it before.
   */
  async begin(): Promise<boolean> {
    const { directory } = this.#parts
    if (!directory.has('signing.key')) directory.createSigningSeed()
    const asked = { actor: { token: '', role: 'system', source: 'ledger' }, cause: { kind: 'system' } } as const
    const tokens = (['operator', 'approver'] as const).map((role) => {
      // The file comes first: a crash between the two leaves a secret that opens nothing, never a ledger without tokens.
      const secret = randomBytes(32).toString('base64url')
      directory.writeSecret(`${role}.token`, `${secret}\n`)
      const hash = createHash('sha256').update(secret).digest('hex')
      return {
        ...asked,
        kind: 'create-token',
        created: { token: randomUUID(), role, source: role, hash, expiresAt: null },
      } as const
    })
    const [opened] = await this.#writer.writeInOrder([
      { ...asked, kind: 'open-ledger', ledger: this.ledgerId },
      ...tokens,
    ])
    if (opened instanceof LedgerError) throw opened
    return opened?.kind === 'answered'
  }

  /** Lets go of everything but store and directory; the first tokens of a ledger that somebody else has opened open nothing. */
  async abandon(): Promise<void> {
    await this.#writer.stop()
    await this.#costs.close()
    this.state.close()
    this.#parts.seen.close()
    for (const role of ['operator', 'approver']) this.#parts.directory.remove(`${role}.token`)
  }

  /** From now on takes in what others append to the log, and looks whether the place of the log is sound. */
  serving(): this {
    if (!isShared(this.#parts)) return this
    this.#following = this.#follow().catch((error) => this.#writer.die(error))
    this.#place.run(this.#closing.signal)
    new ClockWatch(this.store, this.#parts.timeKeeper).run(this.#closing.signal)
    return this
  }

  position(): Position {
    const { position } = this.#writer
    if (position === undefined) throw new RangeError('the ledger has no record yet')
    return position
  }

  waiting(): number {
    return this.#writer.waiting
  }

  reaches(seq: number, timeoutMs: number): Promise<boolean> {
    if (this.position().seq >= seq) return Promise.resolve(true)
    return new Promise((resolve) => {
      const entry = { seq, tell: resolve }
      this.#reached.push(entry)
      setTimeout(() => this.#tell((waiting) => waiting === entry, false), timeoutMs).unref()
    })
  }

  news(): Promise<void> | undefined {
    return this.#news && endWithin(NEWS_MS, this.#news.ask())
  }

  priorAt(seq: number) {
    return readPrior(this.store, seq)
  }

  at(): string {
    return this.#parts.timeKeeper.peek()
  }

  confirmClock(): void {
    this.#parts.timeKeeper.confirm()
  }

  readiness() {
    if (this.#fatal !== undefined) return [{ code: 'STORE_FAILED', detail: this.#fatal.message }]
    const doubt = this.#parts.timeKeeper.doubt()
    const recovery = notCharged(this.state.registry)
    const waits = this.#writer.appendingForMs ?? 0
    const { fault, away } = this.#place
    return [
      ...(doubt === undefined ? [] : [doubt]),
      ...(fault === undefined ? [] : [{ code: fault.code, detail: fault.message }]),
      ...(away === undefined ? [] : [{ code: away.code, detail: away.message }]),
      ...(waits < LONG_APPEND_MS ? [] : [appendWaits(waits)]),
      ...(recovery === undefined ? [] : [{ code: 'RECOVERING', detail: recovery }]),
      ...this.#readiness.flatMap((source) => source()),
    ]
  }

  alsoReady(source: () => readonly NotReady[]): void {
    this.#readiness.push(source)
  }

  refuseBy(refusal: () => LedgerError | undefined): void {
    this.#refusal = refusal
  }

  confirmBy(confirm: (position: Position) => Promise<void> | undefined): void {
    this.#confirm = confirm
  }

  onAppend(listener: (appended: Appended) => void): void {
    this.#appendListener = listener
  }

  onFatal(listener: (error: Error) => void): void {
    this.#fatalListener = listener
    if (this.#fatal !== undefined) listener(this.#fatal)
  }

  lastCall(): void {
    if (!isShared(this.#parts)) return
    const watch = new LastCall(this.store, () => this.#writer.appendingForMs)
    void watch.silence(this.#drained.signal).then((error) => error && this.#writer.die(error))
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#following
    await this.#writer.stop()
    this.#drained.abort()
    await this.#costs.close()
    if (this.#fatal === undefined) this.state.flush({ ...this.position(), epoch: this.epoch })
    this.state.close()
    await this.store.close()
    this.#parts.seen.close()
    this.#parts.directory.release()
  }

  #openWriter({ store, timeKeeper, ledgerId, chain, configuration }: Parts): Writer<Command, Answer> {
    const decider = new BudgetDecider({
      state: this.state,
      ledger: ledgerId,
      priorAt: (seq) => this.priorAt(seq),
      follow: (block) => {
        follow(this.state, block)
        this.#committed(positionOf(block))
      },
      committed: (position) => this.#committed(position),
    })
    return new Writer({
      store,
      decider,
      timeKeeper,
      ledger: ledgerId,
      epoch: this.epoch,
      position: chain?.position,
      confirm: (position) => this.#confirm?.(position),
      refusal: () => this.#place.fault ?? this.#refusal?.(),
      maxBatch: configuration.maxBatch,
      maxWaiting: configuration.maxWaiting,
      shared: isShared({ configuration }),
      onAppend: (appended) => this.#appendListener(appended),
      onFatal: (error) => {
        this.#fatal = error
        this.#fatalListener(error)
      },
    })
  }

  async #follow(): Promise<void> {
    const from = this.position().seq + 1
    for await (const block of this.store.subscribe(from, this.#closing.signal)) await this.#writer.takeIn(block)
  }

  /** What lies beyond comes to whoever follows the log. */
  async #catchUp(): Promise<void> {
    const head = await this.store.head()
    if (head !== undefined) await this.reaches(head.seq, NEWS_MS)
  }

  #committed(position: Position): void {
    this.#parts.seen.write(position)
    this.#tell(({ seq }) => seq <= position.seq, true)
    if (position.seq - this.#flushed < this.#parts.configuration.flushRecords) return
    this.state.flush({ ...position, epoch: this.epoch })
    this.#flushed = position.seq
  }

  #tell(whom: (entry: { readonly seq: number }) => boolean, reached: boolean): void {
    for (let index = this.#reached.length - 1; index >= 0; index--) {
      const entry = this.#reached[index]
      if (entry === undefined || !whom(entry)) continue
      this.#reached.splice(index, 1)
      entry.tell(reached)
    }
  }
}

/** Others may append to the log too. */
const isShared = ({ configuration }: Pick<Parts, 'configuration'>): boolean => configuration.store.kind !== 'sqlite'

const LONG_APPEND_MS = 2_000
/** Followers who hear nothing look once a second by themselves. */
const NEWS_MS = 1_500
const LOOK_EVERY_MS = 250

const appendWaits = (ms: number): NotReady => ({
  code: 'STORE_WAITING',
  detail: `the store has not answered an append for ${Math.round(ms / 1000)} s; nobody is answered before it does`,
})
