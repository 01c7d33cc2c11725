import { SqliteStore } from '../../src/adapters/sqlite-store.js'
import { positionOf } from '../../src/ledger/block.js'
import type { LedgerError } from '../../src/ledger/errors.js'
import { blockAfter } from '../support/logs.js'

// Appends until the store refuses, and prints the last acknowledged record and the code.
const store = SqliteStore.create(process.argv[2] as string)
let head = await store.append([blockAfter(undefined, 50)], undefined)
try {
  for (;;) {
    const block = blockAfter(head, 50)
    await store.append([block], head)
    head = positionOf(block)
  }
} catch (error) {
  const { code } = error as LedgerError
  const again = await store.append([blockAfter(head, 1)], head).catch((refusal: LedgerError) => refusal.code)
  console.log(JSON.stringify({ acknowledged: head.seq, code, again }))
}
