import { existsSync, statSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { DataDirectory } from '../adapters/data-directory.js'
import { diskTrouble, freeBytes } from '../adapters/disk-trouble.js'
import { SeenFile } from '../adapters/seen-file.js'
import { SqliteFile } from '../adapters/sqlite-file.js'
import { openServerStore } from '../adapters/stores.js'
import { readStoreSettings, type ServerSettings } from '../configuration.js'
import { type Position, positionOf, recordsOf, samePosition } from '../ledger/block.js'
import { LedgerError } from '../ledger/errors.js'
import { decodeRecord, leafHash } from '../ledger/record.js'
import { EXIT, type Io, writeJson, writeLine } from './io.js'
import { parseOptions } from './options.js'
import { thisProgram } from './program.js'
import { ReadOnlyStore } from './read-only-store.js'
import { LogInFile, LogOnServer, type ReadableLog } from './readable-log.js'
import { runningService } from './running-service.js'
import { table } from './table.js'

/** One thing that an operator should know. The codes are stable. */
interface Finding {
  readonly code: string
  readonly level: 'fine' | 'warning' | 'error'
  readonly detail: string
}

/** `doctor --data DIR`: a quick look at a data directory; `verify` is the thorough one. */
export const run = async (args: readonly string[], io: Io): Promise<number> => {
  const options = parseOptions(args, { values: ['data'] })
  const directory = DataDirectory.inspect(options.required('data'))
  const findings = [
    versions(),
    ...modes(directory),
    ...secrets(directory),
    disk(directory),
    ...(await inUse(directory)),
    ...(await log(directory)),
  ]
  if (options.flag('json')) writeJson(io, { findings, ok: findings.every(({ level }) => level !== 'error') })
  else
    writeLine(
      io,
      table([['level', 'code', 'what'], ...findings.map(({ level, code, detail }) => [level, code, detail])]),
    )
  return exitCodeOf(findings)
}

const exitCodeOf = (findings: readonly Finding[]): number => {
  const errors = findings.filter(({ level }) => level === 'error').map(({ code }) => code)
  if (errors.length === 0) return EXIT.ok
  if (errors.some((code) => code.startsWith('log.'))) return EXIT.integrity
  return errors.some((code) => code.startsWith('key.')) ? EXIT.key : EXIT.precondition
}

const fine = (code: string, detail: string): Finding => ({ code, level: 'fine', detail })
const warning = (code: string, detail: string): Finding => ({ code, level: 'warning', detail })
const error = (code: string, detail: string): Finding => ({ code, level: 'error', detail })

const versions = (): Finding =>
  fine(
    'program.version',
    `${thisProgram().name} ${thisProgram().version} on Node ${process.versions.node}, ${process.platform} ${process.arch}`,
  )

const SECRETS = ['signing.key', 'operator.token', 'approver.token', 'service.json']

/** Spend logs are personal data, and the secrets are secrets: nobody else may reach any of it. */
const modes = (directory: DataDirectory): readonly Finding[] => {
  const secret = SECRETS.map((name) => directory.file(name)).filter((path) => existsSync(path))
  const open = [directory.path, ...secret].filter((path) => (statSync(path).mode & 0o077) !== 0)
  if (open.length === 0) return [fine('files.modes', 'only their owner can reach the files')]
  return open.map((path) => {
    const mode = (statSync(path).mode & 0o777).toString(8)
    return warning('files.modes', `others can reach ${path} (mode ${mode}): chmod go= ${path}`)
  })
}

const secrets = (directory: DataDirectory): readonly Finding[] => {
  const tokens = ['operator.token', 'approver.token'].filter((name) => directory.has(name))
  return [
    key(directory),
    tokens.length === 0
      ? fine('tokens.handed_out', 'no first token lies in the directory any more')
      : warning(
          'tokens.lying',
          `${tokens.join(' and ')} still lie here: give them to two people, and delete the files`,
        ),
  ]
}

const key = (directory: DataDirectory): Finding => {
  try {
    directory.readSigningSeed()
    return fine('key.present', 'the signing key is there')
  } catch (failure) {
    return error('key.missing', (failure as Error).message)
  }
}

const LEAST_FREE_BYTES = 1024 ** 3

const disk = (directory: DataDirectory): Finding => {
  const trouble = diskTrouble(directory.path)
  if (trouble !== undefined) return error(trouble.code, `${trouble.detail}. ${trouble.hint}`)
  const free = freeBytes(directory.path)
  if (free === undefined) return fine('disk.free', 'the file system does not say how much is free')
  if (free >= LEAST_FREE_BYTES) return fine('disk.free', `${gibibytes(free)} are free`)
  return warning(
    'disk.low',
    `${gibibytes(free)} are free, less than ${gibibytes(LEAST_FREE_BYTES)}. docs/runbooks/disk-full.md`,
  )
}

const gibibytes = (bytes: number): string => `${(bytes / 1024 ** 3).toFixed(2)} GiB`

const inUse = async (directory: DataDirectory): Promise<readonly Finding[]> => {
  const service = await runningService(directory)
  if (service !== undefined) return [fine('service.running', `a service answers at ${service.url}`)]
  if (!directory.has('lock')) return [fine('service.none', 'no process has the directory')]
  try {
    DataDirectory.open(directory.path).release()
    return [fine('service.none', 'no process has the directory')]
  } catch (failure) {
    if (!(failure instanceof LedgerError)) throw failure
    if (failure.code === 'LOCKED') return [warning('service.silent', `${failure.message}, and it does not answer`)]
    return [warning('service.unknown', `no service answers, and the lock cannot be tried: ${failure.message}`)]
  }
}

const log = async (directory: DataDirectory): Promise<readonly Finding[]> => {
  try {
    const settings = readStoreSettings(process.env)
    return settings.kind === 'sqlite' ? await logInFile(directory) : await logOnServer(directory, settings)
  } catch (failure) {
    if (failure instanceof LedgerError) return [unread(failure)]
    throw failure
  }
}

/** A server that cannot be asked says nothing about the log. */
const unread = (failure: LedgerError): Finding => {
  const { exitCode, code, message, hint } = failure
  if (exitCode === EXIT.integrity || exitCode === EXIT.notFound) return error('log.unreadable', message)
  return error('store.unusable', `${code}: ${message}. ${hint}`)
}

const logInFile = async (directory: DataDirectory): Promise<readonly Finding[]> => {
  const store = ReadOnlyStore.open(directory.file('ledger.db'))
  const structure = store.quickCheck()
  if (structure !== 'ok') return [error('log.structure', structure)]
  return looked(new LogInFile(store), directory)
}

const logOnServer = async (directory: DataDirectory, settings: ServerSettings): Promise<readonly Finding[]> => {
  const store = await openServerStore(settings)
  const fault = await store.inspect().catch((failure) => failure)
  if (fault === undefined) return looked(new LogOnServer(store), directory)
  await store.close()
  if (fault.exitCode !== EXIT.integrity) throw fault
  return [error('log.place', `${fault.code}: ${fault.message}`)]
}

const looked = async (log: ReadableLog, directory: DataDirectory): Promise<readonly Finding[]> => {
  try {
    // Before the log: what a service has seen by then is there.
    const [seen, derived] = [seenIn(directory), derivedIn(directory)]
    const head = await log.head()
    const last = head === undefined ? [warning('log.empty', 'the log has no record yet')] : await lastBlock(log, head)
    const lost = await lacks(log, head, [seen, derived.found])
    return [...last, ...lost, ...(lost.length === 0 ? [derived.finding(head)] : [])]
  } finally {
    await log.close()
  }
}

/** What a service has seen that used this directory; the log that it used has it. */
interface Found {
  readonly name: string
  readonly position: Position | undefined
}

const lacks = async (
  log: ReadableLog,
  head: Position | undefined,
  all: readonly Found[],
): Promise<readonly Finding[]> => {
  const ends = head === undefined ? 'is empty' : `ends with record ${head.seq}, leaf ${head.leaf}`
  const findings: Finding[] = []
  for (const { name, position } of all) {
    if (position === undefined) continue
    const block = head === undefined ? undefined : await log.block(position)
    if (block !== undefined && samePosition(positionOf(block), position)) continue
    const text = `${name} has seen record ${position.seq} with leaf ${position.leaf}, which the log has not; that ${ends}`
    findings.push(error('log.went_back', `${text}. ${LOOK_WHICH}`))
  }
  return findings
}

const LOOK_WHICH =
  'No service starts on it. Look at EPSILON_STORE and EPSILON_LEDGER, then at docs/runbooks/log-went-back.md'

/** The last block is whole, and ends with the leaf that was noted beside the log. */
const lastBlock = async (log: ReadableLog, head: Position): Promise<readonly Finding[]> => {
  const block = await log.block(head)
  const bytes = block === undefined ? undefined : [...recordsOf(block)].at(-1)?.bytes
  if (bytes === undefined || leafHash(bytes) !== head.leaf) {
    return [
      error(
        'log.head',
        `block ${head.block} does not end with leaf ${head.leaf}: run verify, it names the first bad record`,
      ),
    ]
  }
  const { at } = decodeRecord(bytes)
  const aheadMs = Date.parse(at) - Date.now()
  return [
    fine('log.head', `record ${head.seq} of ${at}, leaf ${head.leaf}`),
    ...(aheadMs > 5_000
      ? [warning('clock.behind', `the last record is ${Math.round(aheadMs / 1000)} s ahead of this machine's clock`)]
      : []),
  ]
}

const seenIn = (directory: DataDirectory): Found => ({ name: 'seen', position: SeenFile.read(directory.file('seen')) })

/** The derived state is a shortcut: the next start brings it up to the log, builds it anew, or refuses a log that is not its own. */
const derivedIn = (directory: DataDirectory): { found: Found; finding: (head: Position | undefined) => Finding } => {
  const found = (position?: Position): Found => ({ name: 'state.db', position })
  if (!directory.has('state.db')) {
    const none = fine('state.none', 'there is no derived state; the next start builds it from the log')
    return { found: found(), finding: () => none }
  }
  try {
    const position = positionIn(directory.file('state.db'))
    return { found: found(position), finding: (head) => behind((head?.seq ?? -1) - (position?.seq ?? -1)) }
  } catch (failure) {
    const unreadable = warning(
      'state.unreadable',
      `the derived state cannot be read now (${(failure as Error).message}); the next start builds it anew where it has to`,
    )
    return { found: found(), finding: () => unreadable }
  }
}

const behind = (records: number): Finding =>
  fine('state.position', `the derived state is ${records} records behind the log; the next start replays those`)

const positionIn = (path: string): Position | undefined => {
  const file = new SqliteFile(`${pathToFileURL(path)}?mode=ro`, 1_000)
  try {
    const row = file.prepare('SELECT block, seq, leaf FROM head').get([])
    return row && { block: Number(row['block']), seq: Number(row['seq']), leaf: String(row['leaf']) }
  } finally {
    file.close()
  }
}
