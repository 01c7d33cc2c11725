import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { KurrentStore } from '../../src/adapters/eventstore-db/kurrent-store.js'
import type { Block } from '../../src/ledger/block.js'
import { KurrentDouble } from '../support/kurrent/kurrent-double.js'
import { Edge, type Folder, temporaryData } from './edge.js'

/** So much later than another instance does one of them take in what that one wrote. */
const LATE_MS = 300

const folders: readonly Folder[] = [temporaryData(), temporaryData()]
let server: KurrentDouble
let one: Edge
let other: Edge

beforeAll(async () => {
  server = await KurrentDouble.start()
  const follow = KurrentStore.prototype.subscribe
  vi.spyOn(KurrentStore.prototype, 'subscribe').mockImplementation(async function* (
    this: KurrentStore,
    ...from
  ): AsyncGenerator<Block, void, undefined> {
    for await (const block of follow.apply(this, from)) {
      await sleep(LATE_MS)
      yield block
    }
  })
  const environment = {
    EPSILON_STORE: 'kurrentdb',
    EPSILON_KURRENTDB_URL: server.url,
    EPSILON_LEDGER: randomUUID(),
  }
  // The first one has the tokens.
  one = await Edge.open((folders[0] as Folder).path, environment)
  other = await Edge.open((folders[1] as Folder).path, environment)
})

afterAll(async () => {
  await Promise.all([one.close(), other.close()])
  vi.restoreAllMocks()
  await server.stop()
  for (const folder of folders) folder.remove()
})

test('a token that one instance has just made opens what it may at the other one', async () => {
  const { body } = await one.operator.post<{ token: string }>('/v1/tokens', { role: 'auditor', source: 'auditor' })
  expect(await other.client(body.token).get('/v1/ledger')).toMatchObject({ status: 200 })
})

test('one that nobody has made opens nothing, and guesses ask the store only now and then', async () => {
  const looks = vi.spyOn(other.service.store, 'head')
  const guesses = Array.from({ length: 50 }, () => other.client(randomUUID()))
  const begun = performance.now()
  for (let round = 0; round < 4; round++) {
    const replies = await Promise.all(guesses.map((guess) => guess.get('/v1/ledger')))
    for (const reply of replies) expect(reply).toMatchObject({ status: 401, body: { code: 'UNAUTHENTICATED' } })
  }
  expect(looks.mock.calls.length).toBeLessThanOrEqual(2 + (performance.now() - begun) / 250)
  expect(looks).toHaveBeenCalled()
  looks.mockRestore()
})

test('while the server is away an unknown token is turned down all the same, and one that was known opens', async () => {
  const { body } = await one.operator.post<{ token: string }>('/v1/tokens', { role: 'auditor', source: 'second' })
  const auditor = other.client(body.token)
  expect(await auditor.get('/v1/ledger')).toMatchObject({ status: 200 })
  server.freeze()
  try {
    expect(await other.client(randomUUID()).get('/v1/ledger')).toMatchObject({ status: 401 })
    expect(await auditor.get('/v1/ledger')).toMatchObject({ status: 200 })
  } finally {
    server.thaw()
  }
})
