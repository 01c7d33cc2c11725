import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll } from 'vitest'

/** A folder like a checkout after `npm ci && npm run build`, in which what the README says may be typed; it goes after the tests of the file. */
export const newCheckout = (): string => {
  const checkout = mkdtempSync(join(tmpdir(), 'epsilon-ledger-readme-'))
  afterAll(() => rmSync(checkout, { recursive: true, force: true }))
  for (const name of ['node_modules', 'dist', 'test', 'docs', 'package.json'])
    symlinkSync(resolve(name), join(checkout, name))
  cpSync('docker', join(checkout, 'docker'), { recursive: true })
  mkdirSync(join(checkout, '.cache'))
  return checkout
}

/** The shell blocks of a section of the README, as they are printed. */
export const blocksOf = (heading: string): string => {
  const [, section = ''] = readFileSync('README.md', 'utf8').split(`\n## ${heading}\n`)
  const [own = ''] = section.split('\n## ')
  return [...own.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block).join('\n')
}

/** With other words for some, all at once: what stands for one may itself contain another. */
export const replacedIn = (text: string, words: Readonly<Record<string, string>>): string =>
  text.replace(new RegExp(Object.keys(words).join('|'), 'g'), (word) => words[word] ?? word)

/** Runs a script to its end, and ends everything that it has left running. */
export const bash = (script: string, cwd: string): Promise<{ readonly code: number | null; readonly output: string }> =>
  new Promise((done) => {
    const child = spawn('bash', ['-c', `set -e\ntrap 'kill $(jobs -p); wait' EXIT\n${script}`], { cwd })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('close', (code) => done({ code, output }))
  })
