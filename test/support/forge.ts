import { BlockBuilder } from '../../src/ledger/block.js'
import { GAP_DECLARED } from '../../src/ledger/chain.js'
import type { Cause, JsonObject } from '../../src/ledger/record.js'

/** A record as parsed JSON that a forger may change. */
export interface LooseRecord {
  at: string
  by: string
  cause: JsonObject
  // biome-ignore lint/suspicious/noExplicitAny: a forger changes whatever he wants
  data: any
  epoch: number
  prev: string
  seq: number
  type: string
  v: number
}

/**
 * A log in which somebody with the power to rewrite everything has changed records: parsed, changed, and chained anew,
 * so that every hash is right again.
 */
export const forged = (lines: readonly string[], change: (records: LooseRecord[]) => void): Buffer => {
  const records = lines.map((line) => JSON.parse(line) as LooseRecord)
  change(records)
  renumber(records)
  const builder = new BlockBuilder(undefined)
  for (const { at, by, cause, data, epoch, type, v } of records) {
    builder.add({ at, by, cause: cause as unknown as Cause, data: data as object, epoch, type, v })
  }
  return Buffer.concat(builder.blocks().map(({ bytes }) => bytes))
}

/** Records that name others by number go on naming them, wherever records were put in or taken out. */
const renumber = (records: readonly LooseRecord[]): void => {
  const places = new Map(records.map(({ seq }, place) => [seq, place]))
  for (const [place, { type, seq, data }] of records.entries()) {
    if (places.has(data.quarantined)) data.quarantined = places.get(data.quarantined)
    if (type === GAP_DECLARED && data.from === seq) {
      data.to += place - seq
      data.from = place
    }
  }
}

/** The first record of a type, or the one that `where` finds among them. */
export const firstOf = (
  records: readonly LooseRecord[],
  type: string,
  where: (data: LooseRecord['data']) => boolean = () => true,
) => {
  const found = records.find((record) => record.type === type && where(record.data))
  if (found === undefined) throw new Error(`the log has no such ${type}`)
  return found
}
