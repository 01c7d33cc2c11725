/** A range of a noise stream's counters, both ends included, and the record that used it. */
export interface NoiseRange {
  readonly from: bigint
  readonly to: bigint
  readonly seq: number
}

/**
 * Which counters of which noise stream were used. Noise that is used twice cancels out: the difference of two answers
 * shows the data, so no two ranges of a stream may share a counter, in any epoch.
 */
export class NoiseIndex {
  /** Each stream's ranges by rising counters, without overlaps. */
  readonly #streams = new Map<string, NoiseRange[]>()

  get streams(): number {
    return this.#streams.size
  }

  /** Takes a range in. @returns the range that used one of its counters before, if any. */
  use(stream: string, range: NoiseRange): NoiseRange | undefined {
    const ranges = this.#streams.get(stream)
    if (ranges === undefined) {
      this.#streams.set(stream, [range])
      return undefined
    }
    const first = Math.max(0, placeOf(ranges, range.from) - 1)
    const overlapping: NoiseRange[] = []
    for (let place = first; place < ranges.length; place++) {
      const other = ranges[place]
      if (other === undefined || other.from > range.to) break
      if (overlaps(other, range)) overlapping.push(other)
    }
    for (const free of withoutRanges(range, overlapping)) ranges.splice(placeOf(ranges, free.from), 0, free)
    return overlapping[0]
  }

  /** Gives back what a reservation named and never used. */
  giveBack(stream: string, range: NoiseRange): void {
    const ranges = this.#streams.get(stream) ?? []
    const place = ranges.findIndex(({ from, to, seq }) => from === range.from && to === range.to && seq === range.seq)
    if (place !== -1) ranges.splice(place, 1)
  }
}

/** The index of the first range that begins above `from`; almost always the end. */
const placeOf = (ranges: readonly NoiseRange[], from: bigint): number => {
  let low = 0
  let high = ranges.length
  const last = ranges[high - 1]
  if (last !== undefined && last.from <= from) return high
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ranges[middle]?.from ?? 0n) <= from) low = middle + 1
    else high = middle
  }
  return low
}

const overlaps = (one: NoiseRange, other: NoiseRange): boolean => one.from <= other.to && other.from <= one.to

/** What of a range none of these, in rising order, covers. */
const withoutRanges = (range: NoiseRange, taken: readonly NoiseRange[]): readonly NoiseRange[] => {
  const free: NoiseRange[] = []
  let from = range.from
  for (const other of taken) {
    if (other.from > from) free.push({ ...range, from, to: other.from - 1n })
    from = other.to + 1n
  }
  return from <= range.to ? [...free, { ...range, from }] : free
}
