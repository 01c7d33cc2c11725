import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { CostWorkers } from './adapters/cost-workers.js'
import { DataDirectory } from './adapters/data-directory.js'
import { SeenFile } from './adapters/seen-file.js'
import { SqliteStore } from './adapters/sqlite-store.js'
import { LedgerState } from './adapters/state/ledger-state.js'
import { SystemClock } from './adapters/system-clock.js'
import { Ledger } from './application/ledger.js'
import type { NotReady, Service } from './application/service.js'
import { catchUp, chainAt, follow } from './budget/catch-up.js'
import type { Command } from './budget/commands.js'
import { type Answer, BudgetDecider } from './budget/decider.js'
import { readPrior, recordBytes } from './budget/priors.js'
import type { BudgetState } from './budget/state.js'
import { notCharged } from './budget/undecided.js'
import type { Configuration } from './configuration.js'
import type { Position } from './ledger/block.js'
import type { ChainState } from './ledger/chain.js'
import { TimeKeeper } from './ledger/clock.js'
import { LedgerError } from './ledger/errors.js'
import type { EventStore } from './ledger/event-store.js'
import { decodeRecord } from './ledger/record.js'
import { type Appended, Writer } from './ledger/writer.js'
import type { Repair } from './recovery/start-check.js'

/** The files of a data directory that this module names. */
const LOG = 'ledger.db'
const STATE = 'state.db'
const SEEN = 'seen'

/**
 * Opens a ledger for writing: takes the directory, creates the ledger where there is none, brings the derived state up
 * to the log, and starts the writer.
 *
 * Throws `LOCKED` while another process serves the directory, `LEDGER_LOST`, `STALE` or `FORKED` where the log is not the one
 * that was served here, and what reading a damaged log throws.
 */
export const openService = async (configuration: Configuration, gate?: Gate): Promise<Service> => {
  const directory = DataDirectory.open(configuration.data)
  try {
    return await openIn(directory, configuration, gate)
  } catch (error) {
    directory.release()
    throw error
  }
}

/** Whoever knows what has left a ledger. Both reject what must not be served. */
export interface Gate {
  /** Brings a log up to what others have of it, before anything reads it; `ledger` is undefined for a new one. */
  atStart(ledger: string | undefined, store: EventStore, repair: Repair): Promise<void>
  /** The state is up to the log, whose last record is `head`, and nothing is decided yet. */
  accept(state: BudgetState, head: number): void
}

const openIn = async (
  directory: DataDirectory,
  configuration: Configuration,
  gate: Gate | undefined,
): Promise<Service> => {
  const store = openLog(directory)
  const known = await ledgerIn(store)
  const ledgerId = known ?? randomUUID()
  const seen = SeenFile.open(directory.file(SEEN))
  const path = directory.file(STATE)
  const clock = new SystemClock()
  const state =
    known === undefined ? LedgerState.begin(path, { ledger: ledgerId }) : LedgerState.open(path, { ledger: ledgerId })
  await gate?.atStart(known, store, {
    seen: furthest({ position: seen.before, path: directory.file(SEEN) }, { position: state.position, path }),
    stamp: (lastAt) => new TimeKeeper(clock, lastAt).stamp(),
    progress: (line) => void process.stderr.write(`${line}\n`),
  })
  await requireNotBehind(store, directory.file(SEEN), seen.before)
  const chain = known === undefined ? undefined : await broughtUp(store, state, path)
  if (chain !== undefined) gate?.accept(state, chain.position.seq)
  const timeKeeper = new TimeKeeper(clock, chain?.at)
  const service = new OpenService({ directory, store, state, seen, timeKeeper, ledgerId, chain, configuration })
  if (chain === undefined) await service.begin()
  return service
}

/** What only a ledger that has been served leaves in its directory. */
const TRACES = ['seen', 'state.db', 'signing.key', 'operator.token', 'approver.token']

/** Creates a ledger only where there never was one: an empty log in the place of a lost one would refund everything. */
const openLog = (directory: DataDirectory): EventStore => {
  if (directory.has(LOG)) return SqliteStore.open(directory.file(LOG))
  const trace = TRACES.find((name) => directory.has(name))
  if (trace === undefined) return SqliteStore.create(directory.file(LOG))
  throw new LedgerError('LEDGER_LOST', `${directory.path} has ${trace}, but its log ${LOG} is gone`, {
    retry: 'never',
    hint: `A new log would refund every budget. Put ${LOG} back, or name an empty directory for a new ledger.`,
    exitCode: 3,
  })
}

/** The id that the first record gives the ledger; undefined for an empty log. */
const ledgerIn = async (store: EventStore): Promise<string | undefined> => {
  const first = await recordBytes(store, 0)
  if (first === undefined) return undefined
  const { type, data } = decodeRecord(first)
  if (type === 'LedgerOpened' && typeof data['ledger'] === 'string') return data['ledger']
  throw new LedgerError('LEDGER_UNOPENED', `record 0 is a ${type}, not the LedgerOpened of a ledger`, {
    retry: 'never',
    hint: 'Keep this copy as it is, and verify it.',
    exitCode: 20,
  })
}

/** Of those who have seen a ledger, whoever has seen most of it. */
const furthest = (one: Repair['seen'], other: Repair['seen']): Repair['seen'] =>
  (other.position?.seq ?? -1) > (one.position?.seq ?? -1) ? other : one

/**
 * Brings the derived state up to the head of the log; it is built anew where it was missing or damaged.
 *
 * A sound state that has seen more than the log, other records, or another ledger, says that the log is not the one that
 * was served: never served, since whatever is missing would be refunded.
 */
const broughtUp = async (store: EventStore, state: LedgerState, path: string): Promise<ChainState | undefined> => {
  const { position } = state
  if (position === undefined) return catchUp(store, state, undefined)
  const chain = await chainAt(store, position)
  if (chain === undefined) throw wentBack(path, position, await store.head())
  return catchUp(store, state, chain)
}

/** Whoever was answered from a position has seen it: a log without it is not the one that was served. */
const requireNotBehind = async (store: EventStore, path: string, seen: Position | undefined): Promise<void> => {
  if (seen !== undefined && (await chainAt(store, seen)) === undefined) throw wentBack(path, seen, await store.head())
}

const wentBack = (path: string, seen: Position, head: Position | undefined): LedgerError => {
  const ends = head === undefined ? 'is empty' : `ends with record ${head.seq} (leaf ${head.leaf})`
  const forked = head !== undefined && head.seq >= seen.seq
  return new LedgerError(
    forked ? 'FORKED' : 'STALE',
    `${path} has seen record ${seen.seq} with leaf ${seen.leaf}, but the log ${ends}${forked ? ' and has another record there' : ''}`,
    {
      retry: 'never',
      hint: 'The log was replaced by an older or another copy; serving it would refund what is missing. Put the newest ledger.db back. Only if this log is certainly the newest: remove the files seen and state.db.',
      exitCode: forked ? 22 : 21,
    },
  )
}

interface Parts {
  readonly directory: DataDirectory
  readonly store: EventStore
  readonly state: LedgerState
  readonly seen: SeenFile
  readonly timeKeeper: TimeKeeper
  readonly ledgerId: string
  readonly chain: ChainState | undefined
  readonly configuration: Configuration
}

class OpenService implements Service {
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
  #fatal: Error | undefined
  #fatalListener: (error: Error) => void = () => {}
  #appendListener: (appended: Appended) => void = () => {}

  constructor(parts: Parts) {
    this.#parts = parts
    this.ledgerId = parts.ledgerId
    this.epoch = parts.chain?.epoch ?? 0
    this.state = parts.state
    this.store = parts.store
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
    })
  }

  /** Opens a new ledger with one token for each of the two people that a raise takes. */
  async begin(): Promise<void> {
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
    await this.#writer.writeAll([{ ...asked, kind: 'open-ledger', ledger: this.ledgerId }, ...tokens])
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
    return [
      ...(doubt === undefined ? [] : [doubt]),
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

  async close(): Promise<void> {
    await this.#writer.stop()
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
      follow: (block) => follow(this.state, block),
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
      refusal: () => this.#refusal?.(),
      maxBatch: configuration.maxBatch,
      maxWaiting: configuration.maxWaiting,
      onAppend: (appended) => this.#appendListener(appended),
      onFatal: (error) => {
        this.#fatal = error
        this.#fatalListener(error)
      },
    })
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
