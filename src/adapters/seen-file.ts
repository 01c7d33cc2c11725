import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { Position } from '../ledger/block.js'

/** Room for the longest line: seq and block have at most 16 digits, a leaf has 64. */
const LINE_BYTES = 192

/**
 * The last position that a service has answered from, in a file of its own beside the log.
 *
 * Written after every append, so that an older or replaced log is noticed even after `kill -9`. It is not synced: what
 * a power cut takes away only makes it older, and a file that cannot be read says nothing.
 */
export class SeenFile {
  readonly #handle: number

  private constructor(
    path: string,
    /** What an earlier process has seen; undefined where there is none. */
    readonly before: Position | undefined,
  ) {
    this.#handle = openSync(path, existsSync(path) ? 'r+' : 'wx', 0o600)
  }

  static open(path: string): SeenFile {
    return new SeenFile(path, SeenFile.read(path))
  }

  /** The position in a file; undefined where there is none. */
  static read(path: string): Position | undefined {
    return existsSync(path) ? positionIn(readFileSync(path, 'utf8')) : undefined
  }

  /** One write of one fixed length: a process that is killed leaves the old line or the new one. */
  write({ block, seq, leaf }: Position): void {
    writeSync(this.#handle, `${JSON.stringify({ block, leaf, seq })}`.padEnd(LINE_BYTES - 1).concat('\n'), 0)
  }

  close(): void {
    closeSync(this.#handle)
  }
}

const positionIn = (text: string): Position | undefined => {
  try {
    const { block, seq, leaf } = JSON.parse(text) as Partial<Position>
    if (!Number.isSafeInteger(block) || !Number.isSafeInteger(seq) || !/^[0-9a-f]{64}$/.test(String(leaf)))
      return undefined
    return { block: Number(block), seq: Number(seq), leaf: String(leaf) }
  } catch {
    return undefined
  }
}
