import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where the rules of the judges are. */
export const HERE = join(process.cwd(), 'test/api')
/** Where they are installed, and leave what they leave. */
const CACHE = join(process.cwd(), '.cache/api')

/** A judge that is there, or why it is not. */
export type Judge = { readonly command: string } | { readonly missing: string }

/** Installs schemathesis, pinned with all that it needs, into a virtual environment of its own. */
export const schemathesis = (): Judge => {
  const requirements = join(HERE, 'requirements.txt')
  const home = join(CACHE, 'schemathesis')
  const command = join(home, 'bin/schemathesis')
  return installed(home, command, requirements, () => [
    spawnSync('python3', ['-m', 'venv', home]),
    spawnSync(join(home, 'bin/pip'), ['install', '--quiet', '--no-deps', '-r', requirements]),
  ])
}

/** Installs redocly from its own lock file: nothing else needs it, so it is no dependency of the project. */
export const redocly = (): Judge => {
  const home = join(CACHE, 'redocly')
  const command = join(home, 'node_modules/.bin/redocly')
  return installed(home, command, join(HERE, 'redocly/package-lock.json'), () => {
    mkdirSync(home, { recursive: true })
    for (const name of ['package.json', 'package-lock.json'])
      copyFileSync(join(HERE, 'redocly', name), join(home, name))
    return [spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: home })]
  })
}

/** promtool comes with Prometheus, and is used where it is on the path. */
export const promtool = (): Judge =>
  spawnSync('promtool', ['--version']).status === 0
    ? { command: 'promtool' }
    : { missing: 'promtool is not on the path' }

/** Runs the steps unless this very pin was installed before. */
const installed = (
  home: string,
  command: string,
  pin: string,
  steps: () => readonly SpawnSyncReturns<Buffer>[],
): Judge => {
  const mark = join(home, '.pinned')
  const digest = createHash('sha256').update(readFileSync(pin)).digest('hex')
  if (existsSync(command) && existsSync(mark) && readFileSync(mark, 'utf8') === digest) return { command }
  const failed = steps().find(({ status }) => status !== 0)
  if (failed !== undefined) {
    return {
      missing: `could not be installed: ${failed.error?.message ?? failed.stderr.toString().trim().split('\n').at(-1)}`,
    }
  }
  writeFileSync(mark, digest)
  return { command }
}

export interface Verdict {
  readonly code: number | null
  readonly output: string
}

/** Runs a judge and collects all that it says. */
export const run = (command: string, args: readonly string[], input = ''): Promise<Verdict> =>
  new Promise((resolve, reject) => {
    mkdirSync(CACHE, { recursive: true })
    const child = spawn(command, args, {
      cwd: CACHE,
      env: {
        ...process.env,
        PYTHONDONTWRITEBYTECODE: '1',
        NO_COLOR: '1',
        REDOCLY_TELEMETRY: 'off',
        SCHEMATHESIS_HOOKS: join(HERE, 'hooks.py'),
      },
    })
    let output = ''
    const collect = (chunk: Buffer): void => {
      output += chunk
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
    child.stdin.end(input)
  })
