import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const CACHE = fileURLToPath(new URL('../../.cache/oracles/', import.meta.url))

/** A Python with the pinned requirements, or why there is none. */
export type Python = { readonly path: string } | { readonly missing: string }

/** Finds or makes the virtual environment; it is kept until the requirements change. */
export function pythonWithRequirements(): Python {
  const requirements = readFileSync(`${HERE}requirements.txt`)
  const name = createHash('sha256').update(requirements).digest('hex').slice(0, 16)
  const environment = `${CACHE}${name}`
  const path = `${environment}/bin/python`
  if (existsSync(path)) return { path }
  try {
    const draft = `${environment}.draft`
    rmSync(draft, { recursive: true, force: true })
    mkdirSync(CACHE, { recursive: true })
    quietly('python3', ['-m', 'venv', draft])
    quietly(`${draft}/bin/python`, ['-m', 'pip', 'install', '--quiet', '--requirement', `${HERE}requirements.txt`])
    // Half an environment never passes for a whole one.
    renameSync(draft, environment)
    return { path }
  } catch (error) {
    return { missing: `no Python 3 with the packages of test/oracles/requirements.txt: ${reasonOf(error)}` }
  }
}

/** Runs a script of this folder: `input` goes to its stdin, the answer is its stdout. */
export const runScript = (python: string, script: string, input: string): string =>
  execFileSync(python, [`${HERE}${script}`], { input, encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 })

function quietly(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 500_000 })
}

function reasonOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: Buffer; message: string }
  return (stderr?.toString().trim().split('\n').at(-1) || message).slice(0, 300)
}
