/**
 * A hash table of 32-bit tags with a 32-bit value each, several values a tag where it must be: open addressing in many
 * small partitions, each of which grows by a quarter on its own, so that no single insert stops the process for long.
 *
 * The upper 28 bits of a tag choose its place, in order; whoever reads compares what a slot's value stands for.
 */
export class SlotTable {
  readonly #partitions: Uint32Array[]
  readonly #sizes: Uint32Array
  #firstCapacity = 8
  size = 0

  constructor(partitions: number) {
    this.#partitions = new Array<Uint32Array>(partitions).fill(NO_SLOTS)
    this.#sizes = new Uint32Array(partitions)
  }

  /** Tells how many entries will come, so that partitions need not grow step by step. */
  expect(entries: number): void {
    this.#firstCapacity = Math.ceil((entries / this.#partitions.length) * 1.4) + 8
  }

  /** Pairs of tag and value; a value of 0 is a free slot. Read from {@link placeOf} on with {@link nextPlace}. */
  slots(partition: number): Uint32Array {
    return this.#partitions[partition] ?? NO_SLOTS
  }

  /** @param value not 0 */
  insert(partition: number, tag: number, value: number): void {
    let slots = this.slots(partition)
    const size = (this.#sizes[partition] ?? 0) + 1
    if (size * 2 > slots.length * FULLEST) {
      slots = grown(slots, this.#firstCapacity)
      this.#partitions[partition] = slots
    }
    put(slots, tag, value)
    this.#sizes[partition] = size
    this.size++
  }
}

/** Where the search for a tag begins. */
export const placeOf = (slots: Uint32Array, tag: number): number =>
  Math.floor(((tag >>> 4) * (slots.length >>> 1)) / 2 ** 28) * 2

export const nextPlace = (slots: Uint32Array, place: number): number => (place + 2 === slots.length ? 0 : place + 2)

const FULLEST = 0.8
/** One slot that stays free, so that a search of a partition without entries ends at once. */
const NO_SLOTS = new Uint32Array(2)

const grown = (slots: Uint32Array, least: number): Uint32Array => {
  const capacity = slots.length >>> 1
  const wider = new Uint32Array(Math.max(least, capacity + 8, Math.floor(capacity * 1.25)) * 2)
  for (let place = 0; place < slots.length; place += 2) {
    const value = slots[place + 1] as number
    if (value !== 0) put(wider, slots[place] as number, value)
  }
  return wider
}

const put = (slots: Uint32Array, tag: number, value: number): void => {
  let place = placeOf(slots, tag)
  while (slots[place + 1] !== 0) place = nextPlace(slots, place)
  slots[place] = tag
  slots[place + 1] = value
}
