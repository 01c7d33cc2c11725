import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'

/** Length of the body, and its CRC-32. */
const HEAD = 8

/**
 * An append-only file of frames. What `sync` has returned for survives the end of the process and of the machine; a frame
 * that was torn by it is cut off when the file is opened again.
 */
export class FrameFile {
  private staged: Buffer[] = []
  private end = 0
  private written = 0

  private constructor(private readonly file: number) {}

  /** Opens or makes it, and hands over every whole frame with the offset of its body. */
  static open(path: string, each: (body: Buffer, bodyAt: number) => void): FrameFile {
    const frames = new FrameFile(openSync(path, 'a+'))
    for (let body = frames.next(); body !== undefined; body = frames.next()) {
      each(body, frames.end + HEAD)
      frames.end += HEAD + body.length
    }
    ftruncateSync(frames.file, frames.end)
    frames.written = frames.end
    return frames
  }

  /** Where the next frame will begin. */
  get size(): number {
    return this.end
  }

  /** Adds a frame, which cannot be read before `sync`; gives the offset of its body. */
  stage(body: Buffer): number {
    const head = Buffer.alloc(HEAD)
    head.writeUInt32LE(body.length, 0)
    head.writeUInt32LE(crc32(body), 4)
    this.staged.push(head, body)
    const bodyAt = this.end + HEAD
    this.end = bodyAt + body.length
    return bodyAt
  }

  /** Writes all that is staged, and waits for the disk. */
  sync(): void {
    if (this.staged.length === 0) return
    const bytes = Buffer.concat(this.staged)
    this.staged = []
    for (let done = 0; done < bytes.length; ) done += writeSync(this.file, bytes, done)
    fdatasyncSync(this.file)
    this.written = this.end
  }

  read(at: number, length: number): Buffer {
    if (at + length > this.written)
      throw new Error(`bytes ${at} to ${at + length} are not written yet (${this.written})`)
    const bytes = Buffer.allocUnsafe(length)
    for (let done = 0; done < length; ) done += readSync(this.file, bytes, done, length - done, at + done)
    return bytes
  }

  close(): void {
    closeSync(this.file)
  }

  /** The body of the frame at `end`; undefined where no whole frame is. */
  private next(): Buffer | undefined {
    const size = fstatSync(this.file).size
    this.written = size
    if (this.end + HEAD > size) return undefined
    const head = this.read(this.end, HEAD)
    const length = head.readUInt32LE(0)
    if (this.end + HEAD + length > size) return undefined
    const body = this.read(this.end + HEAD, length)
    return crc32(body) === head.readUInt32LE(4) ? body : undefined
  }
}
