import { EventStoreDBClient } from '@eventstore/db-client'
import { LedgerError } from '../../ledger/errors.js'
import type { KurrentAddress } from './kurrent-address.js'
import { NoAnswer, within } from './patience.js'

/** A store's share of the clients of this process. */
export interface ClientLease {
  /** For appends, and for nothing else. */
  readonly appends: EventStoreDBClient
  /** For reads and subscriptions. */
  readonly reads: EventStoreDBClient
  /** The hosts, for messages. */
  readonly shown: string
  /** Runs one append at a time, whoever asks. */
  alone<Result>(action: () => Promise<Result>): Promise<Result>
  /** The last one to give its share back closes what is open; the clients themselves stay. */
  release(): Promise<void>
}

/**
 * All clients of a process share one table of pending appends. When a connection breaks, all of them are rejected, and an answer
 * that comes to one over another connection then ends the process. So there is one client for appends, it is never replaced, and one
 * append is on its way at a time. It does not read: a read that fails moves its client to a new connection, and leaves
 * behind the one that appends still wait on.
 *
 * @throws LedgerError STORE_CLIENT_TAKEN where this process already talks to another server, CONFIGURATION_INVALID where the
 * client does not take the address.
 */
export const leaseClient = ({ connectionString, shown }: KurrentAddress): ClientLease => {
  only ??= {
    connectionString,
    shown,
    appends: newClient(connectionString),
    reads: newClient(connectionString),
    leases: 0,
    last: Promise.resolve(),
  }
  const one = only
  if (one.connectionString !== connectionString) throw taken(one.shown, shown)
  one.leases++
  let released = false
  return {
    appends: one.appends,
    reads: one.reads,
    shown,
    alone: (action) => {
      const result = one.last.then(action)
      one.last = result.catch(() => undefined)
      return result
    },
    release: async () => {
      if (released) return
      released = true
      one.leases--
      if (one.leases === 0) await Promise.all([closeStreams(one.appends), closeStreams(one.reads)])
    },
  }
}

interface OnlyClients {
  readonly connectionString: string
  readonly shown: string
  readonly appends: EventStoreDBClient
  readonly reads: EventStoreDBClient
  leases: number
  /** Settles when no append is on its way. */
  last: Promise<unknown>
}

let only: OnlyClients | undefined

const newClient = (connectionString: string): EventStoreDBClient => {
  const { warn } = console
  // The client warns of short keepalives; these are meant.
  console.warn = () => {}
  try {
    return EventStoreDBClient.connectionString(connectionString)
  } catch (error) {
    throw new LedgerError(
      'CONFIGURATION_INVALID',
      `the address of KurrentDB is not accepted: ${(error as Error).message.split('\n')[0]}`,
      { retry: 'never', hint: 'Look at tlsCAFile, userCertFile and userKeyFile. docs/stores.md', exitCode: 2 },
    )
  } finally {
    console.warn = warn
  }
}

/** Nobody uses a client: without this the open stream of appends would keep the process from ending. */
const closeStreams = async (client: EventStoreDBClient): Promise<void> => {
  try {
    await within(CLOSING_MS, client.dispose())
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
  }
}

const CLOSING_MS = 1_000

const taken = (ours: string, other: string): LedgerError =>
  new LedgerError(
    'STORE_CLIENT_TAKEN',
    `this process already talks to ${ours}, and can talk to no second server (${other})`,
    {
      retry: 'never',
      hint: 'Use one address for everything in a process: all of it is one string, options included. To copy from one server to another, copy to a data directory in between.',
      exitCode: 3,
    },
  )
