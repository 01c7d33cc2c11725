/** Smallest, middle and largest of several measurements of one figure. */
export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
  readonly runs: number
}

export const spreadOf = (values: readonly number[]): Spread => {
  const sorted = values.toSorted((a, b) => a - b)
  return {
    min: quantile(sorted, 0),
    median: quantile(sorted, 0.5),
    max: quantile(sorted, 1),
    runs: sorted.length,
  }
}

/** The value below which a share of the sorted ones lies, by the nearest rank; the middle of two for the median. */
export const quantile = (sorted: readonly number[], share: number): number => {
  const place = share * (sorted.length - 1)
  const below = sorted[Math.floor(place)]
  const above = sorted[Math.ceil(place)]
  if (below === undefined || above === undefined) return Number.NaN
  return share === 0.5 ? (below + above) / 2 : above
}

/** Numbers in [0, 1) that a seed repeats exactly (mulberry32). */
export const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
