import { join } from 'node:path'
import { expect, test } from 'vitest'
import { diskTrouble, freeBytes, NEEDED_BYTES } from '../../src/adapters/disk-trouble.js'
import { temporaryFolder } from '../support/temporary-folder.js'

test('a disk with room is no trouble, for what is there and for what is not there yet', () => {
  const folder = temporaryFolder()
  expect(diskTrouble(folder)).toBeUndefined()
  expect(diskTrouble(join(folder, 'not', 'there'))).toBeUndefined()
  expect(diskTrouble(folder, new Error('something else'))).toBeUndefined()
})

test.each(['ENOSPC', 'EDQUOT', 'SQLITE_FULL'])('%s on a disk with room is a quota, and names both numbers', (code) => {
  const folder = temporaryFolder()
  const trouble = diskTrouble(folder, Object.assign(new Error('no'), { code }))
  expect(trouble).toMatchObject({ code: 'disk.full', detail: expect.stringContaining(String(NEEDED_BYTES)) })
  expect(trouble?.detail).toMatch(/takes no more, by a quota or for want of inodes \(\d+ bytes are free/)
})

test('a file system that does not count its blocks is not called full', () => {
  expect(freeBytes('/proc')).toBeUndefined()
})
