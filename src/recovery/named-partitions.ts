import type { GapDeclared, OffsetsRecorded } from '../budget/events.js'
import { type Block, recordsOf } from '../ledger/block.js'
import { decodeRecord, type LedgerRecord } from '../ledger/record.js'

/**
 * The partitions whose messages a ledger has handled, as its own records say: whichever of its instances takes them now, lost records may
 * have decided more of them.
 */
export class NamedPartitions {
  readonly #places = new Set<string>()

  has({ topic, partition }: Place): boolean {
    return this.#places.has(keyOf({ topic, partition }))
  }

  addBlock(block: Block): void {
    for (const { bytes } of recordsOf(block)) this.add(decodeRecord(bytes, 'trusted'))
  }

  add({ cause, type, data }: LedgerRecord): void {
    if (cause.kind === 'kafka') this.#places.add(keyOf(cause))
    if (type === 'OffsetsRecorded') this.#places.add(keyOf(data as unknown as OffsetsRecorded))
    if (type !== 'GapDeclared') return
    for (const place of (data as unknown as GapDeclared).undecided ?? []) this.#places.add(keyOf(place))
  }
}

interface Place {
  readonly topic: string
  readonly partition: number
}

const keyOf = ({ topic, partition }: Place): string => `${partition} ${topic}`
