import { readCopyNote, writeCopyNote } from '../adapters/copy-note.js'
import { DataDirectory } from '../adapters/data-directory.js'
import { SeenFile } from '../adapters/seen-file.js'
import { SqliteStore } from '../adapters/sqlite-store.js'
import { openSoundStore } from '../adapters/stores.js'
import { type LogEnd, requireNotBehind, requireWholeCopy } from '../composition/older-log.js'
import { type StoreSettings, serverSettings } from '../configuration.js'
import type { Position } from '../ledger/block.js'
import type { EventStore } from '../ledger/event-store.js'
import { type Copied, copyLog, requireRecords } from '../recovery/copy-log.js'
import { EXIT, type Io, usage, writeJson, writeLine } from './io.js'
import { parseOptions } from './options.js'
import { Progress } from './progress.js'
import { openLogOf, type ReadableLog } from './readable-log.js'

/**
 * `copy --from PLACE --to PLACE`: brings one place of a log up to another. A place is a data directory, or the URL of a server,
 * where `EPSILON_LEDGER` names the ledger. Exits with 3 where the source went on meanwhile: then the same again copies the rest.
 */
export const run = async (args: readonly string[], io: Io): Promise<number> => {
  const options = parseOptions(args, { values: ['from', 'to'], flags: ['progress'] })
  const [from, to] = [options.required('from'), options.required('to')]
  if (from === to) throw usage('--from and --to name the same place')
  const source = await openSource(from)
  const copied = await brought(source, to, io, options.flag('progress')).finally(() => source.close())
  if (options.flag('json')) writeJson(io, documentOf(copied))
  else writeLine(io, wordsOf(copied))
  return copied.ahead === undefined ? EXIT.ok : EXIT.precondition
}

const brought = async (source: ReadableLog, to: string, io: Io, forced: boolean): Promise<Copied> => {
  const { seq: end } = requireRecords(await source.head())
  const target = await openTarget(to)
  try {
    const progress = new Progress(io, 'records', end + 1, forced)
    const copied = await copyLog(source, target.store, {
      begins: target.begins,
      progress: (seq) => progress.update(seq + 1),
    })
    progress.end(copied.head.seq + 1)
    return copied
  } finally {
    await target.close()
  }
}

/** What begins as a URL does is one, however it goes on: a folder that is named like it would have the password in its name. */
const settingsOf = (place: string): StoreSettings =>
  /^[a-z][a-z0-9+.-]+:/i.test(place) ? serverSettings(place, process.env) : { kind: 'sqlite' }

/** An older log that is copied elsewhere would be served there: what knows better lies beside it, and does not come along. */
const openSource = async (place: string): Promise<ReadableLog> => {
  const settings = settingsOf(place)
  const source = await openLogOf(place, settings)
  try {
    await requireNewest(source, place, settings)
    return source
  } catch (error) {
    await source.close()
    throw error
  }
}

const requireNewest = async (source: ReadableLog, place: string, settings: StoreSettings): Promise<void> => {
  const log: LogEnd = {
    head: () => source.head(),
    has: async (position) => {
      const block = await source.block(position)
      return block?.last === position.seq && block.leaf === position.leaf
    },
  }
  if (settings.kind !== 'sqlite') return requireWholeCopy(log, await readCopyNote(settings))
  const path = DataDirectory.inspect(place).file('seen')
  await requireNotBehind(log, path, SeenFile.read(path))
}

interface Target {
  readonly store: EventStore
  readonly begins: (head: Position) => Promise<void> | void
  close(): Promise<void>
}

/** A directory is locked meanwhile: no service may write to what is being copied there. */
const openTarget = async (place: string): Promise<Target> => {
  const settings = settingsOf(place)
  if (settings.kind !== 'sqlite') {
    const store = await openSoundStore(settings)
    return { store, begins: (head) => writeCopyNote(settings, head), close: () => store.close() }
  }
  const directory = DataDirectory.open(place)
  const path = directory.file('ledger.db')
  try {
    const store = directory.has('ledger.db') ? SqliteStore.open(path) : SqliteStore.create(path)
    const close = () => store.close().finally(() => directory.release())
    return { store, begins: (head) => noteSeen(directory.file('seen'), head), close }
  } catch (error) {
    directory.release()
    throw error
  }
}

/** A copy that was broken off is an older log, and would give back what it lacks: with this no service starts on it. */
const noteSeen = (path: string, head: Position): void => {
  const seen = SeenFile.open(path)
  if (seen.before === undefined || seen.before.seq < head.seq) seen.write(head)
  seen.close()
}

const documentOf = ({ head, from, ahead }: Copied) => ({
  ok: ahead === undefined,
  head,
  from: from ?? null,
  ahead: ahead ?? null,
})

const wordsOf = ({ head, from, ahead }: Copied): string => {
  const begun = from === undefined ? 'Copied' : `Went on after record ${from.seq}, and copied`
  const done = `${begun} up to ${named(head)}: both logs are the same up to there.`
  if (ahead !== undefined) {
    return `${done}\nThe source has gone on to record ${ahead.seq} meanwhile: stop what serves it, and run the same command again.`
  }
  return [
    done,
    'Serve only one of the two from now on: a ledger that goes on in two places gives every budget out twice.',
    'The signing key is no part of the log: take signing.key along yourself.',
  ].join('\n')
}

const named = ({ seq, leaf }: Position): string => `record ${seq}, leaf ${leaf}`
