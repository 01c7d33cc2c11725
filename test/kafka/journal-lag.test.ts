import { expect, test } from 'vitest'
import type { Service } from '../../src/application/service.js'
import type { KafkaClients } from '../../src/kafka/client.js'
import { lagReason, lagRefusal } from '../../src/kafka/journal-lag.js'
import { KafkaEdge } from '../../src/kafka/kafka-edge.js'
import { EPOCH_MARGIN } from '../../src/recovery/import-journal.js'

test('a log that its journal follows is neither refused nor spoken of', () => {
  const lag = { head: 1_000_000 + 2 ** 18 - 1, journalled: 1_000_000 }
  expect(lagRefusal(lag)).toBeUndefined()
  expect(lagReason(lag)).toBeUndefined()
})

test('readiness names both numbers long before anything is refused', () => {
  const lag = { head: 2 ** 18 + 7, journalled: 7 }
  expect(lagRefusal(lag)).toBeUndefined()
  expect(lagReason(lag)).toMatchObject({ code: 'JOURNAL_BEHIND' })
  expect(lagReason(lag)?.detail).toContain('ends with record 262151 and its journal ends with record 7')
})

test('nothing is taken half a margin ahead: a new epoch still begins above all that was and will be given out', () => {
  const lag = { head: 2 ** 19 - 1, journalled: -1 }
  expect(lagRefusal({ ...lag, head: lag.head - 1 })).toBeUndefined()
  expect(lagRefusal(lag)).toMatchObject({ code: 'BUSY', retry: 'now' })
  expect(lagRefusal(lag)?.message).toContain('record 524287 and its journal has no record yet')
  expect(lag.head + 50_000).toBeLessThan(EPOCH_MARGIN)
})

test('before its first send an edge counts from what the start found in the journal', () => {
  const edge = (seq: number, journalled: number) =>
    new KafkaEdge({
      service: { position: () => ({ seq }) } as unknown as Service,
      clients: {} as KafkaClients,
      standing: () => new Promise(() => {}),
      compared: () => ({ journalled: { block: 1, seq: journalled, leaf: '' }, high: 9n }),
      onFatal: () => {},
      log: () => {},
    })
  expect(edge(1_000_000, 999_999).refusal()).toBeUndefined()
  expect(edge(1_000_000, 7).refusal()).toMatchObject({ code: 'BUSY' })
  expect(edge(1_000_000, 7).readiness()).toContainEqual(expect.objectContaining({ code: 'JOURNAL_BEHIND' }))
})
