import { parentPort } from 'node:worker_threads'
import { type Costs, costsOf } from '../accounting/cost.js'
import type { Mechanism } from '../accounting/mechanism.js'
import { type Price, pricesOf } from '../accounting/price.js'
import type { Release } from '../accounting/release.js'
import type { Relation, Row } from '../accounting/units.js'

/** What a thread is asked to work out. */
export type CostTask =
  | {
      readonly kind: 'prices'
      readonly mechanism: Mechanism
      readonly relation: Relation
      readonly rows: readonly Row[]
    }
  | { readonly kind: 'costs'; readonly release: Release; readonly rows: readonly Row[] }

export type CostAnswer = ReadonlyMap<Row, Price> | Costs

/** Works out one task; every thread does exactly this, and so does a process without threads. */
export const workOut = (task: CostTask): CostAnswer =>
  task.kind === 'prices' ? pricesOf(task.mechanism, task.relation, task.rows) : costsOf(task.release, task.rows)

parentPort?.on('message', (task: CostTask) => {
  parentPort?.postMessage(workOut(task))
})
