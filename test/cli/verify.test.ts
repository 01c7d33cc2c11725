import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SqliteFile } from '../../src/adapters/sqlite-file.js'
import { Scenario } from '../support/scenario.js'
import { type Run, run } from '../support/service.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { wholeLog } from '../support/whole-log.js'
import { command } from './in-process.js'
import { directoryOf } from './ledger-directory.js'

const whole = wholeLog()
const documentOf = ({ stdout }: Run) => {
  expect(stdout.trimEnd().split('\n')).toHaveLength(1)
  return JSON.parse(stdout)
}

const flip = (path: string, place: number): void => {
  const bytes = readFileSync(path)
  bytes[place] = (bytes[place] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

test('a sound log verifies with exit code 0, from its directory and from a file', async () => {
  const { data, records } = await directoryOf(await whole)
  const head = await (await whole).store.head()
  const [directory, file] = await Promise.all([
    run('verify', '--data', data, '--json'),
    run('verify', '--records', records, '--head', head?.leaf ?? '', '--json'),
  ])
  expect(directory).toMatchObject({ code: 0, stderr: '' })
  expect(file.code).toBe(0)
  expect(documentOf(directory)).toMatchObject({
    ok: true,
    headChecked: true,
    head: { seq: head?.seq, leaf: head?.leaf },
    verdict: 'verified',
    statement: 'Privacy guarantees verified, 3 of 3 under a condition',
    violations: [],
  })
  expect(documentOf(file)).toEqual(documentOf(directory))
})

test('an altered record is named with exit code 20', async () => {
  const { records } = await directoryOf(await whole)
  const lines = await (await whole).lines()
  flip(records, lines.slice(0, 7).join('\n').length + 40)
  const result = await command('verify', '--records', records, '--json')
  expect(result.code).toBe(20)
  expect(documentOf(result)).toMatchObject({ ok: false, seq: 7, recordsSound: 7 })
  const words = await command('verify', '--records', records)
  expect(words).toMatchObject({ code: 20 })
  expect(words.stdout).toContain('record 7')
})

test('a file that ends early is told by the head alone', async () => {
  const { records } = await directoryOf(await whole)
  const lines = await (await whole).lines()
  writeFileSync(records, `${lines.slice(0, -1).join('\n')}\n`)
  const head = (await (await whole).store.head())?.leaf ?? ''
  const [without, withHead] = await Promise.all([
    command('verify', '--records', records),
    command('verify', '--records', records, '--head', head, '--json'),
  ])
  expect(without.code).toBe(0)
  expect(without.stdout).toContain('nobody vouches for the last record')
  expect(withHead.code).toBe(20)
  expect(documentOf(withHead)).toMatchObject({ ok: false, code: 'HEAD_MISMATCH' })
})

test('a record that was altered in the database is named with exit code 20', async () => {
  const { data } = await directoryOf(await whole)
  const file = new SqliteFile(join(data, 'ledger.db'), 1000)
  const [row] = file
    .prepare('SELECT number, first, bytes FROM blocks WHERE first <= 9 ORDER BY first DESC LIMIT 1')
    .all([])
  const bytes = Buffer.from(row?.['bytes'] as ArrayBuffer)
  bytes[30] = (bytes[30] ?? 0) ^ 1
  file.prepare('UPDATE blocks SET bytes = ? WHERE number = ?').run([bytes, row?.['number'] as number])
  file.close()
  const result = await command('verify', '--data', data, '--json')
  expect(result.code).toBe(20)
  expect(documentOf(result)).toMatchObject({ ok: false, seq: row?.['first'] })
})

test('a database without its last block is told from its own head', async () => {
  const { data } = await directoryOf(await whole)
  const file = new SqliteFile(join(data, 'ledger.db'), 1000)
  file.exec('DELETE FROM blocks WHERE number = (SELECT max(number) FROM blocks)')
  file.close()
  const result = await command('verify', '--data', data, '--json')
  expect(result.code).toBe(20)
  expect(documentOf(result)).toMatchObject({ ok: false, code: 'HEAD_MISMATCH' })
})

test('a file that is no database is an integrity failure, not a crash', async () => {
  const { data } = await directoryOf(await whole)
  writeFileSync(join(data, 'ledger.db'), 'x'.repeat(8192))
  const result = await command('verify', '--data', data, '--json')
  expect(result.code).toBe(20)
  expect(documentOf(result)).toMatchObject({ ok: false, code: 'STORE_UNREADABLE' })
})

test('a violation on record leaves the log sound and exits with 32; damage goes first', async () => {
  const ledger = await Scenario.open()
  await ledger.policy({ id: 'person', scope: ['unit'], epsilon: '1' })
  await ledger.report({ id: 'r', unit: 'u', mechanism: 'declared_pure', epsilon: '2' })
  const { data, records } = await directoryOf(ledger)
  const result = await command('verify', '--data', data, '--json')
  expect(result.code).toBe(32)
  expect(documentOf(result)).toMatchObject({
    ok: true,
    verdict: 'violated',
    violations: [{ seq: 5, code: 'REPORT_BEYOND_CAP', key: 'u' }],
  })
  flip(records, readFileSync(records).length - 40)
  expect((await command('verify', '--records', records)).code).toBe(20)
})

test('long work shows how far it is on stderr where that is asked for', async () => {
  const { data } = await directoryOf(await whole)
  const result = await command('verify', '--data', data, '--progress', '--json')
  expect(result.stderr).toMatch(/^\d+ of \d+ records, [\d,]+\/s\n/)
  expect(documentOf(result).ok).toBe(true)
})

test('a folder, and a file without any record, are called what they are', async () => {
  const folder = temporaryFolder()
  const empty = join(folder, 'empty.ndjson')
  writeFileSync(empty, '')
  const [onFolder, onEmpty, onDevice, onNothing] = await Promise.all([
    command('verify', '--records', folder),
    command('verify', '--records', empty, '--json'),
    command('verify', '--records', '/dev/null'),
    command('verify', '--records', join(folder, 'none')),
  ])
  expect(onFolder).toMatchObject({ code: 10, stderr: expect.stringContaining('is a folder') })
  expect(onEmpty).toMatchObject({ code: 20, stderr: expect.stringMatching(/^FILE_EMPTY: .* has no record/) })
  expect(onDevice).toMatchObject({ code: 20, stderr: expect.stringContaining('/dev/null has no record') })
  expect(onNothing).toMatchObject({ code: 10, stderr: expect.stringContaining('there is no file') })
})
