import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import pg from 'pg'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type PostgresOptions, PostgresStore } from '../../../src/adapters/postgres/postgres-store.js'
import { type Block, type Position, positionOf } from '../../../src/ledger/block.js'
import type { EventStore } from '../../../src/ledger/event-store.js'
import { storeContract } from '../../adapters/event-store.contract.js'
import { freePort } from '../../support/free-port.js'
import { blockAfter, blocksOf, collect } from '../../support/logs.js'
import { PostgresServer } from '../../support/postgres-server.js'
import { withServer } from '../with-server.js'

const server = withServer(() => PostgresServer.start())

const open = async (options: Partial<PostgresOptions> = {}): Promise<PostgresStore> => {
  const store = await PostgresStore.open({ url: server().url, ledger: randomUUID(), ...options })
  onTestFinished(() => store.close())
  return store
}

const sql = async (text: string, url = server().url): Promise<readonly Record<string, unknown>[]> => {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

const PASSWORD = 'p@ss/word:%41'

/** A database of its own with a role in it, and the URL with which that role gets in. */
const newDatabase = async (setUp: (role: string) => string): Promise<{ url: string; owner: string; role: string }> => {
  const role = `r${randomUUID().replaceAll('-', '')}`
  await sql(`CREATE ROLE ${role} LOGIN PASSWORD '${PASSWORD}'`)
  await sql(`CREATE DATABASE ${role}`)
  const owner = new URL(server().url)
  owner.pathname = role
  await sql(setUp(role), owner.href)
  const url = new URL(owner)
  url.username = role
  url.password = ''
  return { url: url.href, owner: owner.href, role }
}

/** What would take something from a log. */
const CHANGES = ["UPDATE epsilon_blocks SET leaf = 'x'", 'DELETE FROM epsilon_blocks', 'TRUNCATE epsilon_blocks']

const head = (blocks: readonly Block[]) => positionOf(blocks.at(-1) as Block)

const errorOf = async (action: Promise<unknown>): Promise<Error & { code: string; hint: string }> => {
  const error = await action.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error === undefined) throw new Error('nothing was thrown')
  return error as Error & { code: string; hint: string }
}

describe('the contract of every store', () => storeContract(() => open()))

describe('for a role that may insert and select, and nothing else', () => {
  let database: Promise<{ url: string; owner: string; role: string }> | undefined
  const restricted = async (): Promise<{ url: string; role: string }> => {
    database ??= newDatabase(() => 'SELECT 1').then(async (made) => {
      const { hint } = await errorOf(PostgresStore.open({ url: made.url, password: PASSWORD, ledger: 'x' }))
      await sql(hint.slice(hint.indexOf('CREATE')), made.owner)
      return made
    })
    return database
  }

  storeContract(async () => open({ url: (await restricted()).url, password: PASSWORD }))

  test.each(CHANGES)('the server refuses: %s', async (statement) => {
    const url = new URL((await restricted()).url)
    url.password = encodeURIComponent(PASSWORD)
    await expect(sql(statement, url.href)).rejects.toMatchObject({ code: '42501' })
  })
})

test('a ledger that is opened again has everything, and others in the same table have nothing of it', async () => {
  const ledger = randomUUID()
  const [one, two, shard] = [await open({ ledger }), await open({ ledger }), await open({ ledger, shard: 1 })]
  const blocks = blocksOf(3, 2)
  await one.append(blocks, undefined)
  expect(await two.head()).toEqual(head(blocks))
  expect(await shard.head()).toBeUndefined()
  await expect(two.append(blocks, undefined)).rejects.toMatchObject({ code: 'APPEND_CONFLICT', head: head(blocks) })
  await shard.append(blocksOf(1), undefined)
  const next = blockAfter(head(blocks), 1)
  await two.append([next], head(blocks))
  expect((await collect(one.read(0))).map(({ leaf }) => leaf)).toEqual([...blocks, next].map(({ leaf }) => leaf))
})

test('where the role may not make the table, the error says what its owner is to run', async () => {
  const { url, role } = await newDatabase(() => 'SELECT 1')
  const error = await errorOf(open({ url, password: PASSWORD }))
  expect(error).toMatchObject({ code: 'STORE_NOT_CREATED' })
  expect(error.hint).toContain('CREATE TABLE IF NOT EXISTS epsilon_blocks')
  expect(error.hint).toContain(`GRANT SELECT, INSERT ON epsilon_blocks TO "${role}"`)
})

test('a table that the role does not find by its search_path is not there, and the hint says so', async () => {
  const { url, owner, role } = await newDatabase(() => 'SELECT 1')
  await (await open({ url: owner })).close()
  await sql(`GRANT SELECT, INSERT ON epsilon_blocks TO ${role}; REVOKE ALL ON SCHEMA public FROM PUBLIC`, owner)
  const { code, hint } = await errorOf(open({ url, password: PASSWORD }))
  expect(code).toBe('STORE_NOT_CREATED')
  expect(hint).toMatch(/USAGE.*search_path/)
  await sql(`GRANT USAGE ON SCHEMA public TO ${role}`, owner)
  await open({ url, password: PASSWORD })
})

test('two that open an empty database at once both find the table', async () => {
  const { url } = await newDatabase((role) => `GRANT CREATE ON SCHEMA public TO ${role}`)
  const stores = await Promise.all([1, 2, 3, 4, 5].map(() => open({ url, password: PASSWORD })))
  expect(await Promise.all(stores.map((store) => store.head()))).toEqual(stores.map(() => undefined))
})

test('a role that makes the table itself leaves itself the right to select and to insert', async () => {
  const { url, role } = await newDatabase((one) => `GRANT CREATE ON SCHEMA public TO ${one}`)
  const store = await open({ url, password: PASSWORD })
  await store.append(blocksOf(1), undefined)
  const own = new URL(url)
  own.password = encodeURIComponent(PASSWORD)
  for (const statement of CHANGES) await expect(sql(statement, own.href)).rejects.toMatchObject({ code: '42501' })
  const rights = `SELECT string_agg(privilege_type, ' ' ORDER BY privilege_type) AS all
    FROM information_schema.role_table_grants WHERE table_name = 'epsilon_blocks' AND grantee = '${role}'`
  expect(await sql(rights, own.href)).toEqual([{ all: 'INSERT SELECT' }])
  expect(await store.head()).toEqual(head(blocksOf(1)))
})

test.each([
  ['a column more', 'ALTER TABLE epsilon_blocks ADD more text', 'column more: text'],
  ['another type', 'ALTER TABLE epsilon_blocks ALTER last TYPE int', 'column last: integer NOT NULL'],
  ['a key less', 'ALTER TABLE epsilon_blocks DROP CONSTRAINT epsilon_blocks_pkey', 'key: PRIMARY KEY (ledger, number)'],
  ['rows that a crash takes away', 'ALTER TABLE epsilon_blocks SET UNLOGGED', 'kept: not after a crash'],
])('a table of another shape is left alone: %s', async (_, change, named) => {
  const { url, owner } = await newDatabase((role) => `GRANT CREATE ON SCHEMA public TO ${role}`)
  await (await open({ url, password: PASSWORD })).close()
  await sql(change, owner)
  const error = await errorOf(open({ url, password: PASSWORD }))
  expect(error.code).toBe('STORE_FORMAT_UNKNOWN')
  expect(error.message).toContain(named)
})

test('a right that was taken away is named, with what gives it back', async () => {
  const { url, owner, role } = await newDatabase((one) => `GRANT CREATE ON SCHEMA public TO ${one}`)
  const store = await open({ url, password: PASSWORD })
  await sql(`ALTER TABLE epsilon_blocks OWNER TO postgres; GRANT SELECT ON epsilon_blocks TO ${role}`, owner)
  const error = await errorOf(store.append(blocksOf(1), undefined))
  expect(error.code).toBe('STORE_REFUSED')
  expect(error.hint).toContain(`GRANT SELECT, INSERT ON epsilon_blocks TO "${role}"`)
  await sql(error.hint.slice(error.hint.indexOf('GRANT')), owner)
  await store.append(blocksOf(1), undefined)
})

test('a database that is read-only is called that, and nothing is written', async () => {
  const { url, owner, role } = await newDatabase((one) => `GRANT CREATE ON SCHEMA public TO ${one}`)
  await (await open({ url, password: PASSWORD })).close()
  await sql(`ALTER ROLE ${role} SET default_transaction_read_only = on`, owner)
  const store = await open({ url, password: PASSWORD })
  const error = await errorOf(store.append(blocksOf(1), undefined))
  expect(error).toMatchObject({ code: 'STORE_READ_ONLY' })
  expect(error.message).toContain('default_transaction_read_only')
  expect(await store.inspect()).toMatchObject({
    code: 'STORE_READ_ONLY',
    message: expect.stringContaining('default_transaction_read_only'),
    exitCode: 3,
  })
  expect(await store.head()).toBeUndefined()
})

test('a role that may only read is told before it appends', async () => {
  const { url, owner, role } = await newDatabase(() => 'SELECT')
  await (await open({ url: owner })).close()
  await sql(`GRANT SELECT ON epsilon_blocks TO ${role}`, owner)
  const store = await open({ url, password: PASSWORD })
  const error = await store.inspect()
  expect(error).toMatchObject({ code: 'STORE_REFUSED', exitCode: 3 })
  expect(error?.hint).toContain(`GRANT SELECT, INSERT ON epsilon_blocks TO "${role}"`)
  await sql(`GRANT INSERT ON epsilon_blocks TO ${role}`, owner)
  expect(await store.inspect()).toBeUndefined()
})

describe('errors', () => {
  test('name host and port where nobody listens, and the password nowhere', async () => {
    const port = await freePort()
    const url = `postgres://somebody:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/ledger`
    const error = await errorOf(PostgresStore.open({ url, ledger: 'x' }))
    expect(error).toMatchObject({ code: 'STORE_UNREACHABLE' })
    expect(error.message).toContain(`127.0.0.1:${port}`)
    expectNoSecret(error)
  })

  test('say that role or password are wrong, and not what they were', async () => {
    const url = new URL(server().url)
    url.password = encodeURIComponent(PASSWORD)
    const error = await errorOf(PostgresStore.open({ url: url.href, ledger: 'x' }))
    expect(error.code).toBe('STORE_UNREACHABLE')
    expect(error.message).toContain('password authentication failed')
    expectNoSecret(error)
  })

  test('say that a password is missing, and where it belongs', async () => {
    const url = new URL(server().url)
    url.password = ''
    const error = await errorOf(PostgresStore.open({ url: url.href, ledger: 'x' }))
    expect(error.code).toBe('STORE_UNREACHABLE')
    expect(error.hint).toContain('EPSILON_POSTGRES_PASSWORD_FILE')
  })

  test('say that a server has no TLS, and where it is asked for', async () => {
    const error = await errorOf(PostgresStore.open({ url: `${server().url}?sslmode=require`, ledger: 'x' }))
    expect(error.code).toBe('STORE_UNREACHABLE')
    expect(error.hint).toContain('sslmode')
  })

  test.each([
    ['postgres://u@one:5432,two:5432/db', 'several hosts'],
    ['postgres://u@one,two/db', 'several hosts'],
    ['postgres://u@one/db?sslmode=no-verify', 'sslmode is "no-verify"'],
    ['postgres://u@one/db?sslmode=prefer', 'sslmode is "prefer"'],
    ['postgres://u@one/db?sslmode=vrify-full', 'sslmode is "vrify-full"'],
    ['postgres://u@one/db?ssl=no-verify', 'it has ssl;'],
    ['postgres://u@one/db?sslmode=require&uselibpqcompat=true', 'it has uselibpqcompat;'],
  ])('name what a URL cannot have: %s', async (url, named) => {
    const error = await errorOf(PostgresStore.open({ url, ledger: 'x' }))
    expect(error.code).toBe('CONFIGURATION_INVALID')
    expect(error.message).toContain(named)
  })

  const encoded = encodeURIComponent(PASSWORD)
  test.each([
    `mysql://x:${encoded}@127.0.0.1/x`,
    `postgres://x:${encoded}@127.0.0.1:99999/x`,
    `postgres://x:${PASSWORD}@127.0.0.1/x`,
    `postgres://x:${encoded}@127.0.0.1/x?sslmode=verify-full&sslrootcert=/nowhere`,
    PASSWORD,
  ])('do not repeat a URL that cannot be used', async (url) => {
    const error = await errorOf(PostgresStore.open({ url, ledger: 'x' }))
    expect(error.code).toBe('CONFIGURATION_INVALID')
    expectNoSecret(error)
  })

  const expectNoSecret = (error: unknown): void => {
    const shown = inspect(error, { depth: 8, showHidden: true }) + JSON.stringify(error)
    for (const secret of [PASSWORD, encodeURIComponent(PASSWORD)]) expect(shown).not.toContain(secret)
  }
})

describe('inspection', () => {
  const filled = async (): Promise<{ store: EventStore; ledger: string }> => {
    const ledger = randomUUID()
    const store = await open({ ledger })
    expect(await store.inspect()).toBeUndefined()
    await store.append(blocksOf(1, 1, 1), undefined)
    expect(await store.inspect()).toBeUndefined()
    return { store, ledger }
  }

  test.each([
    ['the first block', 0, 'its first block is 1, not 0'],
    ['one between others', 1, 'its last block is 2, but it has 2 blocks, not 3'],
  ])('finds that %s is gone', async (_, number, named) => {
    const { store, ledger } = await filled()
    await sql(`DELETE FROM epsilon_blocks WHERE ledger = '${ledger}/0' AND number = ${number}`)
    const error = await store.inspect()
    expect(error).toMatchObject({ code: 'STREAM_TRUNCATED', exitCode: 20 })
    expect(error?.message).toContain(named)
  })

  test('finds that the server does not wait for its disk', async () => {
    const { store } = await filled()
    const set = (value: string) => sql(`ALTER SYSTEM SET fsync = ${value}`).then(() => sql('SELECT pg_reload_conf()'))
    await set('off')
    try {
      const unsafe = async () => expect(await store.inspect()).toMatchObject({ code: 'STORE_NOT_DURABLE' })
      await vi.waitFor(unsafe, { timeout: 60_000 })
    } finally {
      await set('on')
    }
  })
})

test('an append of very many blocks is one transaction too', async () => {
  const store = await open()
  const blocks = blocksOf(...Array.from({ length: 20_000 }, () => 1))
  const taken = { ...(blocks[0] as Block), number: 19_999, first: 30_000, last: 30_000 }
  await expect(
    store.append([...blocks.slice(0, -1), { ...taken, leaf: null as unknown as string }], undefined),
  ).rejects.toThrow()
  expect(await store.head()).toBeUndefined()
  await store.append(blocks, undefined)
  expect(await store.head()).toEqual(head(blocks))
  expect((await store.blockOf(12_345))?.bytes).toEqual(Buffer.from((blocks[12_345] as Block).bytes))
})

test('a gap is never filled: what follows the block before it is a conflict', async () => {
  const ledger = randomUUID()
  const store = await open({ ledger })
  const blocks = blocksOf(1, 1, 1)
  await store.append(blocks, undefined)
  await sql(`DELETE FROM epsilon_blocks WHERE ledger = '${ledger}/0' AND number = 1`)
  const first = positionOf(blocks[0] as Block)
  await expect(store.append([blockAfter(first, 1, 'other')], first)).rejects.toMatchObject({ head: head(blocks) })
})

test('followers elsewhere are told of a block, and need not wait until they look', async () => {
  const ledger = randomUUID()
  const [writer, reader] = [await open({ ledger }), await open({ ledger })]
  const abort = new AbortController()
  const following = reader.subscribe(0, abort.signal)[Symbol.asyncIterator]()
  let after: Position | undefined
  const waited: number[] = []
  for (let number = 0; number < 21; number++) {
    const next = following.next()
    after = await writer.append([blockAfter(after, 1)], after)
    const appended = performance.now()
    expect((await next).value?.number).toBe(number)
    waited.push(performance.now() - appended)
  }
  // They look once a second: of those who wait for that, one in two would wait for half of it.
  expect(waited.sort((one, other) => one - other)[10]).toBeLessThan(300)
  abort.abort()
})

test('the server says what time it is there', async () => {
  const store = await open()
  const before = Date.now()
  const there = await store.serverTimeMs()
  expect(there).toBeGreaterThanOrEqual(before - 1)
  expect(there).toBeLessThanOrEqual(Date.now() + 1)
})

test('a subscription that hears no notification looks by itself', async () => {
  const ledger = randomUUID()
  const store = await open({ ledger })
  const abort = new AbortController()
  const first = (async () => {
    for await (const block of store.subscribe(0, abort.signal)) return block.number
    return undefined
  })()
  await sleep(300)
  const [block] = blocksOf(1) as [Block]
  const row = [`'${ledger}/0'`, 0, 0, 0, `'${block.leaf}'`, `'\\x${Buffer.from(block.bytes).toString('hex')}'`]
  await sql(`INSERT INTO epsilon_blocks VALUES (${row.join(', ')})`)
  expect(await first).toBe(0)
})

describe('while the server is away', () => {
  const away = withServer(() => PostgresServer.start())

  test('records of a block that was read lately are found while the server is away', async () => {
    const store = await open({ url: away().url, patienceMs: 3_000 })
    await store.append(blocksOf(3, 1), undefined)
    expect((await store.blockOf(0))?.number).toBe(0)
    await away().term()
    expect((await store.blockOf(2))?.number).toBe(0)
    expect(await errorOf(Promise.resolve(store.blockOf(3)))).toMatchObject({ code: 'STORE_UNREACHABLE' })
    await away().restart()
    expect((await store.blockOf(3))?.number).toBe(1)
  })

  test('readers wait for a server that is started again', async () => {
    const store = await open({ url: away().url })
    await store.append(blocksOf(1), undefined)
    await away().kill9()
    const reading = collect(store.read(0))
    await sleep(200)
    await away().restart()
    expect(await reading).toHaveLength(1)
  })

  test('a subscription goes on after its connection was ended, and after the server was away', async () => {
    const ledger = randomUUID()
    const [reader, writer] = [
      await open({ url: away().url, ledger, patienceMs: 3_000 }),
      await open({ url: away().url, ledger }),
    ]
    const seen: number[] = []
    const abort = new AbortController()
    const following = (async () => {
      for await (const { number } of reader.subscribe(0, abort.signal)) seen.push(number)
    })()
    const blocks = blocksOf(1, 1, 1)
    const append = (index: number) =>
      writer.append([blocks[index] as Block], index === 0 ? undefined : head(blocks.slice(0, index)))
    const sees = (count: number) => vi.waitFor(() => expect(seen).toHaveLength(count), { timeout: 120_000 })
    await append(0)
    await sees(1)
    await sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
      away().url,
    )
    await append(1)
    await sees(2)
    await away().kill9()
    // Longer than the reader has patience.
    await sleep(4_000)
    await away().restart()
    await append(2)
    await sees(3)
    abort.abort()
    await following
    expect(seen).toEqual([0, 1, 2])
  })
})

describe('durability is the own setting of every append', () => {
  const lazy = withServer(() =>
    PostgresServer.start({ settings: { wal_writer_delay: '10s', synchronous_commit: 'off' } }),
  )

  test('what was acknowledged is there after a kill, though server, database and role say that commits need not wait', async () => {
    await sql('ALTER DATABASE postgres SET synchronous_commit = off', lazy().url)
    await sql('ALTER ROLE postgres SET synchronous_commit = off', lazy().url)
    const store = await open({ url: lazy().url })
    await store.append(blocksOf(1), undefined)
    await sql('CREATE TABLE not_ours AS SELECT 1 AS one', lazy().url)
    await store.append([blockAfter(head(blocksOf(1)), 1)], head(blocksOf(1)))
    await sql('INSERT INTO not_ours VALUES (2)', lazy().url)
    await lazy().kill9()
    await lazy().restart()
    expect(await collect(store.read(0))).toHaveLength(2)
    // The kill was one that takes away what nobody waited for.
    expect(await sql('SELECT * FROM not_ours', lazy().url)).toHaveLength(1)
  })
})

describe('with a synchronous standby', () => {
  const primary = withServer(() => PostgresServer.start())
  const standby = (name: string) =>
    sql(`ALTER SYSTEM SET synchronous_standby_names = '${name}'`, primary().url).then(() =>
      sql('SELECT pg_reload_conf()', primary().url),
    )

  const untilItWaits = () =>
    vi.waitFor(
      async () =>
        expect(await sql("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'", primary().url)).toHaveLength(
          1,
        ),
      { timeout: 60_000 },
    )

  test.each([
    [
      'the server is killed',
      async () => {
        await primary().kill9()
        await primary().restart()
      },
    ],
    [
      'somebody cancels the waiting',
      () => sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", primary().url),
    ],
    [
      'somebody ends its connection',
      () => sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", primary().url),
    ],
  ])('a block that the primary alone has is not acknowledged, also when %s', async (_, disturb) => {
    const ledger = randomUUID()
    const store = await open({ url: primary().url, ledger })
    await standby('away')
    let answered = false
    const appending = store.append(blocksOf(1), undefined).finally(() => {
      answered = true
    })
    await untilItWaits()
    await disturb()
    await untilItWaits()
    expect(await sql(`SELECT number FROM epsilon_blocks WHERE ledger = '${ledger}/0'`, primary().url)).toHaveLength(1)
    await sleep(300)
    expect(answered).toBe(false)
    await standby('')
    expect(await appending).toEqual(head(blocksOf(1)))
    expect(await collect(store.read(0))).toHaveLength(1)
  })
})

describe('a standby', () => {
  const standby = withServer(() => PostgresServer.start())

  test('is called read-only, with a table and without one', async () => {
    const ledger = randomUUID()
    const before = await open({ url: standby().url, ledger })
    await before.append(blocksOf(1), undefined)
    await sql('CREATE DATABASE empty', standby().url)
    await standby().term()
    await writeFile(join(standby().folder, 'data', 'standby.signal'), '')
    await standby().restart()
    const store = await open({ url: standby().url, ledger })
    expect(await store.head()).toEqual(head(blocksOf(1)))
    const next = blockAfter(head(blocksOf(1)), 1)
    const error = await errorOf(store.append([next], head(blocksOf(1))))
    expect(error.code).toBe('STORE_READ_ONLY')
    expect(error.message).toContain('standby')
    expect(await store.inspect()).toMatchObject({ code: 'STORE_READ_ONLY', exitCode: 3 })
    const url = new URL(standby().url)
    url.pathname = 'empty'
    expect(await errorOf(open({ url: url.href }))).toMatchObject({ code: 'STORE_READ_ONLY' })
  })
})
