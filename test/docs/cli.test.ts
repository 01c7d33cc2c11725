import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import ts from 'typescript'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Actor } from '../../src/budget/commands.js'
import { execute } from '../../src/cli/execute.js'
import { EXIT } from '../../src/cli/io.js'
import { openService } from '../../src/composition.js'
import { readConfiguration } from '../../src/configuration.js'
import { gaussian, policy } from './example-ledger.js'
import { codeBlocks, readPage, sectionNamed, sectionsOf, tableRows } from './markdown.js'
import { filesBelow, readSource } from './source.js'
import { steadyText } from './steady.js'

const PAGE = readPage('cli.md')
let folder: string

/** A folder with a data directory that has a few spends and one violation, and its export. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'epsilon-ledger-docs-'))
  const service = await openService(readConfiguration({}, { data: join(folder, 'data') }))
  const cause = { kind: 'http' } as const
  const [token = ''] = service.state.registry.tokens.keys()
  const operator: Actor = { token, role: 'operator', source: 'operator' }
  const emitter: Actor = { token: 'an emitter', role: 'emitter', source: 'trainer' }
  const created = { ...emitter, role: 'emitter', hash: 'ab'.repeat(32), expiresAt: null } as const
  await service.ledger.submit({ kind: 'create-token', actor: operator, cause, created })
  await service.ledger.submit({ kind: 'set-policy', actor: operator, cause, terms: policy('1') })
  await service.ledger.request('spend', { id: 'weekly-42', unit: 'u-17', ...gaussian, count: 2 }, emitter, cause)
  await service.ledger.request('spend', { id: 'weekly-43', unit: 'u-17', ...gaussian, count: 10 }, emitter, cause)
  await service.ledger.request('report', { id: 'old-export', unit: 'u-17', ...gaussian, count: 3 }, emitter, cause)
  const log: Uint8Array[] = []
  for await (const { bytes } of service.store.read(0)) log.push(bytes)
  writeFileSync(join(folder, 'records.ndjson'), Buffer.concat(log))
  await service.close()
})

afterAll(() => rmSync(folder, { recursive: true }))

interface Session {
  readonly code: string
  readonly commands: readonly string[]
  readonly text: string
}

/** Blocks of commands with their output, and the exit code of the last one. */
const sessions = (): readonly Session[] =>
  [...PAGE.matchAll(/^```console (\d+)\n([\s\S]*?)^```$/gm)].map(([, code = '', text = '']) => ({
    code,
    commands: text.split('\n').filter((line) => line.startsWith('$ ')),
    text,
  }))

const SHAPE = /^\$ (?:echo '(.*)' \| )?epsilon-ledger (.*?)(?: \| (sed .*) > (\S+))?$/

/** Runs one line of a session as a shell would, but the program in this process. */
const runLine = async (line: string): Promise<{ readonly code: number; readonly output: string }> => {
  const match = SHAPE.exec(line)
  if (match === null)
    return { code: 0, output: execFileSync('sh', ['-c', line.slice(2)], { cwd: folder, encoding: 'utf8' }) }
  const [, input = '', args = '', filter, file] = match
  let output = ''
  const collect = () =>
    new Writable({
      write: (chunk, _, done) => {
        output += chunk
        done()
      },
    })
  const io = { stdin: Readable.from(input === '' ? [] : [`${input}\n`]), stdout: collect(), stderr: collect() }
  const code = await execute(args.split(' ').map(inFolder), io)
  if (filter === undefined || file === undefined) return { code, output: output.replaceAll(`${folder}/`, '') }
  writeFileSync(join(folder, file), execFileSync('sh', ['-c', filter], { input: output }))
  return { code, output: '' }
}

const inFolder = (argument: string): string =>
  /^[\w./]+$/.test(argument) && (argument.startsWith('./') || /\.(?:ndjson|json|pem)$/.test(argument))
    ? join(folder, argument)
    : argument

test('every command in the page prints what the page says, and ends with its exit code', async () => {
  let page = PAGE
  const wrong: string[] = []
  for (const { code, commands, text } of sessions()) {
    let shown = ''
    let last = -1
    for (const command of commands) {
      const { code: ended, output } = await runLine(command)
      shown += `${command}\n${steadyText(output).replace(/\n*$/, output === '' ? '' : '\n')}`
      last = ended
    }
    if (String(last) !== code) wrong.push(`${commands.at(-1)}: ended with ${last}, the page says ${code}`)
    if (shown !== text) wrong.push(`the page shows\n${text}\nbut it prints\n${shown}`)
    page = page.replace(`\`\`\`console ${code}\n${text}\`\`\``, () => `\`\`\`console ${code}\n${shown}\`\`\``)
  }
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync('docs/cli.md', page)
  else expect(wrong).toEqual([])
})

/** The names in the table of commands. */
const verbs = (): readonly string[] => {
  const table = readSource('src/cli/execute.ts')
    .tree.statements.filter(ts.isVariableStatement)
    .flatMap(({ declarationList }) => [...declarationList.declarations])
    .find(({ name }) => name.getText() === 'VERBS')?.initializer
  if (table === undefined || !ts.isObjectLiteralExpression(table))
    throw new Error('src/cli/execute.ts has no table VERBS')
  return table.properties.map(({ name }) => name?.getText().replaceAll("'", '') ?? '')
}

test('the page has every command of the program with its help, and no other', () => {
  const documented = sectionsOf(PAGE, 2).filter(({ title }) => title !== 'Exit codes')
  expect(documented.map(({ title }) => title)).toEqual(verbs())
  for (const { title, text } of documented) expect(text).toContain(`$ epsilon-ledger ${title} --help`)
  expect(codeBlocks(PAGE, 'console 0')[0]).toContain('$ epsilon-ledger --help')
})

test('the page has every exit code of the program, and no other', () => {
  const documented = tableRows(sectionNamed(PAGE, 2, 'Exit codes').text).map(([code]) => Number(code))
  const thrown = filesBelow('src')
    .flatMap((path) => readFileSync(path, 'utf8').match(/exitCode: .*/g) ?? [])
    .flatMap((line) => line.match(/\b\d+\b/g) ?? [])
  const used = new Set([...Object.values(EXIT), ...thrown.map(Number)])
  expect(documented).toEqual([...used].sort((one, other) => one - other))
})
