import { eventOf } from '../../src/budget/event-of.js'
import type { SpendPart } from '../../src/budget/events.js'
import { evolve } from '../../src/budget/evolve.js'
import type { Registry } from '../../src/budget/registry.js'
import type { DecisionRecord } from '../../src/kafka/decision-message.js'
import type { Example, Run } from '../docs/example-ledger.js'
import { NaiveState } from './naive-state.js'

/** One record of a run, and what a publisher would know of it. */
export interface Decided {
  readonly example: Example
  readonly decision: DecisionRecord
  readonly registry: Registry
}

/** Every record of a run, decision or not. */
export const decisionsOf = ({ examples }: Run): readonly Decided[] => {
  const state = new NaiveState()
  for (const { record } of examples) evolve(state, eventOf(record), record)
  const { registry } = state
  return examples.map((example) => {
    const { record, leaf } = example
    return {
      example,
      registry,
      decision: { record, leaf, parts: partsBefore(record.seq, examples), ...openedOf(example, examples) },
    }
  })
}

const partsBefore = (seq: number, examples: readonly Example[]): readonly SpendPart[] => {
  const before = examples.slice(0, seq)
  const from = before.findLastIndex(({ record }) => record.type !== 'SpendPart') + 1
  return before.slice(from).map(({ record }) => record.data as unknown as SpendPart)
}

const openedOf = ({ record }: Example, examples: readonly Example[]): Pick<DecisionRecord, 'opened'> => {
  if (record.type !== 'ReservationSettled' && record.type !== 'ReservationReleased') return {}
  const opened = examples.find(
    (one) => one.record.type === 'ReservationOpened' && one.record.data['id'] === record.data['id'],
  )
  return opened === undefined ? {} : { opened: { event: eventOf(opened.record), parts: [] } }
}
