import { recordIn } from '../ledger/block.js'
import type { EventStore } from '../ledger/event-store.js'
import { decodeRecord, type LedgerRecord, leafHash } from '../ledger/record.js'
import type { Prior } from './context.js'
import { eventOf } from './event-of.js'
import type { SpendPart } from './events.js'

/** Reads what a record said, with the parts that came before it, so that the same request gets the same answer. */
export const readPrior = async (store: EventStore, seq: number): Promise<Prior | undefined> => {
  const bytes = await recordBytes(store, seq)
  if (bytes === undefined) return undefined
  const record = decodeRecord(bytes, 'trusted')
  const event = eventOf(record)
  const count = 'parts' in event.data && event.data.parts !== undefined ? event.data.parts.count : 0
  return { seq, leaf: leafHash(bytes), epoch: record.epoch, event, parts: await readParts(store, seq - count, seq) }
}

/** The stored bytes of one record; undefined where there is none. */
export const recordBytes = async (store: EventStore, seq: number): Promise<Uint8Array | undefined> => {
  const block = await store.blockOf(seq)
  return block === undefined ? undefined : recordIn(block, seq)
}

const readParts = async (store: EventStore, from: number, to: number): Promise<readonly SpendPart[]> => {
  const parts: SpendPart[] = []
  for (let seq = from; seq < to; seq++) {
    const bytes = await recordBytes(store, seq)
    if (bytes !== undefined) parts.push(partOf(decodeRecord(bytes, 'trusted')))
  }
  return parts
}

const partOf = (record: LedgerRecord): SpendPart => record.data as unknown as SpendPart
