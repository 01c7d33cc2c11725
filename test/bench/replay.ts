import { SqliteStore } from '../../src/adapters/sqlite-store.js'
import { LedgerState } from '../../src/adapters/state/ledger-state.js'
import { openServerStore } from '../../src/adapters/stores.js'
import { catchUp } from '../../src/budget/catch-up.js'
import { readStoreSettings } from '../../src/configuration.js'

/** A log to be replayed in a process that is started with this as its only argument. */
export interface ReplayJob {
  /** The variables that name its store. */
  readonly environment: Readonly<Record<string, string>>
  /** Where it lies if they name none. */
  readonly file: string
}

export interface Replayed {
  readonly records: number
  readonly seconds: number
}

/** As at a start without a derived state, less the start of the process itself: reads, checks the chain, and adds up. */
const replay = async ({ environment, file }: ReplayJob): Promise<Replayed> => {
  const settings = readStoreSettings(environment)
  const store = settings.kind === 'sqlite' ? SqliteStore.open(file) : await openServerStore(settings)
  const from = performance.now()
  const chain = await catchUp(store, LedgerState.memory(), undefined)
  const seconds = (performance.now() - from) / 1_000
  await store.close()
  return { records: (chain?.position.seq ?? -1) + 1, seconds }
}

process.send?.(await replay(JSON.parse(process.argv[2] as string) as ReplayJob))
process.disconnect?.()
