import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DataDirectory } from '../../src/adapters/data-directory.js'
import { SqliteStore } from '../../src/adapters/sqlite-store.js'
import type { Scenario } from '../support/scenario.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** A data directory that holds this scenario's log and a signing key, and the same log as a file. */
export const directoryOf = async (scenario: Scenario): Promise<{ data: string; records: string }> => {
  const folder = temporaryFolder()
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  const store = SqliteStore.create(join(data, 'ledger.db'))
  const blocks = []
  for await (const block of scenario.store.read(0)) blocks.push(block)
  await store.append(blocks, undefined)
  await store.close()
  DataDirectory.inspect(data).createSigningSeed()
  const records = join(folder, 'records.ndjson')
  writeFileSync(records, await scenario.bytes())
  return { data, records }
}
