import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { expect, onTestFinished, test, vi } from 'vitest'
import { PostgresStore } from '../../../src/adapters/postgres/postgres-store.js'
import { type Block, positionOf } from '../../../src/ledger/block.js'
import { AppendConflict } from '../../../src/ledger/event-store.js'
import { blockAfter, blocksOf, collect } from '../../support/logs.js'
import { PostgresServer } from '../../support/postgres-server.js'
import { TcpProxy } from '../../support/tcp-proxy.js'
import { withServer } from '../with-server.js'

const server = withServer(() => PostgresServer.start())

interface Stage {
  readonly proxy: TcpProxy
  /** Through the proxy. */
  readonly store: PostgresStore
  /** Of the same ledger, past the proxy. */
  readonly direct: PostgresStore
  readonly ledger: string
  readonly first: Block
  readonly second: Block
}

/** A ledger with one block, whose store has used its one connection. */
const stage = async (patienceMs: number, role = 'postgres'): Promise<Stage> => {
  const url = new URL(server().url)
  const proxy = await TcpProxy.start(Number(url.port))
  const ledger = randomUUID()
  const direct = await PostgresStore.open({ url: url.href, ledger })
  url.port = String(proxy.port)
  url.username = role
  const store = await PostgresStore.open({ url: url.href, ledger, patienceMs })
  onTestFinished(async () => {
    await Promise.all([store.close(), direct.close()])
    await proxy.stop()
  })
  const [first] = blocksOf(2) as [Block]
  // After an append others would be told of it over a second connection: here the store has one and no more, and it is free.
  await direct.append([first], undefined)
  expect(await store.head()).toEqual(positionOf(first))
  return { proxy, store, direct, ledger, first, second: blockAfter(positionOf(first), 2) }
}

const LONG = { timeout: 60_000 }

const connectionsOf = (store: PostgresStore): number =>
  (store as unknown as { connections: { pool: pg.Pool } }).connections.pool.totalCount

const sql = async (text: string): Promise<void> => {
  const client = new pg.Client(server().url)
  await client.connect()
  await client.query(text).finally(() => client.end())
}

const errorOf = (action: Promise<unknown>): Promise<unknown> =>
  action.then(
    () => undefined,
    (error: unknown) => error,
  )

test('an INSERT that was under way is not taken for absent, and changes nothing when it arrives after its repetition', async () => {
  const { proxy, store, direct, first, second } = await stage(15_000)
  const release = proxy.delayRequests()
  const appending = store.append([second], positionOf(first))
  await vi.waitFor(() => expect(proxy.held).toBeGreaterThan(second.bytes.length), LONG)
  expect(await appending).toEqual(positionOf(second))
  const third = blockAfter(positionOf(second), 1)
  await store.append([third], positionOf(second))
  expect(proxy.held).toBeGreaterThan(second.bytes.length)
  release()
  await sleep(500)
  expect((await collect(direct.read(0))).map(({ leaf }) => leaf)).toEqual(
    [first, second, third].map(({ leaf }) => leaf),
  )
})

test('an INSERT that was under way when others took its place stays out when it arrives', async () => {
  const { proxy, store, direct, first, second } = await stage(15_000)
  const release = proxy.delayRequests()
  const appending = errorOf(store.append([second], positionOf(first)))
  await vi.waitFor(() => expect(proxy.held).toBeGreaterThan(second.bytes.length), LONG)
  const other = blockAfter(positionOf(first), 1, 'other')
  await direct.append([other], positionOf(first))
  const error = await appending
  expect(error).toBeInstanceOf(AppendConflict)
  expect(error).toMatchObject({ head: positionOf(other) })
  expect(proxy.held).toBeGreaterThan(second.bytes.length)
  release()
  await sleep(500)
  expect(await collect(direct.read(0))).toHaveLength(2)
})

test('where nobody answers for as long as people wait, the outcome is uncertain and the store takes no more', async () => {
  const { proxy, store, direct, first, second } = await stage(6_000)
  const release = proxy.stall()
  const uncertain = { code: 'APPEND_UNCERTAIN', retry: 'after-restart', exitCode: 3 }
  expect(await errorOf(store.append([second], positionOf(first)))).toMatchObject(uncertain)
  release()
  // The bytes were on their way, and the server gets them in the end.
  await vi.waitFor(async () => expect(await direct.head()).toEqual(positionOf(second)), LONG)
  expect(await errorOf(store.append([blockAfter(positionOf(second), 1)], positionOf(second)))).toMatchObject(uncertain)
})

test('where no connection comes about, nothing was written, and the store goes on when the server is back', async () => {
  const { store, direct, first, second } = await stage(6_000)
  await server().term()
  // Else it would learn in the middle of a request that its connection is gone.
  await vi.waitFor(() => expect(connectionsOf(store)).toBe(0), LONG)
  const error = await errorOf(store.append([second], positionOf(first)))
  expect(error).toMatchObject({ code: 'STORE_UNREACHABLE' })
  await server().restart()
  expect(await direct.head()).toEqual(positionOf(first))
  await store.append([second], positionOf(first))
})

test('a refusal after a lost answer says nothing about what was lost', async () => {
  await sql(
    `CREATE ROLE one LOGIN PASSWORD '${new URL(server().url).password}'; GRANT SELECT, INSERT ON epsilon_blocks TO one`,
  )
  const { proxy, store, direct, first, second } = await stage(6_000, 'one')
  let release: (() => void) | undefined
  proxy.loses = ({ asked }) => {
    if (release !== undefined || asked < Buffer.byteLength(second.bytes)) return false
    release = proxy.stall()
    return true
  }
  const appending = errorOf(store.append([second], positionOf(first)))
  await vi.waitFor(() => expect(proxy.lost).toBe(1), LONG)
  await sql('REVOKE INSERT ON epsilon_blocks FROM one')
  release?.()
  expect(await appending).toMatchObject({ code: 'APPEND_UNCERTAIN' })
  expect(await direct.head()).toEqual(positionOf(second))
})

test('a reader that stops in between has been sent a page, not the log', async () => {
  const { proxy, store, direct, first } = await stage(30_000)
  let head = positionOf(first)
  for (let count = 0; count < 40; count++) {
    const block = { ...blockAfter(head, 1), bytes: new Uint8Array(512 * 1024) }
    head = await direct.append([block], head)
  }
  const before = proxy.passed
  for await (const block of store.read(0)) if (block.number === 1) break
  const sent = proxy.passed - before
  // A byte of a block is two on the way.
  expect(sent).toBeGreaterThan(1024 * 1024)
  expect(sent).toBeLessThan(4 * 1024 * 1024)
  expect(await collect(store.read(0))).toHaveLength(41)
})

test('closing does not wait for a server that does not answer', async () => {
  const { proxy, store } = await stage(30_000)
  const release = proxy.stall()
  const [reading, followed] = [errorOf(store.head()), collect(store.subscribe(0, new AbortController().signal))]
  await sleep(50)
  const begun = performance.now()
  await store.close()
  expect(await reading).toMatchObject({ code: 'STORE_CLOSED' })
  expect(await followed).toEqual([])
  // Nobody waited for the patience to end.
  expect(performance.now() - begun).toBeLessThan(15_000)
  release()
})
