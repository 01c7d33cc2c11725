import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Actor } from '../../../src/budget/commands.js'
import { openService } from '../../../src/composition.js'
import { readConfiguration } from '../../../src/configuration.js'
import { policyTerms } from '../../budget/test-ledger.js'
import { PROGRAM, runWith } from '../../support/service.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const RECORDS = Number(process.env['COPY_RECORDS'] ?? 1_000_000)
const INTERRUPTIONS = 2

type Environment = Readonly<Record<string, string>>

/** Where a store is, as a place for `copy`, and as settings for everything else. */
export interface ServerPlace {
  readonly url: string
  readonly environment: Environment
}

/** What has to hold for a log that is taken to a server and back: every copy is interrupted, goes on, and verifies. */
export const copiesBothWays = (server: () => ServerPlace): void => {
  test(`a log of ${RECORDS} records is copied there and back, interrupted, and is the same everywhere`, async () => {
    const { url, environment } = server()
    const data = await filledDirectory()
    const settings = { ...environment, EPSILON_LEDGER: randomUUID() }
    const back = join(temporaryFolder(), 'back')
    const there = await copied(settings, data, url)
    const again = await copied(settings, url, back)
    expect(again.head).toEqual(there.head)
    expect(there.head.seq).toBeGreaterThanOrEqual(RECORDS - 1)
    for (const place of [
      await runWith(settings, 'verify', '--data', data, '--json'),
      await runWith({}, 'verify', '--data', back, '--json'),
    ]) {
      expect(place.code).toBe(0)
      const { ok, head } = JSON.parse(place.stdout)
      expect([ok, head]).toEqual([true, { seq: there.head.seq, leaf: there.head.leaf }])
    }
  })
}

/** A ledger of a few tokens, one policy, and spends. */
const filledDirectory = async (): Promise<string> => {
  const data = temporaryFolder()
  const service = await openService(readConfiguration({}, { data }))
  const cause = { kind: 'http' } as const
  const [token = ''] = service.state.registry.tokens.keys()
  const operator: Actor = { token, role: 'operator', source: 'operator' }
  const emitter: Actor = { token: 'e', role: 'emitter', source: 'trainer' }
  const created = { token: 'e', role: 'emitter', source: 'trainer', hash: 'ab'.repeat(32), expiresAt: null } as const
  await service.ledger.submit({ kind: 'create-token', actor: operator, cause, created })
  await service.ledger.submit({ kind: 'set-policy', actor: operator, cause, terms: policyTerms({ id: 'person' }) })
  for (let from = 0; service.position().seq < RECORDS - 1; from += 1_000) {
    const items = Array.from({ length: 1_000 }, (_, index) => ({
      id: `s-${from + index}`,
      unit: `u-${(from + index) % 10_000}`,
      mechanism: 'declared_pure',
      epsilon: '0.001',
    }))
    await service.ledger.requestAll(items, emitter, cause)
  }
  await service.close()
  return data
}

interface CopyDocument {
  readonly ok: boolean
  readonly head: { readonly seq: number; readonly leaf: string }
  readonly from: { readonly seq: number } | null
}

/** Copies, is killed on the way a few times, and goes on where it was each time. */
const copied = async (environment: Environment, from: string, to: string): Promise<CopyDocument> => {
  for (let interruption = 0; interruption < INTERRUPTIONS; interruption++) {
    const until = ((interruption + 1) * RECORDS) / (INTERRUPTIONS + 1)
    await interrupted(environment, ['copy', '--from', from, '--to', to, '--progress'], until)
  }
  const { code, stdout, stderr } = await runWith(environment, 'copy', '--from', from, '--to', to, '--json')
  expect(stderr).toBe('')
  expect(code).toBe(0)
  const document = JSON.parse(stdout) as CopyDocument
  expect(document.ok).toBe(true)
  // It did not begin again.
  expect(document.from?.seq).toBeGreaterThan(0)
  return document
}

/** Kills it when it says that it has so many records. */
const interrupted = async (environment: Environment, args: readonly string[], records: number): Promise<void> => {
  const child = spawn(process.execPath, [PROGRAM, ...args], { env: { ...process.env, ...environment } })
  const exited = new Promise((resolve) => child.once('close', resolve))
  await Promise.race([reaches(child, records), exited])
  child.kill('SIGKILL')
  await exited
}

const reaches = async (child: ChildProcess, records: number): Promise<void> => {
  let said = ''
  child.stderr?.on('data', (chunk) => (said = `${said}${chunk}`.slice(-500)))
  for (;;) {
    const [count] = [...said.matchAll(/([\d,]+) of [\d,]+ records/g)].slice(-1).map(([, text = '0']) => text)
    if (Number((count ?? '0').replaceAll(',', '')) >= records) return
    await sleep(20)
  }
}
