import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { perform } from './perform.js'
import { killAll } from './service.js'
import { Story } from './story.js'

const USAGE = `npm run demo [-- --keep --json]

Plays public deployments of differential privacy through a served ledger, kills the service, changes a copy of its
log, and proves that no budget was exceeded. Works in a temporary directory and on the loopback interface only.

  --keep  leaves the directory in place and says where it is
  --json  prints one document instead of the story
`

interface Options {
  readonly keep: boolean
  readonly json: boolean
}

/** @returns 0 where every step did what it says, 1 where one did not, 2 for a wrong option. */
const main = async (args: readonly string[]): Promise<number> => {
  const options = optionsFrom(args)
  if (options === undefined) return 2
  const directory = mkdtempSync(join(tmpdir(), 'epsilon-demo-'))
  const leave = (): void => {
    killAll()
    if (options.keep) process.stderr.write(`kept: ${directory}\n`)
    else rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      leave()
      process.exit(130)
    })
  }
  try {
    return await told(directory, options)
  } finally {
    leave()
  }
}

const told = async (directory: string, { json }: Options): Promise<number> => {
  const story = new Story(json ? () => undefined : (line) => process.stdout.write(`${line}\n`))
  const began = performance.now()
  const facts = await perform(story, directory)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  if (json) process.stdout.write(`${JSON.stringify({ ...facts, seconds: Number(seconds), story: story.lines })}\n`)
  else if (facts.ok) story.say(`\nEvery step did what it says, in ${seconds} s.`)
  else process.stderr.write(`\nFAILED in step "${facts.failedIn}": ${facts.why}\n${endOfLog(directory)}`)
  return facts.ok ? 0 : 1
}

/** The last that the service said, which goes away with the directory. */
const endOfLog = (directory: string): string => {
  const path = join(directory, 'ledger.log')
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
  return `\nThe service said at last:\n${lines.slice(-10).join('\n')}\n`
}

const optionsFrom = (args: readonly string[]): Options | undefined => {
  try {
    const options = { keep: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } } as const
    return parseArgs({ args: [...args], options }).values
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`)
    return undefined
  }
}

process.exitCode = await main(process.argv.slice(2))
