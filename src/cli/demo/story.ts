/** A step that did not do what it says. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed'
}

/** Holds the demo to its word: `what` says what was expected and what came instead. */
export function check(holds: boolean, what: () => string): asserts holds {
  if (!holds) throw new StepFailed(what())
}

/** What the demo tells, line by line. */
export class Story {
  readonly lines: string[] = []
  #step = 'start'

  constructor(private readonly print: (line: string) => void) {}

  /** The step under way, as its heading names it. */
  get step(): string {
    return this.#step
  }

  begin(heading: string): void {
    this.#step = heading
    this.say(heading)
  }

  say(line: string): void {
    this.lines.push(line)
    this.print(line)
  }

  /** Rows in columns that are as wide as their widest cell. */
  table(rows: readonly (readonly string[])[]): void {
    const widths = rows.reduce<readonly number[]>(
      (most, row) => row.map((cell, column) => Math.max(most[column] ?? 0, cell.length)),
      [],
    )
    for (const row of rows) {
      this.say(`  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    }
  }
}
