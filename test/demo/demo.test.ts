import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const PROGRAM = fileURLToPath(new URL('../../dist/cli/demo/main.js', import.meta.url))
const README = fileURLToPath(new URL('../../README.md', import.meta.url))

interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** What it left behind in the directory for temporary files. */
  readonly left: readonly string[]
}

/** Runs the built demo with a directory for temporary files of its own. */
const demo = (args: readonly string[] = [], variables: NodeJS.ProcessEnv = {}): Promise<Ran> => {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: npm run build`)
  const temporary = mkdtempSync(join(tmpdir(), 'demo-test-'))
  const environment = { ...process.env, ...variables, TMPDIR: temporary }
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [PROGRAM, ...args],
      { env: environment, timeout: 290_000 },
      (_, stdout, stderr) => {
        const left = readdirSync(temporary)
        rmSync(temporary, { recursive: true, force: true })
        resolve({ code: child.exitCode, stdout, stderr, left })
      },
    )
  })
}

/** The story in the README: what stands after the command in its first fenced block. */
const toldInReadme = (): string => {
  const [, block = ''] = /```[a-z]*\n([\s\S]*?)```/.exec(readFileSync(README, 'utf8')) ?? []
  const [command = '', ...lines] = block.split('\n')
  expect(command).toBe('$ npm ci && npm run demo')
  return masked(lines.join('\n'))
}

/** All that may differ from run to run. */
const masked = (text: string): string => text.replace(/in \d+\.\d s\./, 'in … s.').trim()

test('the demo tells the story of the README and leaves nothing behind', { timeout: 300_000 }, async () => {
  const { code, stdout, stderr, left } = await demo()
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(masked(stdout)).toBe(toldInReadme())
  expect(left).toEqual([])
})

test('an option that the demo does not know is an error of usage, and nothing is started', async () => {
  const { code, stdout, stderr, left } = await demo(['--fast'])
  expect(code).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toContain('--fast')
  expect(left).toEqual([])
})

test('where a step cannot do what it says, the demo says which one and why, and exits 1', async () => {
  const { code, stderr, left } = await demo([], { EPSILON_MAX_BATCH: 'many' })
  expect(code).toBe(1)
  expect(stderr).toContain('FAILED in step "start"')
  expect(stderr).toContain('EPSILON_MAX_BATCH')
  expect(left).toEqual([])
})
