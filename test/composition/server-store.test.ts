import { randomUUID } from 'node:crypto'
import { copyFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeCopyNote } from '../../src/adapters/copy-note.js'
import { openServerStore } from '../../src/adapters/stores.js'
import type { Service } from '../../src/application/service.js'
import type { Actor } from '../../src/budget/commands.js'
import { openService } from '../../src/composition.js'
import { readConfiguration, serverSettings } from '../../src/configuration.js'
import { type Position, recordsOf } from '../../src/ledger/block.js'
import { decodeRecord } from '../../src/ledger/record.js'
import { type CopySource, copyLog } from '../../src/recovery/copy-log.js'
import { policyTerms } from '../budget/test-ledger.js'
import { KurrentDouble } from '../support/kurrent/kurrent-double.js'
import { collect } from '../support/logs.js'
import { temporaryFolder } from '../support/temporary-folder.js'

let server: KurrentDouble
beforeAll(async () => {
  server = await KurrentDouble.start()
})
afterAll(() => server.stop())

const emitter: Actor = { token: 'e', role: 'emitter', source: 'trainer' }
const cause = { kind: 'http' } as const
const spend = (id: string, epsilon: string) => ({ id, unit: 'u', mechanism: 'declared_pure', epsilon })

/** An instance with a data directory of its own, or that one. */
const open = (ledger: string, data = temporaryFolder()): Promise<Service> =>
  openService(
    readConfiguration(
      { EPSILON_STORE: 'kurrentdb', EPSILON_KURRENTDB_URL: server.url, EPSILON_LEDGER: ledger },
      { data },
    ),
  )

/** A budget of 1 for everybody, and the emitter's token. */
const begin = async ({ ledger, state }: Service): Promise<void> => {
  const [token = ''] = state.registry.tokens.keys()
  const operator: Actor = { token, role: 'operator', source: 'operator' }
  await ledger.submit({
    kind: 'set-policy',
    actor: operator,
    cause,
    terms: policyTerms({ id: 'person', epsilon: '1' }),
  })
  const created = { token: emitter.token, role: 'emitter', source: emitter.source, hash: '', expiresAt: null } as const
  await ledger.submit({ kind: 'create-token', actor: operator, cause, created })
}

const typesIn = async ({ store }: Service): Promise<readonly string[]> =>
  (await collect(store.read(0))).flatMap((block) => [...recordsOf(block)].map(({ bytes }) => decodeRecord(bytes).type))

test('instances that begin a ledger in the same moment begin one, and know it by one id', async () => {
  const ledger = randomUUID()
  const places = [temporaryFolder(), temporaryFolder(), temporaryFolder()]
  const services = await Promise.all(places.map((data) => open(ledger, data)))
  expect(new Set(services.map(({ ledgerId }) => ledgerId)).size).toBe(1)
  expect(await typesIn(services[0] as Service)).toEqual(['LedgerOpened', 'TokenCreated', 'TokenCreated'])
  // The files of the first tokens lie where they open something, and nowhere else.
  for (const role of ['operator', 'approver'])
    expect(places.filter((data) => existsSync(join(data, `${role}.token`)))).toHaveLength(1)
  await Promise.all(services.map((service) => service.close()))
  const again = await Promise.all(places.map((data) => open(ledger, data)))
  expect(new Set(again.map(({ ledgerId }) => ledgerId))).toEqual(new Set([services[0]?.ledgerId]))
  await Promise.all(again.map((service) => service.close()))
})

test('an instance takes in what another one writes, and decides with it', async () => {
  const ledger = randomUUID()
  const one = await open(ledger)
  await begin(one)
  const two = await open(ledger)
  const first = await one.ledger.request('spend', spend('1', '0.7'), emitter, cause)
  expect(first).toMatchObject({ kind: 'answered', event: { type: 'SpendAccepted' } })
  expect(await two.reaches(one.position().seq, 10_000)).toBe(true)
  const refused = await two.ledger.request('spend', spend('2', '0.7'), emitter, cause)
  expect(refused).toMatchObject({ event: { type: 'SpendRefused' } })
  const repeated = await two.ledger.request('spend', spend('1', '0.7'), emitter, cause)
  expect(repeated).toMatchObject({ replayed: true, receipt: (first as { receipt: object }).receipt })
  await Promise.all([one.close(), two.close()])
})

/** A directory that has seen one record more than the stream in `older`, a copy of all that the server has. */
const seenMore = async (ledger: string): Promise<{ data: string; older: string }> => {
  const data = temporaryFolder()
  const service = await open(ledger, data)
  await begin(service)
  const older = join(temporaryFolder(), 'older')
  copyFileSync(server.dataFile, older)
  await service.ledger.request('spend', spend('1', '0.7'), emitter, cause)
  await service.close()
  return { data, older }
}

const exchange = async (change: () => void): Promise<void> => {
  await server.kill9()
  change()
  await server.restart()
}

test('a stream that was replaced by an older copy, by another one or by none is refused', async () => {
  const ledger = randomUUID()
  const { data, older } = await seenMore(ledger)
  await exchange(() => copyFileSync(older, server.dataFile))
  await expect(open(ledger, data)).rejects.toMatchObject({ code: 'STALE', exitCode: 21 })
  const other = await open(ledger)
  await other.ledger.request('spend', spend('other', '0.1'), emitter, cause)
  await other.close()
  await expect(open(ledger, data)).rejects.toMatchObject({ code: 'FORKED', exitCode: 22 })
  await exchange(() => writeFileSync(server.dataFile, ''))
  await expect(open(ledger, data)).rejects.toMatchObject({ code: 'LEDGER_LOST', exitCode: 3 })
  const elsewhere = temporaryFolder()
  writeFileSync(join(elsewhere, 'ledger.db'), '')
  await expect(open(ledger, elsewhere)).rejects.toMatchObject({ code: 'LEDGER_LOST', exitCode: 3 })
})

test('a copy that was broken off is not served from a server, until it is whole', async () => {
  const [source, target] = [randomUUID(), randomUUID()]
  const service = await open(source)
  await begin(service)
  for (const id of ['1', '2', '3']) await service.ledger.request('spend', spend(id, '0.1'), emitter, cause)
  const settings = serverSettings(server.url, { EPSILON_LEDGER: target })
  const store = await openServerStore(settings)
  const head = service.position()
  const sourceUpTo = (last: number): CopySource => ({
    head: async () => head,
    async *blocks(_, after) {
      for await (const block of service.store.read(after === undefined ? 0 : after.seq + 1)) {
        if (block.number > last) throw new Error('broken off')
        yield block
      }
    },
    block: async ({ seq }) => service.store.blockOf(seq),
  })
  const listener = { begins: (to: Position) => writeCopyNote(settings, to), progress: () => {} }
  for (const last of [-1, 2]) {
    await expect(copyLog(sourceUpTo(last), store, listener)).rejects.toThrow('broken off')
    await expect(open(target)).rejects.toMatchObject({ code: 'COPY_INCOMPLETE', exitCode: 21 })
  }
  await copyLog(sourceUpTo(head.block), store, listener)
  const copy = await open(target)
  expect(copy.position()).toEqual(head)
  await copy.ledger.request('spend', spend('4', '0.1'), emitter, cause)
  await Promise.all([copy.close(), service.close(), store.close()])
  await (await open(target)).close()
})
