import { LedgerError } from '../ledger/errors.js'

/** Where a command reads and writes. Results go to stdout, everything else to stderr. */
export interface Io {
  readonly stdin: NodeJS.ReadableStream
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean }
}

/** One verb. `args` are those after its name; the answer is the process's exit code. */
export type Run = (args: readonly string[], io: Io) => Promise<number>

/** Exit codes that every verb shares; 20 goes before 32. */
export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  precondition: 3,
  notFound: 10,
  locked: 11,
  key: 12,
  integrity: 20,
  violation: 32,
} as const

/** One JSON document on one line. */
export const writeJson = (io: Io, document: unknown): void => {
  io.stdout.write(`${JSON.stringify(document)}\n`)
}

export const writeLine = (io: Io, line: string): void => {
  io.stdout.write(`${line}\n`)
}

/** What a caller got wrong on the command line. */
export const usage = (message: string, hint = 'epsilon-ledger --help lists the commands'): LedgerError =>
  new LedgerError('USAGE', message, { retry: 'never', hint, exitCode: EXIT.usage })
