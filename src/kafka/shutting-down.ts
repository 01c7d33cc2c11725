import { LedgerError } from '../ledger/errors.js'

/** Why what is under way with the topics is given up. */
export const shuttingDown = (): LedgerError =>
  new LedgerError('SHUTTING_DOWN', 'the ledger is shutting down, and nothing more is published', { retry: 'now' })

export const isShuttingDown = (error: unknown): error is LedgerError =>
  error instanceof LedgerError && error.code === 'SHUTTING_DOWN'
