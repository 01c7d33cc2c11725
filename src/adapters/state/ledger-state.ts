import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { type Balance, type Movement, NOTHING_TAKEN, type Taken } from '../../budget/balance.js'
import type { SpendPart } from '../../budget/events.js'
import type { Attribute } from '../../budget/policy.js'
import { emptyRegistry, type Registry } from '../../budget/registry.js'
import {
  type BudgetRef,
  BudgetState,
  type Held,
  type KeyFamily,
  type PartitionOffset,
  type Reservation,
  type TopicOffset,
  type Unresolved,
} from '../../budget/state.js'
import { unitOfKey } from '../../budget/targets.js'
import { LedgerError } from '../../ledger/errors.js'
import { sqliteCode } from '../sqlite-file.js'
import { BalanceTable, TABLES, type TableChunk } from './balance-table.js'
import { BudgetIndex } from './budget-index.js'
import { type ChunkSink, type ChunkSource, jsonChunk, onlyJson, type Saved } from './chunks.js'
import { KeyTable } from './key-table.js'
import { NameTable } from './name-table.js'
import { OpenReservations } from './open-reservations.js'
import { QuarantineTable } from './quarantine-table.js'
import { registryFromJson, registryToJson } from './registry-json.js'
import { SeqList } from './seq-list.js'
import { StateFile, type StateHead } from './state-file.js'
import type { StatePosition } from './state-position.js'
import { UnitHistory } from './unit-history.js'

/**
 * The committed state of a ledger, in memory in flat tables outside the heap, and in a file as of the last flush.
 *
 * The file is a shortcut, never the truth: it carries the ledger's id and its position in the same transaction as what it
 * holds, and is thrown away at any doubt. Whoever opens it compares the position's leaf with the log, then replays what
 * came after.
 */
export class LedgerState extends BudgetState {
  registry: Registry = emptyRegistry
  pending: readonly SpendPart[] = []
  /** Why what the file held was thrown away; undefined where it was not, or there was none. */
  rebuilt: string | undefined
  readonly #salt: Buffer
  readonly #names: NameTable
  readonly #keys: KeyTable
  readonly #history: UnitHistory
  readonly #violations: SeqList
  readonly #reservations = new OpenReservations()
  readonly #quarantine = new QuarantineTable()
  readonly #offsets = new Map<string, PartitionOffset>()
  readonly #index = new BudgetIndex()
  readonly #tables = new Map<string, Map<number, BalanceTable>>()
  readonly #tableList: BalanceTable[] = []
  readonly #counts = new Map<string, number>()
  #position: StatePosition | undefined
  #flushes = 0
  #savedRegistry: Registry | undefined

  private constructor(
    private readonly ledger: string,
    private readonly file: StateFile | undefined,
  ) {
    super()
    const head = file?.head
    const tracked = file !== undefined
    this.#salt = head === undefined ? randomBytes(8) : Buffer.from(head.salt, 'hex')
    this.#names = new NameTable(this.#salt)
    this.#keys = new KeyTable(this.#salt, tracked)
    this.#history = new UnitHistory(tracked)
    this.#violations = new SeqList(tracked ? 'violations' : undefined)
    if (file !== undefined && head !== undefined) this.#load(file, head)
  }

  /** A state without a file. */
  static memory(): LedgerState {
    return new LedgerState('', undefined)
  }

  /**
   * The state as of the last flush; empty, without a position, where the file is missing, damaged or of another format:
   * then the caller replays the log from its beginning.
   *
   * @throws LedgerError STATE_BUSY where another program holds the file, STATE_UNUSABLE where none can be made, LEDGER_LOST
   *   where a sound file is that of another ledger, whose log it was beside.
   */
  static open(path: string, { ledger }: { readonly ledger: string }): LedgerState {
    return LedgerState.#openOr(path, ledger, (error) => {
      if (error instanceof AnotherLedger) throw lost(path, error, `that of ledger ${ledger}`)
      const state = LedgerState.anew(path, { ledger })
      state.rebuilt = error.message
      return state
    })
  }

  /**
   * The state of a ledger without a record: nothing was ever flushed into the file, or there is none.
   *
   * @throws LedgerError STATE_BUSY, STATE_UNUSABLE, and LEDGER_LOST where the file holds anything, readable or not: then
   *   something was recorded, and nobody would know what.
   */
  static begin(path: string, { ledger }: { readonly ledger: string }): LedgerState {
    const state = LedgerState.#openOr(path, ledger, (error) => {
      throw lost(path, error, 'empty')
    })
    if (state.position === undefined) return state
    state.close()
    throw lost(path, new AnotherLedger(ledger, state.position), 'empty')
  }

  static #openOr(path: string, ledger: string, otherwise: (error: Error) => LedgerState): LedgerState {
    const existed = existsSync(path)
    try {
      return LedgerState.#openFile(path, ledger)
    } catch (error) {
      if (sqliteCode(error)?.startsWith('SQLITE_BUSY')) throw busy(path, error)
      if (!existed) throw unusable(path, error)
      return otherwise(error as Error)
    }
  }

  /**
   * An empty state in the place of what the file holds, for a caller who finds that its position is not in the log.
   *
   * @throws LedgerError STATE_UNUSABLE
   */
  static anew(path: string, { ledger }: { readonly ledger: string }): LedgerState {
    try {
      StateFile.delete(path)
      return LedgerState.#openFile(path, ledger)
    } catch (error) {
      throw unusable(path, error)
    }
  }

  static #openFile(path: string, ledger: string): LedgerState {
    const file = StateFile.open(path)
    try {
      return new LedgerState(ledger, file)
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** What the file reflects; undefined before the first flush. */
  get position(): StatePosition | undefined {
    return this.#position
  }

  /**
   * Writes what has changed since the last flush, in one transaction: after an interruption the file holds either all of
   * it or what it held before. Call it between two batches, with the position of the last record taken in.
   *
   * @throws LedgerError STATE_NOT_WRITTEN. The state itself is not harmed; the next flush writes the same again.
   */
  flush(position: StatePosition): void {
    const flush = this.#flushes + 1
    const head = { ledger: this.ledger, position, flush, salt: this.#salt.toString('hex') }
    this.file?.write(head, (sink) => this.#save(sink, flush))
    for (const part of this.#parts()) part.saved()
    this.#savedRegistry = this.registry
    this.#flushes = flush
    this.#position = position
  }

  /** Lets go of the file, as it is. */
  close(): void {
    this.file?.close()
  }

  balance(ref: BudgetRef): Balance | undefined {
    const table = this.#tables.get(ref.policy)?.get(ref.generation)
    if (table === undefined) return undefined
    const name = this.#names.idOf(ref.key)
    return name === -1 ? undefined : table.get(name)
  }

  override taken(ref: BudgetRef, window: string): Taken {
    const table = this.#tables.get(ref.policy)?.get(ref.generation)
    const name = table === undefined ? -1 : this.#names.idOf(ref.key)
    return table === undefined || name === -1 ? NOTHING_TAKEN : table.taken(name, window)
  }

  move(held: Held, movement: Movement): void {
    if (held.keys.length === 0) return
    const table = this.#tables.get(held.policy)?.get(held.generation) ?? this.#addTable(held)
    const prepared = table.prepare(held, movement)
    for (const key of held.keys) {
      const name = this.#names.intern(key)
      table.move(name, table.isComposite && !table.has(name) ? this.#unitIn(table, key) : 0, prepared)
    }
  }

  reservation(source: string, id: string): Reservation | undefined {
    return this.#reservations.get(source, id)
  }

  openReservation(reservation: Reservation): void {
    this.#reservations.open(reservation)
  }

  closeReservation(source: string, id: string): void {
    this.#reservations.close(source, id)
  }

  overdue(at: string, limit: number): readonly Reservation[] {
    return this.#reservations.overdue(at, limit)
  }

  get openReservationCount(): number {
    return this.#reservations.size
  }

  /** The open reservations of records above `after` (all where it is left out), rising, at most `limit`. */
  openReservations({ after = -1, limit }: { readonly after?: number; readonly limit: number }): readonly Reservation[] {
    return this.#reservations.page(after, limit)
  }

  rememberKey(family: KeyFamily, source: string, id: string, seq: number): void {
    this.#keys.remember(family, source, id, seq)
  }

  candidates(family: KeyFamily, source: string, id: string): readonly number[] {
    return this.#keys.candidates(family, source, id)
  }

  rememberUnits(units: readonly string[], seq: number): void {
    for (const unit of units) this.#history.add(this.#names.intern(unit), seq)
  }

  /** The records that concern a unit, rising, above `after` (all where it is left out), at most `limit`. */
  unitHistory(
    unit: string,
    { after = -1, limit }: { readonly after?: number; readonly limit: number },
  ): readonly number[] {
    const name = this.#names.idOf(unit)
    return name === -1 ? [] : this.#history.list(name, after, limit)
  }

  rememberViolation(seq: number): void {
    this.#violations.add(seq)
  }

  /** The reports that took a guarantee beyond its cap, rising, above `after` (all where it is left out), at most `limit`. */
  violations({ after = -1, limit }: { readonly after?: number; readonly limit: number }): readonly number[] {
    return this.#violations.list(after, limit)
  }

  get violationCount(): number {
    return this.#violations.size
  }

  /** Every budget that belongs to a unit, of all policies that ever were and all their generations. */
  unitBudgets(unit: string): readonly BudgetRef[] {
    const name = this.#names.idOf(unit)
    if (name === -1) return []
    return this.#tableList.flatMap((table) => {
      const { policy, generation } = table.shape
      return this.#keysOfUnit(table, name).map((key) => ({ policy, generation, key: this.#names.textOf(key) }))
    })
  }

  offset(topic: string, partition: number): TopicOffset | undefined {
    return this.#offsets.get(partitionName(topic, partition))
  }

  setOffset(topic: string, partition: number, { next, digest }: TopicOffset): void {
    this.#offsets.set(partitionName(topic, partition), { topic, partition, next, digest })
  }

  /** How far every partition is handled, in no particular order. */
  offsets(): IterableIterator<PartitionOffset> {
    return this.#offsets.values()
  }

  unresolved(seq: number): Unresolved | undefined {
    return this.#quarantine.get(seq)
  }

  setUnresolved(unresolved: Unresolved): void {
    this.#quarantine.set(unresolved)
  }

  resolve(seq: number): void {
    this.#quarantine.remove(seq)
  }

  /** Messages that wait to be resolved, rising, above `after`, at most `limit`. */
  quarantine(page: { readonly after: number; readonly limit: number }): readonly Unresolved[] {
    return this.#quarantine.list(page)
  }

  get unresolvedCount(): number {
    return this.#quarantine.size
  }

  count(type: string, times = 1): void {
    this.#counts.set(type, (this.#counts.get(type) ?? 0) + times)
  }

  /** Records by type. */
  counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  #keysOfUnit(table: BalanceTable, name: number): readonly number[] {
    if (table.isComposite) return table.keysOfUnit(name)
    return table.isOfUnits && table.has(name) ? [name] : []
  }

  #unitIn(table: BalanceTable, key: string): number {
    return this.#names.intern(unitOfKey(table.shape, key) ?? '')
  }

  #addTable({ policy, generation, window, cost }: Held): BalanceTable {
    const windowed = window !== 'lifetime'
    const scope = this.#scopeOf(policy, generation)
    return this.#insertTable({ policy, generation, rows: cost.length, windowed, scope })
  }

  #insertTable(shape: BalanceTable['shape']): BalanceTable {
    const table = new BalanceTable(this.#tableList.length, shape, this.#index, this.file !== undefined)
    this.#tableList.push(table)
    const generations = this.#tables.get(shape.policy) ?? new Map<number, BalanceTable>()
    this.#tables.set(shape.policy, generations.set(shape.generation, table))
    return table
  }

  /** All versions of a generation have the same scope. */
  #scopeOf(policy: string, generation: number): readonly Attribute[] {
    const versions = this.registry.policies.get(policy)?.versions ?? []
    return versions.find((version) => version.generation === generation)?.scope ?? []
  }

  #parts(): readonly Saved[] {
    return [
      this.#names,
      ...this.#tableList,
      this.#keys,
      this.#history,
      this.#violations,
      this.#reservations,
      this.#quarantine,
    ]
  }

  #save(sink: ChunkSink, flush: number): void {
    for (const part of this.#parts()) part.save(sink, flush)
    if (this.registry !== this.#savedRegistry) sink.put(REGISTRY, 0, jsonChunk(registryToJson(this.registry)))
    const sizes = { names: this.#names.size, keys: this.#keys.size }
    const offsets = [...this.#offsets.values()].map(({ next, ...entry }) => ({ ...entry, next: String(next) }))
    sink.put(REST, 0, jsonChunk({ sizes, counts: [...this.#counts], pending: this.pending, offsets } satisfies Rest))
  }

  #load(file: StateFile, { ledger, flush, position }: StateHead): void {
    const { sizes } = this.#loadRest(file)
    this.#names.load(file, sizes.names)
    for (const { bytes } of file.chunks(TABLES)) {
      const { budgets, windows, ...shape } = JSON.parse(Buffer.from(bytes).toString('utf8')) as TableChunk
      this.#insertTable(shape).load(file, { ...shape, budgets, windows })
    }
    this.#keys.load(file, sizes.keys)
    this.#history.load(file)
    this.#violations.load(file)
    this.#reservations.load(file)
    this.#quarantine.load(file)
    file.checkComplete()
    // Only now: what was damaged may say anything of itself.
    if (ledger !== this.ledger) throw new AnotherLedger(ledger, position)
    this.#flushes = flush
    this.#position = position
  }

  #loadRest(file: ChunkSource): Rest {
    this.registry = registryFromJson(onlyJson(file, REGISTRY))
    this.#savedRegistry = this.registry
    const rest = onlyJson(file, REST) as Rest
    for (const [type, times] of rest.counts) this.#counts.set(type, times)
    for (const { topic, partition, next, digest } of rest.offsets) {
      this.setOffset(topic, partition, { next: BigInt(next), digest })
    }
    this.pending = rest.pending
    return rest
  }
}

/** A sound file, but not one that the log beside it could have led to. */
class AnotherLedger extends Error {
  constructor(ledger: string, { seq }: StatePosition) {
    super(`it is the state of ledger ${ledger} at record ${seq}`)
  }
}

const REGISTRY = 'registry'
const REST = 'rest'

/** What is small enough to be written with every flush. */
interface Rest {
  readonly sizes: { readonly names: number; readonly keys: number }
  readonly counts: readonly (readonly [type: string, times: number])[]
  readonly pending: readonly SpendPart[]
  readonly offsets: readonly (Omit<PartitionOffset, 'next'> & { readonly next: string })[]
}

const partitionName = (topic: string, partition: number): string => `${partition} ${topic}`

const lost = (path: string, cause: Error, log: string): LedgerError =>
  new LedgerError('LEDGER_LOST', `${path} does not belong to its log, which is ${log}: ${cause.message}`, {
    retry: 'never',
    hint: 'Serving this log would refund what the other one has spent. Look at EPSILON_STORE and EPSILON_LEDGER first: another name is another log. Put the log back that was here, or name an empty directory for a new ledger. Only if this log is certainly the right one: remove the files seen and state.db.',
    cause,
    exitCode: 3,
  })

const busy = (path: string, cause: unknown): LedgerError =>
  new LedgerError('STATE_BUSY', `${path} is in use by another program`, {
    retry: 'after-restart',
    hint: 'Close the program that reads it, then start again.',
    cause,
    exitCode: 11,
  })

const unusable = (path: string, cause: unknown): LedgerError =>
  new LedgerError('STATE_UNUSABLE', `${path} cannot be made: ${(cause as Error).message}`, {
    retry: 'after-restart',
    hint: 'Look at the data directory: its disk, its free space, and whether this process may write there.',
    cause,
  })
