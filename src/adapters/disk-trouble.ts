import { accessSync, constants, existsSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { sqliteCode } from './sqlite-file.js'

/** What the largest append takes: 8 MiB of records in the write-ahead log, and as much again when they move into the database. */
export const NEEDED_BYTES = 16 * 1024 ** 2

/** Why nothing can be kept on a file system. The codes are those of `doctor`. */
export interface DiskTrouble {
  readonly code: 'disk.full' | 'disk.read_only'
  /** What is wrong, with the bytes that are free and those that are needed. */
  readonly detail: string
  /** The next step. */
  readonly hint: string
}

/**
 * What is wrong with the file system that a path lies on, or would lie on; undefined where nothing is.
 *
 * @param cause what a write failed with: a quota, or a lack of inodes, does not show in the free bytes.
 */
export const diskTrouble = (path: string, cause?: unknown): DiskTrouble | undefined => {
  const folder = nearestFolder(path)
  const free = freeBytes(folder)
  const room = `${free ?? 'unknown'} bytes are free, and at least ${NEEDED_BYTES} are needed`
  if (isReadOnly(folder)) {
    return {
      code: 'disk.read_only',
      detail: `the file system of ${path} is read-only (${room})`,
      hint: 'Mount it for writing; after errors of a disk the kernel makes its file systems read-only. docs/runbooks/disk-full.md',
    }
  }
  if (free !== undefined && free < NEEDED_BYTES) return full(`the disk of ${path} is full: ${room}`)
  return isFull(cause)
    ? full(`the disk of ${path} takes no more, by a quota or for want of inodes (${room})`)
    : undefined
}

/** Free for an ordinary user, at a folder that is there; undefined where the file system does not say. */
export const freeBytes = (folder: string): number | undefined => {
  const { bavail, bsize, blocks } = statfsSync(folder)
  return blocks === 0 ? undefined : bavail * bsize
}

const full = (detail: string): DiskTrouble => ({
  code: 'disk.full',
  detail,
  hint: 'Make room; never delete a file of the ledger for it. docs/runbooks/disk-full.md',
})

const nearestFolder = (path: string): string => (existsSync(path) ? path : nearestFolder(dirname(path)))

const isReadOnly = (folder: string): boolean => {
  try {
    accessSync(folder, constants.W_OK)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS'
  }
}

const isFull = (cause: unknown): boolean =>
  sqliteCode(cause) === 'SQLITE_FULL' || ['ENOSPC', 'EDQUOT'].includes(String((cause as NodeJS.ErrnoException)?.code))
