import { type Spread, spreadOf } from './statistics.js'

/** One figure of a run, measured several times. */
export interface Figure extends Spread {
  readonly name: string
  readonly unit: string
}

/** Collects measurements by name, in the order in which the names first came. */
export class Report {
  private readonly measured = new Map<string, { readonly unit: string; readonly values: number[] }>()
  /** Why rows are missing, by what they would have shown. */
  readonly leftOut = new Map<string, string>()

  add(name: string, unit: string, value: number): void {
    const known = this.measured.get(name)
    if (known === undefined) this.measured.set(name, { unit, values: [value] })
    else known.values.push(value)
  }

  leaveOut(name: string, why: string): void {
    this.leftOut.set(name, why)
  }

  figures(): readonly Figure[] {
    return [...this.measured].map(([name, { unit, values }]) => ({ name, unit, ...spreadOf(values) }))
  }

  /** The newest measurement of a figure; not a number where there is none. */
  last(name: string): number {
    return this.measured.get(name)?.values.at(-1) ?? Number.NaN
  }

  median(name: string): number | undefined {
    const values = this.measured.get(name)?.values
    return values === undefined ? undefined : spreadOf(values).median
  }
}

export const figureTable = (figures: readonly Figure[]): string =>
  table([
    ['figure', 'unit', 'min', 'median', 'max', 'runs'],
    ...figures.map(({ name, unit, min, median, max, runs }) => [
      name,
      unit,
      ...[min, median, max].map(short),
      String(runs),
    ]),
  ])

/** Three digits are more than a shared machine repeats. */
export const short = (value: number): string => {
  if (!Number.isFinite(value)) return '-'
  if (value >= 1_000) return Math.round(Number(value.toPrecision(4))).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}

/** Columns aligned, the first to the left. */
export const table = (rows: readonly (readonly string[])[]): string => {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, column) => Math.max(cell.length, widest[column] ?? 0)),
    [],
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  '),
    )
    .join('\n')
}
