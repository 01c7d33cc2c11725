import { createHash } from 'node:crypto'
import type { Command } from '../../src/budget/commands.js'
import { parseRequest } from '../../src/budget/request.js'
import { BlockBuilder } from '../../src/ledger/block.js'
import { GAP_DECLARED } from '../../src/ledger/chain.js'
import type { JsonObject, KafkaCause } from '../../src/ledger/record.js'
import {
  approver,
  CostsNow,
  ExampleLedger,
  emitter,
  gaussian,
  operator,
  policy,
  type Run,
  system,
} from './example-ledger.js'

const TOPIC = { topic: 'epsilon.spends', partition: 0 }
const http = { kind: 'http' } as const

/** Something of every event that a topic or a recovery brings, after a ledger was opened. */
export const runOfTopics = async (): Promise<Run> => {
  const run = new ExampleLedger()
  await run.open()
  const spend = { id: 'weekly-44', unit: 'u-17', dataset: 'visits', ...gaussian }
  await run.submitAs(await requestOf(spend), messageAt(1041))
  await run.submitAs(await requestOf({ id: 'weekly-45', dataset: 'visits', ...gaussian }), messageAt(1042))
  await quarantine(run, 1043)
  const ledger = { actor: system, kind: 'record-offsets', ...TOPIC, next: '1050', digest: digestOf(1049) } as const
  await run.submitAs(ledger, { kind: 'system' })
  await quarantine(run, 1050)
  const [first, second] = await run.seqsOf('MessageQuarantined')
  const found = { kind: 'report', actor: operator, quarantined: first ?? 0 } as const
  await run.submitAs({ ...(await requestOf({ id: 'export-9', unit: 'u-17', ...gaussian }, 'report')), ...found }, http)
  const reason = 'a test message of the team that runs the brokers'
  await run.submitAs({ kind: 'propose-dismissal', actor: operator, quarantined: second ?? 0, reason }, http)
  await run.submitAs({ kind: 'approve-dismissal', actor: approver, quarantined: second ?? 0 }, http)
  const reset = { ...TOPIC, to: '2000' }
  const why = 'retention deleted what nobody had read; the emitters sent reports instead'
  await run.submitAs({ kind: 'propose-reset', actor: operator, ...reset, reason: why }, http)
  await run.submitAs({ kind: 'approve-reset', actor: approver, ...reset }, http)
  await declareGap(run)
  return run.written()
}

const messageAt = (offset: number): KafkaCause => ({
  kind: 'kafka',
  ...TOPIC,
  offset: String(offset),
  leaderEpoch: 3,
  digest: digestOf(offset),
})

const digestOf = (offset: number): string => createHash('sha256').update(`message ${offset}`).digest('hex').slice(0, 32)

type SpendCommand = Omit<Extract<Command, { readonly kind: 'spend' }>, 'cause'>

const requestOf = async (wire: JsonObject, kind: 'spend' | 'report' = 'spend'): Promise<SpendCommand> => {
  const request = parseRequest(kind, wire, emitter.source)
  const costs = await new CostsNow().costs(request.release, policy('1').and)
  return { kind: 'spend', actor: { ...emitter, token: '' }, request: { ...request, costs } }
}

const quarantine = (run: ExampleLedger, offset: number): Promise<void> =>
  run.submitAs(
    {
      kind: 'quarantine',
      actor: system,
      message: {
        reason: 'JSON_INVALID',
        detail: 'the value is no JSON: Unexpected end of JSON input',
        bytes: 118,
        key: Buffer.from('u-17').toString('base64'),
      },
    },
    messageAt(offset),
  )

/** As a recovery begins a new epoch, beyond every number that may have been given out. */
const declareGap = async (run: ExampleLedger): Promise<void> => {
  const head = await run.store.head()
  if (head === undefined) throw new Error('the run has no record')
  const builder = new BlockBuilder(head, head.seq + 1 + 2 ** 20)
  const data = {
    from: head.seq + 1,
    to: head.seq + 2 ** 20,
    reason: 'restored from a copy; the journal goes up to the record before these',
    undecided: [{ ...TOPIC, before: '2017' }],
  }
  const at = new Date(run.clock.wall()).toISOString()
  builder.add({ at, by: 'system:ledger', cause: { kind: 'system' }, data, epoch: 1, type: GAP_DECLARED, v: 1 })
  await run.store.append(builder.blocks(), head)
}
