import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SqliteFile } from '../../src/adapters/sqlite-file.js'
import { SqliteStore } from '../../src/adapters/sqlite-store.js'
import { type Block, positionOf } from '../../src/ledger/block.js'
import { ChainCheck } from '../../src/ledger/chain.js'
import { startChild } from '../support/child.js'
import { blockAfter, blocksOf, collect } from '../support/logs.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { storeContract } from './event-store.contract.js'

const newPath = (): string => join(temporaryFolder(), 'ledger.db')

describe('the contract of every store', () => storeContract(() => SqliteStore.create(newPath())))

const head = (blocks: readonly Block[]) => positionOf(blocks.at(-1) as Block)

test('a store that is opened again has everything', async () => {
  const path = newPath()
  const blocks = blocksOf(3, 2)
  const store = SqliteStore.create(path)
  await store.append(blocks, undefined)
  await store.close()
  const again = SqliteStore.open(path)
  expect(await again.head()).toEqual(head(blocks))
  expect((await collect(again.read(0))).map((block) => Buffer.from(block.bytes))).toEqual(
    blocks.map((block) => Buffer.from(block.bytes)),
  )
  const next = blockAfter(head(blocks), 1)
  expect(await again.append([next], head(blocks))).toEqual(positionOf(next))
})

test('two handles on one file race as two appends on one store do', async () => {
  const path = newPath()
  const one = SqliteStore.create(path)
  const two = SqliteStore.open(path)
  const blocks = blocksOf(1)
  await one.append(blocks, undefined)
  await expect(two.append(blocks, undefined)).rejects.toMatchObject({ code: 'APPEND_CONFLICT', head: head(blocks) })
  const next = blockAfter(head(blocks), 1)
  await two.append([next], head(blocks))
  expect(await one.head()).toEqual(positionOf(next))
})

test('blocks that cannot all be kept are not kept at all, and the store is done with', async () => {
  const store = SqliteStore.create(newPath())
  const blocks = blocksOf(1, 1)
  const spoilt = [blocks[0] as Block, { ...(blocks[1] as Block), leaf: null as unknown as string }]
  await expect(store.append(spoilt, undefined)).rejects.toMatchObject({
    code: 'APPEND_UNCERTAIN',
    retry: 'after-restart',
  })
  expect(await collect(store.read(0))).toEqual([])
  expect(await store.head()).toBeUndefined()
  await expect(store.append(blocks, undefined)).rejects.toMatchObject({ code: 'APPEND_UNCERTAIN' })
})

test('a disk that takes no more makes an append uncertain, and what was acknowledged is all there', async () => {
  const path = newPath()
  const child = startChild(new URL('append-until-refused.ts', import.meta.url), [path], 'ulimit -f 600')
  const { acknowledged, code, again } = JSON.parse((await child.line()) ?? '')
  expect([code, again]).toEqual(['APPEND_UNCERTAIN', 'APPEND_UNCERTAIN'])
  const store = SqliteStore.open(path)
  const chain = new ChainCheck()
  for await (const block of store.read(0)) chain.add(block)
  expect(chain.state?.position).toEqual(await store.head())
  expect(chain.state?.position.seq).toBeGreaterThanOrEqual(acknowledged)
  expect(acknowledged).toBeGreaterThan(100)
})

test('the file is for its owner only, and says what it is', async () => {
  const path = newPath()
  const store = SqliteStore.create(path)
  await store.append(blocksOf(1), undefined)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600)
  await store.close()
  expect(readFileSync(path).subarray(68, 72).toString('latin1')).toBe('EpsL')
})

test('after close the one file holds everything', async () => {
  const path = newPath()
  const blocks = blocksOf(2, 2)
  const store = SqliteStore.create(path)
  await store.append(blocks, undefined)
  await store.close()
  const copy = join(temporaryFolder(), 'copy.db')
  copyFileSync(path, copy)
  expect(await SqliteStore.open(copy).head()).toEqual(head(blocks))
})

test('the log is read with any SQLite shell', async ({ skip }) => {
  if (!existsSync('/usr/bin/sqlite3')) skip('there is no sqlite3 on this machine')
  const path = newPath()
  const blocks = blocksOf(2, 1)
  const store = SqliteStore.create(path)
  await store.append(blocks, undefined)
  await store.close()
  const log = execFileSync('/usr/bin/sqlite3', [path, 'SELECT CAST(bytes AS TEXT) FROM blocks ORDER BY number'])
  expect(log.toString().replaceAll('\n\n', '\n')).toBe(Buffer.concat(blocks.map((block) => block.bytes)).toString())
})

test('creating never replaces, opening never creates', async () => {
  const path = newPath()
  expect(() => SqliteStore.open(path)).toThrow(expect.objectContaining({ code: 'STORE_MISSING', exitCode: 10 }))
  expect(existsSync(path)).toBe(false)
  await SqliteStore.create(path).close()
  expect(() => SqliteStore.create(path)).toThrow(expect.objectContaining({ code: 'STORE_EXISTS' }))
  expect(() => SqliteStore.create(join(path, 'no', 'folder'))).toThrow(
    expect.objectContaining({ code: 'STORE_NOT_CREATED' }),
  )
})

test('an unfinished creation is begun again', async () => {
  const path = newPath()
  writeFileSync(`${path}.new`, 'half')
  expect(await SqliteStore.create(path).head()).toBeUndefined()
})

test.each([
  ['text', (path: string) => writeFileSync(path, 'no database at all\n'.repeat(300))],
  ['an empty file', (path: string) => writeFileSync(path, '')],
  ['a header alone', (path: string) => truncateSync(path, 100)],
  ["another program's database", (path: string) => new SqliteFile(path, 0).exec('PRAGMA application_id = 7')],
])('%s is not taken for a ledger', async (_, spoil) => {
  const path = newPath()
  await SqliteStore.create(path).close()
  spoil(path)
  expect(() => SqliteStore.open(path)).toThrow(expect.objectContaining({ code: 'STORE_UNREADABLE', exitCode: 20 }))
})

test('a ledger of a later format is left alone', async () => {
  const path = newPath()
  await SqliteStore.create(path).close()
  new SqliteFile(path, 0).exec('PRAGMA user_version = 2')
  expect(() => SqliteStore.open(path)).toThrow(expect.objectContaining({ code: 'STORE_FORMAT_UNKNOWN' }))
})

test('damage in the middle of the file is an error with a code, never another log', async () => {
  const path = newPath()
  const blocks = blocksOf(400, 400)
  const store = SqliteStore.create(path)
  await store.append(blocks, undefined)
  await store.close()
  const bytes = readFileSync(path)
  const outcomes = new Set<unknown>()
  for (let place = 4096; place < bytes.length; place += 4096 + 512) {
    const copy = newPath()
    writeFileSync(copy, Buffer.from(bytes).fill(0xff, place, place + 64))
    outcomes.add(await verified(copy))
  }
  outcomes.delete(head(blocks).leaf)
  expect([...outcomes].sort()).toEqual(['RECORD_NOT_CANONICAL', 'RECORD_UNREADABLE', 'STORE_UNREADABLE'])
})

/** Leaf of the last record, or the code of what is wrong. */
const verified = async (path: string): Promise<unknown> => {
  try {
    const chain = new ChainCheck()
    for await (const block of SqliteStore.open(path).read(0)) chain.add(block)
    return chain.state?.position.leaf
  } catch (error) {
    return (error as { code?: string }).code
  }
}
