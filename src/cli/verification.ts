import { createReadStream } from 'node:fs'
import { ChainFault } from '../ledger/chain.js'
import { LedgerError } from '../ledger/errors.js'
import { wholeLines } from '../ledger/lines.js'
import type { Leaf } from '../ledger/record.js'
import { type Verification, Verifier } from '../recovery/verify.js'
import { requireReadable } from './input.js'
import { EXIT, type Io } from './io.js'
import { Progress } from './progress.js'
import { openLogOf, type ReadableLog } from './readable-log.js'

/** Verifies the log of a data directory as it stands now, whether or not a service runs on it. */
export const verifyDirectory = async (data: string, io: Io, forced: boolean): Promise<Verification> => {
  const log = await openLogOf(data)
  try {
    return await verifyLog(log, io, forced)
  } finally {
    await log.close()
  }
}

const verifyLog = async (log: ReadableLog, io: Io, forced: boolean): Promise<Verification> => {
  const head = await log.head()
  const verifier = new Verifier()
  const progress = new Progress(io, 'records', head === undefined ? 0 : head.seq + 1, forced)
  try {
    for await (const block of log.blocks(head?.block ?? -1)) {
      if (!verifier.addBlock(block)) break
      progress.update(verifier.size)
    }
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error
    verifier.stop(new ChainFault('RECORD_UNREADABLE', verifier.size, error.message, error))
  }
  progress.end(verifier.size)
  return verifier.end(head?.leaf)
}

export interface FileOptions {
  /** The leaf that its last record should have. */
  readonly head?: Leaf | undefined
  /** Records to look at; those after them are left alone. */
  readonly records?: number
  /** Shows progress also where stderr is no terminal. */
  readonly forced: boolean
}

/** Verifies a log that lies in a file, one record a line. Throws `FILE_MISSING`, and `FILE_EMPTY` where it has no record. */
export const verifyFile = async (path: string, io: Io, options: FileOptions): Promise<Verification> => {
  const verifier = new Verifier()
  const { size, regular } = requireReadable(path)
  const total = regular ? size : undefined
  const progress = new Progress(io, 'bytes', total, options.forced)
  let done = 0
  const lines = wholeLines(createReadStream(path, { highWaterMark: PIECE_BYTES }))
  for await (const run of options.records === undefined ? lines : firstRecords(lines, options.records)) {
    done += run.length
    if (!verifier.addLines(run)) break
    progress.update(done)
  }
  progress.end(done)
  if (done === 0) throw noRecord(path)
  return verifier.end(options.head)
}

const PIECE_BYTES = 64 * 1024

const noRecord = (path: string): LedgerError =>
  new LedgerError('FILE_EMPTY', `${path} has no record`, {
    retry: 'never',
    hint: 'A log has at least the record that opens it: export it again with GET /v1/records.',
    exitCode: EXIT.integrity,
  })

/** The first `count` lines of runs of whole lines. */
async function* firstRecords(
  runs: AsyncIterable<Uint8Array>,
  count: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = count
  for await (const run of runs) {
    let end = 0
    while (left > 0 && end < run.length) {
      const feed = run.indexOf(0x0a, end)
      end = feed < 0 ? run.length : feed + 1
      left--
    }
    yield run.subarray(0, end)
    if (left === 0) return
  }
}
