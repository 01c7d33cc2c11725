import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parsePolicy } from '../src/budget/policy-request.js'
import { openService } from '../src/composition.js'
import { readConfiguration } from '../src/configuration.js'
import { temporaryFolder } from './support/temporary-folder.js'

const operator = { token: 't', role: 'operator', source: 'operator' } as const
const emitter = { token: 'e', role: 'emitter', source: 'trainer' } as const
const cause = { kind: 'http' } as const
const { terms } = parsePolicy({
  id: 'person',
  scope: ['unit'],
  metric: 'pure',
  epsilon: '1',
  delta: '0',
  neighboring: 'add_or_remove_one',
  window: 'lifetime',
  role: 'guarantee',
})

const open = (data: string) => openService(readConfiguration({}, { data }))

/** A ledger that was served twice: a copy of its log after the first time, and one spend more. */
const servedTwice = async (data: string): Promise<string> => {
  const first = await open(data)
  await first.ledger.submit({ kind: 'set-policy', actor: operator, cause, terms })
  await first.close()
  copyFileSync(join(data, 'ledger.db'), join(data, 'older'))
  const second = await open(data)
  const wire = { id: '1', unit: 'u', mechanism: 'declared_pure', epsilon: '1' }
  expect(await second.ledger.request('spend', wire, emitter, cause)).toMatchObject({ kind: 'answered' })
  await second.close()
  return join(data, 'older')
}

test('an older log is not served, whatever became of the derived state', async () => {
  const data = temporaryFolder()
  copyFileSync(await servedTwice(data), join(data, 'ledger.db'))
  await expect(open(data)).rejects.toMatchObject({ code: 'STALE', exitCode: 21 })
  // As after a kill, when the derived state was flushed long ago.
  rmSync(join(data, 'state.db'))
  await expect(open(data)).rejects.toMatchObject({ code: 'STALE', exitCode: 21 })
})

test('a log that is gone is never begun anew', async () => {
  const data = temporaryFolder()
  await servedTwice(data)
  rmSync(join(data, 'ledger.db'))
  await expect(open(data)).rejects.toMatchObject({ code: 'LEDGER_LOST' })
})

test('derived files that are gone or damaged are made again, and nothing is refunded', async () => {
  const data = temporaryFolder()
  await servedTwice(data)
  rmSync(join(data, 'seen'))
  const state = readFileSync(join(data, 'state.db'))
  state.fill(0x2a, 5_000, 6_000)
  writeFileSync(join(data, 'state.db'), state)
  const service = await open(data)
  const wire = { id: '2', unit: 'u', mechanism: 'declared_pure', epsilon: '0.1' }
  const outcome = await service.ledger.request('spend', wire, emitter, cause)
  expect(outcome).toMatchObject({ kind: 'answered', event: { type: 'SpendRefused' } })
  await service.close()
})
