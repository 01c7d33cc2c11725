import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/adapters/memory-store.js'
import type { Ingest, IngestOutcome } from '../../src/application/ingest.js'
import { ingestOf } from '../../src/kafka/message.js'
import { messageCause } from '../../src/kafka/message-cause.js'
import { unaccountable } from '../../src/kafka/quarantined-message.js'
import type { ReceivedMessage } from '../../src/kafka/wire-message.js'
import { recordsOf } from '../../src/ledger/block.js'
import { decodeRecord, type LedgerRecord } from '../../src/ledger/record.js'
import { received, type Stored } from '../support/client-wire.js'
import { LedgerProcess } from '../support/ledger-process.js'
import { verifiedBlocks } from '../support/verified.js'
import { mutated, valid } from './mutated.js'

/** Lists of a hundred messages and more. */
const RUNS = Math.max(30, Number(process.env['RUNS'] ?? 0) / 100)

const readAt = (stored: Stored, offset: number): ReceivedMessage => received({ ...stored, offset: String(offset) })
const itemOf = (message: ReceivedMessage): Ingest => ingestOf(message, messageCause(message, 'epsilon.spends', 0))

/** Brings every message once, as a consumer does; answers with what became of each. */
const deliver = async (ledger: LedgerProcess, messages: readonly ReceivedMessage[]): Promise<readonly string[]> => {
  const items = messages.map(itemOf)
  const fates: string[] = []
  while (fates.length < items.length) {
    const from = fates.length
    const outcomes = await ledger.ledger.ingest(items.slice(from))
    const stop = outcomes.findIndex(({ kind }) => kind === 'report-rejected' || kind === 'waiting')
    fates.push(...outcomes.slice(0, stop === -1 ? undefined : stop).map(({ kind }) => kind))
    if (stop !== -1) items[from + stop] = quarantineFor(messages[from + stop], items[from + stop], outcomes[stop])
  }
  return fates
}

const quarantineFor = (
  message: ReceivedMessage | undefined,
  item: Ingest | undefined,
  outcome: IngestOutcome | undefined,
): Ingest => {
  if (message === undefined || item?.request !== 'report' || outcome?.kind !== 'report-rejected') {
    throw new Error(`${item?.request} was not to stop at ${JSON.stringify(outcome)}`)
  }
  const sent = { source: item.source, id: String(item.wire['id']), type: 'epsilon.report.v1' }
  return unaccountable(message, item.cause, sent, outcome.rejection)
}

const recordsIn = async (store: MemoryStore): Promise<readonly LedgerRecord[]> => {
  const records: LedgerRecord[] = []
  for await (const block of store.read(0)) {
    for (const { bytes } of recordsOf(block)) records.push(decodeRecord(bytes))
  }
  return records
}

test('for every list of mutated messages, a ledger has one record for each, or gives its first answer again, and verifies', {
  timeout: 600_000,
}, async () => {
  const kinds = new Set<string>()
  const messages = fc.array(fc.oneof({ weight: 4, arbitrary: mutated }, valid), { minLength: 100, maxLength: 130 })
  await fc.assert(
    fc.asyncProperty(messages, async (list) => {
      const store = new MemoryStore()
      const ledger = await LedgerProcess.open(store)
      await ledger.policy({ id: 'person', epsilon: '2' })
      const fates = await deliver(ledger, list.map(readAt))
      const caused = (await recordsIn(store)).filter(
        ({ cause, type }) => cause.kind === 'kafka' && type !== 'SpendPart',
      )
      const offsets = caused.map(({ cause }) => cause.kind === 'kafka' && Number(cause.offset))
      expect(offsets).toEqual(fates.flatMap((fate, offset) => (fate === 'decided' ? [offset] : [])))
      expect(fates.filter((fate) => fate !== 'decided' && fate !== 'repeated')).toEqual([])
      expect((await verifiedBlocks(store)).fault).toBeUndefined()
      for (const { type } of caused) kinds.add(type)
    }),
    { numRuns: RUNS, endOnFailure: true },
  )
  for (const type of ['SpendAccepted', 'SpendReported', 'ReservationOpened', 'RequestInvalid', 'MessageQuarantined']) {
    expect([...kinds]).toContain(type)
  }
})
