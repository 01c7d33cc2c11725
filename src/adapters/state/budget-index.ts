import { IdColumn } from './id-column.js'

/** Tables whose entries for one name lie side by side: a spend asks several tables for the same name. */
const TABLES_TOGETHER = 4

/** Which budget a name has in each table: (table, name) → budget + 1, 0 where it has none. */
export class BudgetIndex {
  readonly #groups: IdColumn[] = []

  get(table: number, name: number): number {
    return this.#groups[table >>> 2]?.get(name * TABLES_TOGETHER + (table & 3)) ?? 0
  }

  set(table: number, name: number, value: number): void {
    let group = this.#groups[table >>> 2]
    if (group === undefined) {
      group = new IdColumn()
      this.#groups[table >>> 2] = group
    }
    group.set(name * TABLES_TOGETHER + (table & 3), value)
  }
}
