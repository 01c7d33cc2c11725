import { replaceFile } from '../../src/adapters/durable-file.js'
import type { LedgerError } from '../../src/ledger/errors.js'

// Replaces a file by one that is larger than the process may write, and prints the code.
try {
  replaceFile(process.argv[2] as string, Buffer.alloc(100_000, 'x'), 0o600)
} catch (error) {
  console.log((error as LedgerError).code)
}
