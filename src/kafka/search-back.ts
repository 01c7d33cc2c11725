import type { KafkaMessage } from 'kafkajs'
import type { KafkaClients } from './client.js'
import type { Ends } from './lost-range.js'
import { ends, type Range, readRange } from './tail.js'

export interface Search<Found> {
  readonly clients: KafkaClients
  /** Whole name of the topic. */
  readonly topic: string
  /** What a message is, where it is one of those that are looked for. */
  readonly pick: (message: KafkaMessage, partition: number) => Found | undefined
  readonly signal?: AbortSignal
  readonly readUncommitted?: boolean
  /** Messages of each partition that are read in any case, so that `pick` sees them all; 64 where nothing is said. */
  readonly atLeast?: bigint
}

const FIRST_STEP = 64n
/** Each further step back reads so many times as many messages as the one before. */
const STEPS_GROW = 8n

/**
 * The newest message of each partition that `pick` takes, as the topic stands at the call: found from the end back, so that
 * a long topic costs no more than the distance. Partitions without any are left out. @throws as {@link readRange} does.
 */
export const searchBack = async <Found>(
  search: Search<Found>,
): Promise<{ readonly found: ReadonlyMap<number, Found>; readonly ends: ReadonlyMap<number, Ends> }> => {
  const { pick, atLeast = FIRST_STEP, ...read } = search
  const present = await ends(read.clients, read.topic, read)
  const found = new Map<number, Found>()
  const take = (message: KafkaMessage, partition: number): void => {
    const one = pick(message, partition)
    if (one !== undefined) found.set(partition, one)
  }
  let ranges = stepBack(new Map([...present].map(([partition, { high }]) => [partition, high])), present, atLeast)
  for (let step = atLeast * STEPS_GROW; ranges.size > 0; step *= STEPS_GROW) {
    await readRange({ ...read, ranges, take })
    const open = [...ranges].filter(([partition]) => !found.has(partition))
    ranges = stepBack(new Map(open.map(([partition, { from }]) => [partition, from])), present, step)
  }
  return { found, ends: present }
}

/** The next messages before those that were read; none for a partition that was read to its beginning. */
const stepBack = (
  before: ReadonlyMap<number, bigint>,
  present: ReadonlyMap<number, Ends>,
  step: bigint,
): ReadonlyMap<number, Range> => {
  const ranges = new Map<number, Range>()
  for (const [partition, to] of before) {
    const low = present.get(partition)?.low ?? 0n
    if (to > low) ranges.set(partition, { from: to - step > low ? to - step : low, to })
  }
  return ranges
}
