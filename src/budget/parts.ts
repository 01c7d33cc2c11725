import { createHash } from 'node:crypto'
import { canonicalJson } from '../ledger/canonical.js'
import type { BudgetEvent, Parts, SpendAccepted, SpendPart } from './events.js'

/** Units up to this number, and this many UTF-8 bytes of JSON, stand in the decision's own record. */
const MOST_INLINE = 100
const MOST_INLINE_BYTES = 8_000

/** Room for names in one part, in UTF-8 bytes of JSON: a record holds 65,535 bytes in all. */
const PART_BYTES = 48_000

/**
 * Moves many units out of a decision into parts that precede it. The decision carries their number and a digest;
 * any other record between them voids them.
 */
export const splitIntoParts = (
  data: SpendAccepted,
  units: readonly string[],
  dropped: readonly string[],
): { readonly parts: readonly BudgetEvent[]; readonly data: SpendAccepted } => {
  if (fitsInline(units)) return { parts: [], data }
  const out = new Set(dropped)
  const kept = units.filter((unit) => !out.has(unit))
  const { source, id } = data
  const chunks = [
    ...chunked(kept).map((chunk) => ({ units: chunk, dropped: [] })),
    ...chunked(dropped).map((chunk) => ({ units: [], dropped: chunk })),
  ]
  const parts = chunks.map((chunk, part): SpendPart => ({ source, id, part, ...chunk }))
  const { units: _, ...spend } = data.spend
  const { dropped: __, ...rest } = data
  return {
    parts: parts.map((part) => ({ type: 'SpendPart', data: part })),
    data: { ...rest, spend, parts: { count: parts.length, units: kept.length, digest: digestOf(parts) } },
  }
}

/** Whether a record has room for these names beside everything else in it. */
export const fitsInline = (units: readonly string[]): boolean =>
  units.length <= MOST_INLINE && (units.length < 8 || Buffer.byteLength(JSON.stringify(units)) <= MOST_INLINE_BYTES)

/** What {@link Parts.digest} must be for these parts. */
export const digestOf = (parts: readonly SpendPart[]): Parts['digest'] => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(canonicalJson(part)).update('\n')
  return hash.digest('hex')
}

const chunked = (names: readonly string[]): readonly (readonly string[])[] => {
  const chunks: string[][] = []
  let room = 0
  for (const name of names) {
    const bytes = Buffer.byteLength(JSON.stringify(name)) + 1
    if (bytes > room) {
      chunks.push([])
      room = PART_BYTES
    }
    chunks.at(-1)?.push(name)
    room -= bytes
  }
  return chunks
}
