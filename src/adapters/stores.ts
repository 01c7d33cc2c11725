import { readFileSync } from 'node:fs'
import type { ServerSettings } from '../configuration.js'
import { LedgerError } from '../ledger/errors.js'
import type { EventStore } from '../ledger/event-store.js'

/**
 * Opens the log of one ledger on a server; an empty one where there is none yet. The clients are loaded only here: who keeps the
 * log in a file needs neither.
 *
 * @throws LedgerError SECRET_UNREADABLE, and what the store throws on opening.
 */
export const openServerStore = async (settings: ServerSettings): Promise<EventStore> => {
  const { kind, url, ledger, username, passwordFile } = settings
  const password = passwordFile === undefined ? undefined : passwordIn(passwordFile)
  const options = {
    url,
    ledger,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  }
  if (kind === 'postgres') {
    const { PostgresStore } = await import('./postgres/postgres-store.js')
    return PostgresStore.open(options)
  }
  const { KurrentStore } = await import('./eventstore-db/kurrent-store.js')
  return KurrentStore.open(options)
}

/** The same, where nothing is wrong with its place. @throws LedgerError the fault that the store finds there. */
export const openSoundStore = async (settings: ServerSettings): Promise<EventStore> => {
  const store = await openServerStore(settings)
  const fault = await store.inspect().catch((error) => error)
  if (fault === undefined) return store
  await store.close()
  throw fault
}

/** One password and nothing else; a line feed at the end is not a part of it. */
const passwordIn = (path: string): string => {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    throw new LedgerError('SECRET_UNREADABLE', `${path} cannot be read: ${(error as Error).message}`, {
      retry: 'never',
      hint: 'The variable that names it ends with PASSWORD_FILE.',
      cause: error,
      exitCode: 12,
    })
  }
}
