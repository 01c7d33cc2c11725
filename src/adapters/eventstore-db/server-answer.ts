import { LedgerError } from '../../ledger/errors.js'

/** What an error of the client says about the call that it ended. */
export type ServerAnswer =
  /** The stream ends elsewhere. */
  | 'wrong-version'
  /** The stream was tombstoned, or deleted and never written to again. */
  | 'deleted'
  /** There is no such stream, or none that may be seen. */
  | 'not-found'
  | 'forbidden'
  | 'too-large'
  /** Another node leads; the client has turned to it. */
  | 'not-leader'
  /** Anything else: what was asked may have been done, or may be done later. */
  | 'unclear'

/** Errors of the client have empty messages and no codes; their `type` is all that they always say. */
export const answerIn = (error: unknown): ServerAnswer =>
  ANSWERS[String((error as { type?: unknown })?.type)] ?? 'unclear'

const ANSWERS: Readonly<Record<string, ServerAnswer>> = {
  'wrong-expected-version': 'wrong-version',
  'stream-deleted': 'deleted',
  'stream-not-found': 'not-found',
  'access-denied': 'forbidden',
  'maximum-append-size-exceeded': 'too-large',
  'not-leader': 'not-leader',
}

/** In words, for a message, on one line. */
export const wordsOf = (error: unknown): string => {
  const { message, type, code } = error as { message?: string; type?: string; code?: number }
  const words = message?.split('\n')[0]?.replace(/\s*Resolution note:\s*$/, '')
  return words || type || (code === undefined ? String(error) : `status ${code}`)
}

export const unreachable = (shown: string, error: unknown): LedgerError =>
  new LedgerError('STORE_UNREACHABLE', `${shown} does not answer: ${wordsOf(error)}`, {
    retry: 'after-restart',
    hint: `Look at ${/SSL|certificate/i.test(wordsOf(error)) ? 'tls and tlsCAFile in the URL' : 'the servers and at the way there'}, then start again. docs/runbooks/kurrentdb.md`,
    cause: error,
    exitCode: 3,
  })

export const forbidden = (shown: string, stream: string, what: string): LedgerError =>
  new LedgerError('STORE_REFUSED', `${shown} does not let this user ${what} stream ${stream}`, {
    retry: 'after-restart',
    hint: 'Look at user and password, and at $acl in the metadata of the stream. docs/runbooks/kurrentdb.md',
    exitCode: 3,
  })

export const storeClosed = (): LedgerError =>
  new LedgerError('STORE_CLOSED', 'the store was closed', { retry: 'after-restart' })
