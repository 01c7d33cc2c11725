import { randomUUID } from 'node:crypto'
import { readCopyNote } from './adapters/copy-note.js'
import { DataDirectory } from './adapters/data-directory.js'
import { SeenFile } from './adapters/seen-file.js'
import { SqliteStore } from './adapters/sqlite-store.js'
import { LedgerState } from './adapters/state/ledger-state.js'
import { openSoundStore } from './adapters/stores.js'
import { SystemClock } from './adapters/system-clock.js'
import type { Service } from './application/service.js'
import { catchUp, chainAt } from './budget/catch-up.js'
import { recordBytes } from './budget/priors.js'
import type { BudgetState } from './budget/state.js'
import { type LogEnd, requireNotBehind, requireWholeCopy, wentBack } from './composition/older-log.js'
import { OpenService } from './composition/open-service.js'
import type { Configuration, StoreSettings } from './configuration.js'
import type { ChainState } from './ledger/chain.js'
import { TimeKeeper } from './ledger/clock.js'
import { LedgerError } from './ledger/errors.js'
import type { EventStore } from './ledger/event-store.js'
import { decodeRecord } from './ledger/record.js'
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
  accept(state: BudgetState, head: number): Promise<void>
}

const openIn = async (
  directory: DataDirectory,
  configuration: Configuration,
  gate: Gate | undefined,
): Promise<Service> => {
  const store = await openLog(directory, configuration.store)
  try {
    if (configuration.store.kind !== 'sqlite')
      await requireWholeCopy(logIn(store), await readCopyNote(configuration.store))
    for (;;) {
      const service = await openOn(store, directory, configuration, gate)
      if (service !== undefined) return service
      // Another instance has begun the ledger in the same moment: this one serves what is there.
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** @returns undefined where the log was empty, and somebody else was first to begin it. */
const openOn = async (
  store: EventStore,
  directory: DataDirectory,
  configuration: Configuration,
  gate: Gate | undefined,
): Promise<Service | undefined> => {
  const known = await ledgerIn(store)
  if (known === undefined) requireNoOther(directory, configuration.store)
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
  await requireNotBehind(logIn(store), directory.file(SEEN), seen.before)
  const chain = known === undefined ? undefined : await broughtUp(store, state, path)
  if (chain !== undefined) await gate?.accept(state, chain.position.seq)
  const timeKeeper = new TimeKeeper(clock, chain?.at)
  const service = new OpenService({ directory, store, state, seen, timeKeeper, ledgerId, chain, configuration })
  if (chain !== undefined || (await service.begin())) return service.serving()
  await service.abandon()
  return undefined
}

/** What only a ledger that has been served leaves in its directory. */
const TRACES = ['seen', 'state.db', 'signing.key', 'operator.token', 'approver.token']

/** The log of the settings; a file is made only where there never was one. */
const openLog = async (directory: DataDirectory, settings: StoreSettings): Promise<EventStore> =>
  settings.kind === 'sqlite' ? openFile(directory) : openSoundStore(settings)

/** Creates a ledger only where there never was one: an empty log in the place of a lost one would refund everything. */
const openFile = (directory: DataDirectory): EventStore => {
  if (directory.has(LOG)) return SqliteStore.open(directory.file(LOG))
  const trace = TRACES.find((name) => directory.has(name))
  if (trace === undefined) return SqliteStore.create(directory.file(LOG))
  throw new LedgerError('LEDGER_LOST', `${directory.path} has ${trace}, but its log ${LOG} is gone`, {
    retry: 'never',
    hint: `A new log would refund every budget. Put ${LOG} back, or set EPSILON_STORE to the server that it was kept on. For a new ledger name an empty directory.`,
    exitCode: 3,
  })
}

/** What a store keeps, for whoever asks whether it is an older log. */
const logIn = (store: EventStore): LogEnd => ({
  head: () => store.head(),
  has: async (position) => (await chainAt(store, position)) !== undefined,
})

/** A ledger that was kept in a file goes on elsewhere as a copy, never from nothing. */
const requireNoOther = (directory: DataDirectory, { kind }: StoreSettings): void => {
  if (kind === 'sqlite' || !directory.has(LOG)) return
  throw new LedgerError('LEDGER_LOST', `${directory.file(LOG)} is a log, but the one to be served is empty`, {
    retry: 'never',
    hint: 'A new log would refund every budget: epsilon-ledger copy takes the file there first. For a new ledger name an empty directory.',
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
