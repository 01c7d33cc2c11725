import { existsSync, readFileSync } from 'node:fs'
import { LedgerError } from '../ledger/errors.js'
import { parsePublicKey } from '../ledger/signing.js'
import { EXIT } from './io.js'

/** A public key: a file with its PEM or its base64, or the base64 itself. Throws `KEY_UNREADABLE`. */
export const publicKeyFrom = (argument: string): Uint8Array => {
  const text = existsSync(argument) ? readFileSync(argument, 'utf8') : argument
  if (text.startsWith('-----')) return parsePublicKey(text)
  const bytes = Buffer.from(text.trim(), 'base64')
  if (bytes.length === 32 && bytes.toString('base64') === text.trim()) return new Uint8Array(bytes)
  throw new LedgerError(
    'KEY_UNREADABLE',
    `${JSON.stringify(argument)} is neither a file with a public key nor 32 bytes in base64`,
    {
      retry: 'never',
      hint: 'epsilon-ledger keys --data DIR shows the public key of a ledger',
      exitCode: EXIT.key,
    },
  )
}

/** Throws `FILE_MISSING`. */
export const readText = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new LedgerError('FILE_MISSING', `${path} cannot be read: ${(error as Error).message}`, {
      retry: 'never',
      cause: error,
      exitCode: EXIT.notFound,
    })
  }
}
