import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('.', import.meta.url))

/** The packages of the oracles. */
export const REQUIREMENTS = 'test/oracles/requirements.txt'

/** Runs a script of this folder: `input` goes to its stdin, the answer is its stdout. */
export const runScript = (python: string, script: string, input: string): string =>
  execFileSync(python, [`${HERE}${script}`], { input, encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 })
