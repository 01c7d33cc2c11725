import { type Balance, type Movement, NOTHING_TAKEN, type Taken } from '../../budget/balance.js'
import type { Attribute } from '../../budget/policy.js'
import type { Held } from '../../budget/state.js'
import type { BudgetIndex } from './budget-index.js'
import { Cells } from './cells.js'
import { type ChunkSink, type ChunkSource, jsonChunk, type Saved } from './chunks.js'
import { IdColumn } from './id-column.js'
import { type CostCells, costCells, SumColumn } from './sum-column.js'

/** What all budgets of one policy's structure have in common. */
export interface TableShape {
  readonly policy: string
  readonly generation: number
  /** How many rows a sum has. */
  readonly rows: number
  readonly windowed: boolean
  readonly scope: readonly Attribute[]
}

/** A movement that all budgets of one table take alike. */
export interface PreparedMove {
  readonly movement: Movement
  readonly window: string
  readonly cost: CostCells
}

/** The stream that lists the tables. */
export const TABLES = 'tables'

/** What the file keeps of a table beside its columns. */
export interface TableChunk extends TableShape {
  readonly budgets: number
  readonly windows: readonly string[]
}

/** Where in a budget's ids: the name of its key, then the name of the unit in it, then its window. */
const UNIT = 1

/**
 * The budgets of one (policy, generation), by the number of their key's name, in the order in which they came to life.
 * A budget of a windowed policy has sums for its window beside those of its lifetime.
 */
export class BalanceTable implements Saved {
  /** Unit's name → its newest budget + 1, and budget → the one before of the same unit + 1; for composite keys alone. */
  readonly #newestOfUnit = new IdColumn()
  readonly #olderOfUnit = new IdColumn()
  readonly #ids: Cells
  readonly #lifetime: SumColumn
  readonly #reserved: SumColumn
  readonly #spent: SumColumn | undefined
  readonly #windowCell: number
  readonly #windows: string[] = []
  readonly #windowIds = new Map<string, number>()
  readonly isComposite: boolean
  readonly isOfUnits: boolean
  #budgets = 0
  #savedBudgets = -1
  #savedWindows = 0

  constructor(
    private readonly number: number,
    readonly shape: TableShape,
    private readonly index: BudgetIndex,
    tracked: boolean,
  ) {
    const { rows, windowed, scope } = shape
    this.isOfUnits = scope.includes('unit')
    this.isComposite = this.isOfUnits && scope.length > 1
    this.#windowCell = this.isComposite ? 2 : 1
    const stream = `table ${number}`
    this.#ids = new Cells(`${stream} ids`, this.#windowCell + (windowed ? 1 : 0), tracked)
    this.#lifetime = new SumColumn(`${stream} lifetime`, rows, tracked)
    this.#reserved = new SumColumn(`${stream} reserved`, rows, tracked)
    this.#spent = windowed ? new SumColumn(`${stream} spent`, rows, tracked) : undefined
  }

  get size(): number {
    return this.#budgets
  }

  has(name: number): boolean {
    return this.#budgetOf(name) !== -1
  }

  get(name: number): Balance | undefined {
    const budget = this.#budgetOf(name)
    if (budget === -1) return undefined
    const lifetime = this.#lifetime.read(budget)
    const reserved = this.#reserved.read(budget)
    if (this.#spent === undefined) return { window: LIFETIME, spent: lifetime, reserved, lifetime }
    return { window: this.#windowOf(budget), spent: this.#spent.read(budget), reserved, lifetime }
  }

  /** What a budget has taken in `window`; to be asked before it is moved next. */
  taken(name: number, window: string): Taken {
    const budget = this.#budgetOf(name)
    const spent = this.#spent ?? this.#lifetime
    if (budget === -1 || this.#windowOf(budget) !== window) return NOTHING_TAKEN
    return (row) => {
      const one = spent.at(budget, row)
      const other = this.#reserved.at(budget, row)
      return one === 'INF' || other === 'INF' ? 'INF' : one + other
    }
  }

  /** @throws RangeError for a cost of another structure: a broken invariant. */
  prepare({ window, cost }: Held, movement: Movement): PreparedMove {
    const { policy, generation, rows, windowed } = this.shape
    if ((window === LIFETIME) === windowed || cost.length !== rows) {
      throw new RangeError(
        `a cost of window ${window} with ${cost.length} rows was to be charged to policy ${policy}, generation ` +
          `${generation}, which is ${windowed ? 'windowed' : 'for life'} with ${rows} rows`,
      )
    }
    return { movement, window, cost: costCells(cost) }
  }

  /**
   * The same as `moved` of the pure part, in place.
   *
   * @param unit number of the unit's name in a composite key that has no budget yet
   */
  move(name: number, unit: number, { movement, window, cost }: PreparedMove): void {
    const known = this.#budgetOf(name)
    const budget = known === -1 ? this.#add(name, unit) : known
    const isOpen = this.#spent === undefined || this.#opens(budget, known === -1, window)
    if (movement === 'spend') {
      this.#lifetime.add(budget, cost)
      if (isOpen) this.#spent?.add(budget, cost)
    } else if (isOpen) {
      if (movement === 'reserve') this.#reserved.add(budget, cost)
      else this.#reserved.subtract(budget, cost)
    }
  }

  /** The names of the composite keys that hold a unit, oldest first. */
  keysOfUnit(unit: number): readonly number[] {
    const names: number[] = []
    for (let link = this.#newestOfUnit.get(unit); link !== 0; link = this.#olderOfUnit.get(link - 1)) {
      names.push(this.#id(link - 1, 0))
    }
    return names.reverse()
  }

  save(sink: ChunkSink, flush: number): void {
    for (const column of this.#columns()) column.save(sink, flush)
    if (this.#budgets === this.#savedBudgets && this.#windows.length === this.#savedWindows) return
    const chunk: TableChunk = { ...this.shape, budgets: this.#budgets, windows: this.#windows }
    sink.put(TABLES, this.number, jsonChunk(chunk))
  }

  saved(): void {
    for (const column of this.#columns()) column.saved()
    this.#savedBudgets = this.#budgets
    this.#savedWindows = this.#windows.length
  }

  load(source: ChunkSource, { budgets, windows }: TableChunk): void {
    for (const column of this.#columns()) column.load(source)
    for (const window of windows) this.#windowId(window)
    for (let budget = 0; budget < budgets; budget++) this.#link(budget, this.#id(budget, 0), this.#id(budget, UNIT))
    this.#budgets = budgets
    this.#savedBudgets = budgets
    this.#savedWindows = windows.length
  }

  #budgetOf(name: number): number {
    return this.index.get(this.number, name) - 1
  }

  #add(name: number, unit: number): number {
    const budget = this.#budgets++
    const ids = this.#ids.touch(budget)
    const offset = this.#ids.offset(budget)
    ids[offset] = name
    if (this.isComposite) ids[offset + UNIT] = unit
    this.#link(budget, name, unit)
    return budget
  }

  #columns(): readonly (Cells | SumColumn)[] {
    const columns = [this.#ids, this.#lifetime, this.#reserved]
    return this.#spent === undefined ? columns : [...columns, this.#spent]
  }

  #link(budget: number, name: number, unit: number): void {
    this.index.set(this.number, name, budget + 1)
    if (!this.isComposite) return
    this.#olderOfUnit.set(budget, this.#newestOfUnit.get(unit))
    this.#newestOfUnit.set(unit, budget + 1)
  }

  #id(budget: number, cell: number): number {
    return this.#ids.page(budget)?.[this.#ids.offset(budget) + cell] ?? 0
  }

  #windowOf(budget: number): string {
    return this.#spent === undefined ? LIFETIME : (this.#windows[this.#id(budget, this.#windowCell)] ?? '')
  }

  /** Whether the budget is in this window, into which it goes from an earlier one with nothing spent or reserved. */
  #opens(budget: number, isNew: boolean, window: string): boolean {
    if (!isNew) {
      const current = this.#windowOf(budget)
      if (window <= current) return window === current
      this.#spent?.clear(budget)
      this.#reserved.clear(budget)
    }
    this.#ids.touch(budget)[this.#ids.offset(budget) + this.#windowCell] = this.#windowId(window)
    return true
  }

  #windowId(window: string): number {
    const known = this.#windowIds.get(window)
    if (known !== undefined) return known
    const id = this.#windows.push(window) - 1
    this.#windowIds.set(window, id)
    return id
  }
}

const LIFETIME = 'lifetime'
