import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { replaceFile } from '../../src/adapters/durable-file.js'
import { startChild } from '../support/child.js'
import { temporaryFolder } from '../support/temporary-folder.js'

test('a file is replaced as a whole, with its new mode', () => {
  const path = join(temporaryFolder(), 'file')
  writeFileSync(path, 'old', { mode: 0o644 })
  replaceFile(path, Buffer.from('new'), 0o600)
  expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['new', 0o600])
})

test('a write that is cut short leaves the old file, and says so', async () => {
  const path = join(temporaryFolder(), 'file')
  writeFileSync(path, 'old')
  const child = startChild(new URL('replace-file.ts', import.meta.url), [path], 'ulimit -f 8')
  expect(await child.line()).toBe('WRITE_FAILED')
  expect(readFileSync(path, 'utf8')).toBe('old')
})

test('a place that cannot be written to is an error with a code', () => {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'taken'))
  expect(() => replaceFile(join(folder, 'taken'), Buffer.from('x'), 0o600)).toThrow(
    expect.objectContaining({ code: 'WRITE_FAILED' }),
  )
  expect(() => replaceFile(join(folder, 'no', 'where'), Buffer.from('x'), 0o600)).toThrow(
    expect.objectContaining({ code: 'WRITE_FAILED' }),
  )
})
