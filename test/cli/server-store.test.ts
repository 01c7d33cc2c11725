import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { EventStoreDBClient } from '@eventstore/db-client'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { writeCopyNote } from '../../src/adapters/copy-note.js'
import { serverSettings } from '../../src/configuration.js'
import type { Position } from '../../src/ledger/block.js'
import { KurrentDouble } from '../support/kurrent/kurrent-double.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { wholeLog } from '../support/whole-log.js'
import { command } from './in-process.js'
import { directoryOf } from './ledger-directory.js'

const whole = wholeLog()
const ledger = randomUUID()
let server: KurrentDouble

beforeAll(async () => {
  server = await KurrentDouble.start()
})
afterAll(() => server.stop())
beforeEach(() => {
  vi.stubEnv('EPSILON_STORE', 'kurrentdb')
  vi.stubEnv('EPSILON_KURRENTDB_URL', server.url)
  vi.stubEnv('EPSILON_LEDGER', ledger)
  return () => void vi.unstubAllEnvs()
})

test.each([['list'], ['create', '--role', 'auditor'], ['revoke', 'x']])(
  'token %s begins no ledger where the server has none',
  async (...action) => {
    const data = temporaryFolder()
    for (let times = 0; times < 2; times++) {
      const { code, stderr } = await command('token', ...action, '--data', data)
      expect({ code, stderr }).toEqual({ code: 10, stderr: expect.stringContaining(`no ledger "${ledger}"`) })
    }
    expect(readdirSync(data)).toEqual([])
  },
)

test('a place that would not keep a log is told before anything is copied there', async () => {
  const { data } = await directoryOf(await whole)
  const client = EventStoreDBClient.connectionString(server.url)
  await client.setStreamMetadata(`epsilon-${ledger}-0`, { maxCount: 2 }).finally(() => client.dispose())
  const capped = await command('copy', '--from', data, '--to', server.url)
  expect(capped).toMatchObject({ code: 20, stderr: expect.stringContaining('STREAM_CAPPED') })
  expect(capped.stderr).toContain('it has no events yet')
})

test('a copy that was broken off is not copied on', async () => {
  const { data } = await directoryOf(await whole)
  const name = randomUUID()
  vi.stubEnv('EPSILON_LEDGER', name)
  const settings = serverSettings(server.url, { EPSILON_LEDGER: name })
  const head = (await (await whole).store.head()) as Position
  expect(await command('copy', '--from', data, '--to', server.url)).toMatchObject({ code: 0 })
  await writeCopyNote(settings, { ...head, seq: head.seq + 1 })
  const on = join(temporaryFolder(), 'on')
  expect(await command('copy', '--from', server.url, '--to', on)).toMatchObject({
    code: 21,
    stderr: expect.stringContaining('COPY_INCOMPLETE'),
  })
  expect(existsSync(on)).toBe(false)
})
