import { execFile } from 'node:child_process'
import type { JsonObject } from '../../ledger/record.js'
import { PROGRAM } from './service.js'
import { StepFailed } from './story.js'

export interface Ran {
  readonly exitCode: number
  /** The document that `--json` prints. */
  readonly document: JsonObject
}

const PATIENCE_MS = 40_000

/** Runs one verb of the command line in a process of its own, as an auditor would. */
export const run = (...args: readonly string[]): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [PROGRAM, ...args, '--json'],
      { timeout: PATIENCE_MS, maxBuffer: 1 << 26 },
      (_, stdout, stderr) => {
        try {
          resolve({ exitCode: child.exitCode ?? -1, document: JSON.parse(stdout) })
        } catch {
          const output = `${stdout}${stderr}`.trim()
          reject(
            new StepFailed(
              `epsilon-ledger ${args.join(' ')} exited ${child.exitCode} and printed no document: ${output}`,
            ),
          )
        }
      },
    )
  })
