import type { EventStore } from '../../src/ledger/event-store.js'
import { type Verification, Verifier } from '../../src/recovery/verify.js'

/** A whole pass over NDJSON. */
export const verifiedLines = (bytes: Uint8Array, head?: string): Verification => {
  const verifier = new Verifier()
  verifier.addLines(bytes)
  return verifier.end(head)
}

/** A whole pass over a store. */
export const verifiedBlocks = async (store: EventStore): Promise<Verification> => {
  const verifier = new Verifier()
  for await (const block of store.read(0)) if (!verifier.addBlock(block)) break
  return verifier.end((await store.head())?.leaf)
}
