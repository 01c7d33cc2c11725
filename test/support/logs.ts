import type { Position } from '../../src/ledger/block.js'
import { type Block, BlockBuilder, positionOf } from '../../src/ledger/block.js'
import { GAP_DECLARED } from '../../src/ledger/chain.js'

/** Instant number `index` of a test, one second apart. */
export const instant = (index: number): string => new Date(Date.UTC(2026, 0, 1) + index * 1_000).toISOString()

/** One block of `count` plausible records after `after`. */
export const blockAfter = (after: Position | undefined, count: number, note = 'ü', epoch = 0): Block => {
  const builder = new BlockBuilder(after)
  for (let index = 0; index < count; index++) {
    const seq = builder.nextSeq
    const data = { amount: `${seq * 7}`, note: `${note} ${seq}`, nested: { on: true, list: [1, null, 'a"b'] } }
    builder.add({ at: instant(seq), by: 'service:test', cause: { kind: 'http' }, data, epoch, type: 'Noted', v: 1 })
  }
  const [block] = builder.blocks()
  if (block === undefined) throw new Error('a block has at least one record')
  return block
}

/** A block of one record that a message caused. */
export const blockOfMessage = (after: Position, partition: number, topic = 'epsilon.spends'): Block => {
  const builder = new BlockBuilder(after)
  const at = instant(builder.nextSeq)
  const cause = { kind: 'kafka', topic, partition, offset: '0', digest: '0'.repeat(32) } as const
  builder.add({ at, by: 'emitter:test', cause, data: {}, epoch: 0, type: 'Noted', v: 1 })
  return builder.blocks()[0] as Block
}

/** Blocks of these sizes, from the beginning of a ledger. */
export const blocksOf = (...sizes: readonly number[]): readonly Block[] => {
  const blocks: Block[] = []
  for (const size of sizes)
    blocks.push(blockAfter(blocks.length === 0 ? undefined : positionOf(blocks.at(-1) as Block), size))
  return blocks
}

/** A block that begins `epoch` at `seq`, above a gap after `after`. */
export const epochAfter = (
  after: Position,
  epoch: number,
  seq: number,
  data: object = { from: after.seq + 1, to: seq - 1 },
): Block => {
  const builder = new BlockBuilder(after, seq)
  builder.add({ at: instant(seq), by: 'system', cause: { kind: 'system' }, data, epoch, type: GAP_DECLARED, v: 1 })
  builder.add({ at: instant(seq), by: 'system', cause: { kind: 'system' }, data: {}, epoch, type: 'Noted', v: 1 })
  return builder.blocks()[0] as Block
}

export const collect = async <Item>(items: AsyncIterable<Item>): Promise<Item[]> => {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}

/** What an action throws, for looking at more than its message. */
export const thrownBy = (action: () => unknown): unknown => {
  try {
    action()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
