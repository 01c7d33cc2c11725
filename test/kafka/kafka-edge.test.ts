import { expect, test } from 'vitest'
import { type EdgeParts, KafkaEdge } from '../../src/kafka/kafka-edge.js'
import type { Standing } from '../../src/recovery/start-check.js'

const HEAD = 2 ** 20

/** Of a long log; no broker is reached. */
const edgeWith = (compared: Standing | undefined): KafkaEdge => {
  const service = { position: () => ({ block: 1, seq: HEAD, leaf: '' }) }
  return new KafkaEdge({ service, compared: () => compared } as unknown as EdgeParts)
}

const codes = (edge: KafkaEdge) => edge.readiness().map(({ code }) => code)

test('nothing is said of the lag of a journal that nobody has looked at', () => {
  const edge = edgeWith(undefined)
  expect(codes(edge)).toEqual(['KAFKA_CONNECTING'])
  expect(edge.refusal()).toBeUndefined()
})

test('a journal that lacks much is named, and holds everything up, also before it is written to', () => {
  const edge = edgeWith({ journalled: undefined, high: 0n })
  expect(codes(edge)).toEqual(['JOURNAL_BEHIND', 'KAFKA_CONNECTING'])
  expect(edge.refusal()).toMatchObject({ code: 'BUSY' })
  expect(edgeWith({ journalled: { block: 1, seq: HEAD - 1, leaf: '' }, high: 2n }).refusal()).toBeUndefined()
})
