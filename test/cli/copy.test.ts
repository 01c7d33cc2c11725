import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DataDirectory } from '../../src/adapters/data-directory.js'
import { SeenFile } from '../../src/adapters/seen-file.js'
import { SqliteStore } from '../../src/adapters/sqlite-store.js'
import { openService } from '../../src/composition.js'
import { readConfiguration } from '../../src/configuration.js'
import type { Position } from '../../src/ledger/block.js'
import { blockAfter, collect } from '../support/logs.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { wholeLog } from '../support/whole-log.js'
import { command } from './in-process.js'
import { directoryOf } from './ledger-directory.js'

const whole = wholeLog()

const newPlace = (): string => join(temporaryFolder(), 'copy')

test('a log is copied from one directory to another, and both verify', async () => {
  const { data } = await directoryOf(await whole)
  const to = newPlace()
  const head = await (await whole).store.head()
  const copied = await command('copy', '--from', data, '--to', to, '--json')
  expect(copied).toMatchObject({ code: 0 })
  expect(JSON.parse(copied.stdout)).toEqual({ ok: true, head, from: null, ahead: null })
  const again = await command('copy', '--from', data, '--to', to)
  expect(again).toMatchObject({ code: 0 })
  expect(again.stdout).toContain(`up to record ${head?.seq}, leaf ${head?.leaf}`)
  expect(again.stdout).toContain('Serve only one of the two')
  expect(await command('verify', '--data', to)).toMatchObject({ code: 0 })
  const blocks = async (place: string) => {
    const store = SqliteStore.open(join(place, 'ledger.db'))
    return (await collect(store.read(0)).finally(() => store.close())).map(({ leaf }) => leaf)
  }
  expect(await blocks(to)).toEqual(await blocks(data))
})

test('a place with another log is refused, and so are one place and none', async () => {
  const { data } = await directoryOf(await whole)
  const other = newPlace()
  await command('copy', '--from', data, '--to', other)
  const store = SqliteStore.open(join(other, 'ledger.db'))
  const head = await store.head()
  await store.append([blockAfter(head, 1)], head)
  await store.close()
  expect(await command('copy', '--from', data, '--to', other)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('COPY_MISMATCH'),
  })
  expect(await command('copy', '--from', data, '--to', data)).toMatchObject({ code: 2 })
  expect(await command('copy', '--from', newPlace(), '--to', other)).toMatchObject({ code: 10 })
  expect(await command('copy', '--from', data, '--to', 'mysql://localhost/x')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('CONFIGURATION_INVALID'),
  })
})

test('a directory that a service has is not copied into', async () => {
  const { data } = await directoryOf(await whole)
  const to = newPlace()
  const service = DataDirectory.open(to)
  expect(await command('copy', '--from', data, '--to', to)).toMatchObject({ code: 11 })
  service.release()
  expect(await command('copy', '--from', data, '--to', to)).toMatchObject({ code: 0 })
})

test.each([
  'postgres:/ledger:s3cret@host/db',
  'POSTGRES://ledger:s3cret@host/db',
  'esdb:ledger:s3cret@host',
  'pg2://u:s3cret@host',
])('a mistyped URL is no folder, and its password is shown nowhere: %s', async (place) => {
  const { data } = await directoryOf(await whole)
  for (const places of [
    ['--from', data, '--to', place],
    ['--from', place, '--to', newPlace()],
  ]) {
    const { code, stdout, stderr } = await command('copy', ...places)
    expect(code).toBe(2)
    expect(stdout + stderr).toContain('CONFIGURATION_INVALID')
    expect(stdout + stderr).not.toContain('s3cret')
  }
  expect(existsSync(place)).toBe(false)
})

test('a directory notes what its log is to end with, so that no service starts on a copy that was broken off', async () => {
  const { data } = await directoryOf(await whole)
  const to = newPlace()
  const head = (await (await whole).store.head()) as Position
  await command('copy', '--from', data, '--to', to)
  expect(SeenFile.read(join(to, 'seen'))).toEqual(head)
  // As it is where a copy ends before its first append.
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(to, `ledger.db${suffix}`), { force: true })
  await SqliteStore.create(join(to, 'ledger.db')).close()
  const start = () => openService(readConfiguration({}, { data: to }))
  await expect(start()).rejects.toMatchObject({ code: 'STALE' })
  // What the directory has seen beyond it is not forgotten.
  const beyond = { ...head, block: head.block + 1, seq: head.seq + 1 }
  const seen = SeenFile.open(join(to, 'seen'))
  seen.write(beyond)
  seen.close()
  expect(await command('copy', '--from', data, '--to', to)).toMatchObject({ code: 0 })
  expect(SeenFile.read(join(to, 'seen'))).toEqual(beyond)
  await expect(start()).rejects.toMatchObject({ code: 'STALE' })
})

test('an older log is not copied on: what says that it is one would stay behind', async () => {
  const { data } = await directoryOf(await whole)
  const older = newPlace()
  await command('copy', '--from', data, '--to', older)
  const head = (await (await whole).store.head()) as Position
  for (const [seen, code, exit] of [
    [{ ...head, block: head.block + 1, seq: head.seq + 1 }, 'STALE', 21],
    [{ ...head, leaf: 'ab'.repeat(32) }, 'FORKED', 22],
  ] as const) {
    const file = SeenFile.open(join(older, 'seen'))
    file.write(seen)
    file.close()
    const on = newPlace()
    expect(await command('copy', '--from', older, '--to', on)).toMatchObject({
      code: exit,
      stderr: expect.stringContaining(code),
    })
    expect(existsSync(on)).toBe(false)
  }
})

test('a source without a record leaves no trace where it was to go', async () => {
  const from = temporaryFolder()
  await SqliteStore.create(join(from, 'ledger.db')).close()
  const to = newPlace()
  expect(await command('copy', '--from', from, '--to', to)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('COPY_EMPTY'),
  })
  expect(existsSync(to)).toBe(false)
})
