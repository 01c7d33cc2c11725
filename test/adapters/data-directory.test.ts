import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DataDirectory } from '../../src/adapters/data-directory.js'
import { startChild } from '../support/child.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const newPath = (): string => join(temporaryFolder(), 'deep', 'data')
const holder = new URL('hold-directory.ts', import.meta.url)

test('a data directory is made for its owner only', () => {
  const path = newPath()
  DataDirectory.open(path).release()
  expect(statSync(path).mode & 0o777).toBe(0o700)
})

test('a second process is told whose the directory is, until the first is killed', async () => {
  const path = newPath()
  const child = startChild(holder, [path])
  const pid = await child.line()
  expect(() => DataDirectory.open(path)).toThrow(
    expect.objectContaining({ code: 'LOCKED', exitCode: 11, message: expect.stringContaining(`process ${pid}`) }),
  )
  await child.kill('SIGKILL')
  DataDirectory.open(path).release()
})

test('a second opening in the same process is refused too, until the first is released', () => {
  const path = newPath()
  const directory = DataDirectory.open(path)
  for (let attempt = 0; attempt < 2; attempt++) {
    expect(() => DataDirectory.open(path)).toThrow(
      expect.objectContaining({ code: 'LOCKED', message: expect.stringContaining(`${process.pid}`) }),
    )
  }
  directory.release()
  const again = DataDirectory.open(path)
  expect(() => DataDirectory.open(path)).toThrow(expect.objectContaining({ code: 'LOCKED' }))
  again.release()
})

test('a directory is looked at without a lock, and never made by looking', () => {
  const path = newPath()
  expect(() => DataDirectory.inspect(path)).toThrow(expect.objectContaining({ code: 'DATA_MISSING', exitCode: 10 }))
  expect(existsSync(path)).toBe(false)
  const directory = DataDirectory.open(path)
  expect(DataDirectory.inspect(path).path).toBe(directory.path)
  directory.release()
})

test('a place that cannot be a directory is an error with a code', () => {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'file'), '')
  expect(() => DataDirectory.open(join(folder, 'file'))).toThrow(
    expect.objectContaining({ code: 'DATA_UNUSABLE', exitCode: 3 }),
  )
  expect(() => DataDirectory.open(join(folder, 'file', 'data'))).toThrow(
    expect.objectContaining({ code: 'DATA_UNUSABLE' }),
  )
  mkdirSync(join(folder, 'spoilt'))
  writeFileSync(join(folder, 'spoilt', 'lock'), 'no database '.repeat(100))
  expect(() => DataDirectory.open(join(folder, 'spoilt'))).toThrow(expect.objectContaining({ code: 'DATA_UNUSABLE' }))
})

test('a secret is for its owner only, whatever was there before, and is replaced as a whole', () => {
  const directory = DataDirectory.open(newPath())
  expect(directory.readSecret('operator.token')).toBeUndefined()
  directory.writeSecret('operator.token', 'one')
  chmodSync(directory.file('operator.token'), 0o644)
  directory.writeSecret('operator.token', 'two')
  expect(directory.readSecret('operator.token')).toBe('two')
  expect(statSync(directory.file('operator.token')).mode & 0o777).toBe(0o600)
  expect(readdirSync(directory.path).sort()).toEqual(['lock', 'operator.token'])
})

test('a secret that cannot be written leaves nothing behind', () => {
  const directory = DataDirectory.open(newPath())
  mkdirSync(directory.file('taken'))
  expect(() => directory.writeSecret('taken', 'x')).toThrow(expect.objectContaining({ code: 'WRITE_FAILED' }))
  expect(readdirSync(directory.path).sort()).toEqual(['lock', 'taken'])
})

test('the signing seed is made once, kept, and never replaced', () => {
  const directory = DataDirectory.open(newPath())
  expect(() => directory.readSigningSeed()).toThrow(expect.objectContaining({ code: 'KEY_MISSING', exitCode: 12 }))
  const seed = directory.createSigningSeed()
  expect(seed).toHaveLength(32)
  expect(directory.readSigningSeed()).toEqual(seed)
  expect(() => directory.createSigningSeed()).toThrow(expect.objectContaining({ code: 'KEY_EXISTS' }))
  directory.writeSecret('signing.key', 'something else')
  expect(() => directory.readSigningSeed()).toThrow(expect.objectContaining({ code: 'KEY_UNREADABLE', exitCode: 12 }))
})
