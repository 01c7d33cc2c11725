import { Readable, Writable } from 'node:stream'
import { execute } from '../../src/cli/execute.js'
import type { Run } from '../support/service.js'

/** Runs a command line in this process: the same code without the second that a new process takes. */
export const command = async (...args: string[]): Promise<Run> => {
  const stdout = new Collected()
  const stderr = new Collected()
  const code = await execute(args, { stdin: Readable.from([]), stdout, stderr })
  return { code, stdout: stdout.text, stderr: stderr.text }
}

class Collected extends Writable {
  text = ''

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString('utf8')
    done()
  }
}
