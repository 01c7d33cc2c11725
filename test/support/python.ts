import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const CACHE = join(process.cwd(), '.cache/python')

/** A Python with pinned requirements, or why there is none. */
export type Python = { readonly path: string } | { readonly missing: string }

/** Finds or makes the virtual environment for a requirements file; it is kept until the file changes. */
export const pythonWith = (requirements: string): Python => {
  const name = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16)
  const environment = join(CACHE, name)
  const path = join(environment, 'bin/python')
  if (existsSync(path)) return { path }
  try {
    const draft = `${environment}.draft`
    rmSync(draft, { recursive: true, force: true })
    mkdirSync(CACHE, { recursive: true })
    quietly('python3', ['-m', 'venv', draft])
    quietly(join(draft, 'bin/python'), ['-m', 'pip', 'install', '--quiet', '--requirement', requirements])
    // Half an environment never passes for a whole one.
    renameSync(draft, environment)
    return { path }
  } catch (error) {
    return { missing: `no Python 3 with the packages of ${requirements}: ${reasonOf(error)}` }
  }
}

const quietly = (command: string, args: readonly string[]): void => {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 500_000 })
}

const reasonOf = (error: unknown): string => {
  const { stderr, message } = error as { readonly stderr?: Buffer; readonly message: string }
  return (stderr?.toString().trim().split('\n').at(-1) || message).slice(0, 300)
}
