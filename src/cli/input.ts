import { existsSync, statSync } from 'node:fs'
import { LedgerError } from '../ledger/errors.js'
import { EXIT, type Io } from './io.js'
import { readText } from './key-file.js'

const MOST_BYTES = 4 * 1024 * 1024

/** The text of a file, or of stdin for `-`: at most 4 MiB, as over HTTP. */
export const readInput = async (name: string, io: Io): Promise<string> => {
  if (name !== '-') return readText(name)
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of io.stdin) {
    const bytes = Buffer.from(piece)
    size += bytes.length
    if (size > MOST_BYTES)
      throw new LedgerError('TOO_LARGE', `stdin has more than ${MOST_BYTES} bytes`, {
        retry: 'never',
        exitCode: EXIT.usage,
      })
    pieces.push(bytes)
  }
  return Buffer.concat(pieces).toString('utf8')
}

/** What can be read as a stream: a file, a pipe, a device; its size says something of a regular file alone. Throws `FILE_MISSING`. */
export const requireReadable = (path: string): { readonly size: number; readonly regular: boolean } => {
  const found = existsSync(path) ? statSync(path) : undefined
  if (found !== undefined && !found.isDirectory()) return { size: found.size, regular: found.isFile() }
  const [message, hint] =
    found === undefined
      ? [`there is no file ${path}`, '']
      : [`${path} is a folder, and a file is expected`, 'A data directory is named with --data.']
  throw new LedgerError('FILE_MISSING', message, { retry: 'never', hint, exitCode: EXIT.notFound })
}
