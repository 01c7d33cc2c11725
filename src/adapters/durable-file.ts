import { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { LedgerError } from '../ledger/errors.js'

/**
 * Replaces a file as a whole: after a crash it holds the old bytes or the new ones, and after the return the new ones, also across a
 * power cut. Throws `WRITE_FAILED`, and then the old file is as it was.
 */
export const replaceFile = (path: string, bytes: Uint8Array, mode: number): void => {
  const draft = `${path}.${process.pid}.new`
  try {
    writeNew(draft, bytes, mode)
    renameSync(draft, path)
    syncFolder(dirname(path))
  } catch (error) {
    removeQuietly(draft)
    throw new LedgerError('WRITE_FAILED', `${path} could not be written: ${(error as Error).message}`, {
      retry: 'after-restart',
      hint: 'Look at the free space and the rights of that folder.',
      cause: error,
    })
  }
}

/** Makes the creation and the renaming of files in a folder survive a power cut. */
export const syncFolder = (path: string): void => {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

const writeNew = (path: string, bytes: Uint8Array, mode: number): void => {
  removeQuietly(path)
  const file = openSync(path, 'wx', mode)
  try {
    writeFully(file, bytes)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** A write may take fewer bytes than it was given, without an error: a full disk, a quota. */
const writeFully = (file: number, bytes: Uint8Array): void => {
  let done = 0
  while (done < bytes.length) {
    const written = writeSync(file, bytes, done)
    if (written === 0) throw new Error(`only ${done} of ${bytes.length} bytes were taken`)
    done += written
  }
}

const removeQuietly = (path: string): void => {
  try {
    unlinkSync(path)
  } catch {}
}
