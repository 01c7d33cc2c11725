import { readFileSync, writeFileSync } from 'node:fs'
import ts from 'typescript'
import { beforeAll, expect, test } from 'vitest'
import { parseRequest } from '../../src/budget/request.js'
import { ingestOf, REQUESTS } from '../../src/kafka/message.js'
import { messageCause } from '../../src/kafka/message-cause.js'
import { QUARANTINE_REASONS } from '../../src/kafka/quarantined-message.js'
import { received, type Stored } from '../support/client-wire.js'
import { codeBlocks, codeIn, readPage, sectionNamed, tableRows } from './markdown.js'

const PAGE = 'docs/emitting.md'
const PROGRAMS = [
  ['ts', 'docs/examples/emit.ts'],
  ['python', 'docs/examples/emit.py'],
] as const

beforeAll(() => {
  if (process.env['UPDATE_DOCS'] !== '1') return
  let page = readFileSync(PAGE, 'utf8')
  for (const [language, path] of PROGRAMS) {
    const block = new RegExp(`^\`\`\`${language}\\n[\\s\\S]*?^\`\`\`$`, 'm')
    page = page.replace(block, () => `\`\`\`${language}\n${readFileSync(path, 'utf8')}\`\`\``)
  }
  writeFileSync(PAGE, page)
})

const page = (): string => readPage('emitting.md')
const messages = (): string => sectionNamed(page(), 2, 'Messages').text

test.each(PROGRAMS)('the %s program in the page is %s', (language, path) => {
  expect(codeBlocks(page(), language)).toEqual([readFileSync(path, 'utf8')])
})

test('the program in TypeScript runs where types are only taken away', () => {
  const path = 'docs/examples/emit.ts'
  const options = { erasableSyntaxOnly: true, noResolve: true, noLib: true, target: ts.ScriptTarget.ES2023 }
  const program = ts.createProgram([path], options)
  const notErasable = (checked: ts.Program) =>
    checked.getSemanticDiagnostics().filter(({ code }) => code === NOT_ERASABLE)
  expect(program.getSourceFile(path)?.text).toContain('class Emitter')
  expect(notErasable(program)).toEqual([])
})

/** TypeScript's "This syntax is not allowed when 'erasableSyntaxOnly' is enabled." */
const NOT_ERASABLE = 1294

test('the table of types has every request of the program, and says which ask for permission', () => {
  const rows = tableRows(messages()).map(([type = '', fields = '', asks = '']) => [codeIn(type), codeIn(fields), asks])
  expect(rows).toEqual(
    Object.entries(REQUESTS).map(([type, request]) => [
      type,
      request === 'settle' || request === 'release' ? 'reservation' : '',
      request === 'report' ? 'no: it has happened' : 'yes',
    ]),
  )
})

/** The message of the page, as it is stored. */
const shown = (): { readonly binary: Stored; readonly structured: Stored } => {
  const [attributes = ''] = codeBlocks(messages(), 'text')
  const [[, key = ''] = [], ...headers] = attributes
    .trim()
    .split('\n')
    .map((line) => line.split(/ +/))
  const [data = ''] = codeBlocks(messages(), 'json data')
  const [event = ''] = codeBlocks(messages(), 'json structured')
  return {
    binary: {
      key: Buffer.from(key),
      value: Buffer.from(data),
      headers: headers.map(([name = '', value = '']) => [name, Buffer.from(value)]),
    },
    structured: { key: Buffer.from(key), value: Buffer.from(event), headers: [] },
  }
}

test('both forms of the message in the page are the same spend', () => {
  const { binary, structured } = shown()
  const [one, other] = [binary, structured].map((stored) => {
    const message = received(stored)
    const { cause: _, ...asked } = ingestOf(message, messageCause(message, 'epsilon.spends', 0))
    return asked
  })
  expect(one).toEqual(other)
  expect(one).toMatchObject({ request: 'spend', source: 'trainer', wire: { id: 'weekly-42', unit: 'u-17' } })
  expect(parseRequest('spend', (one as { wire: object }).wire, 'trainer').id).toBe('weekly-42')
  expect(binary.key).toEqual(Buffer.from('u-17'))
})

test('the table of reasons has every reason of a quarantine, with its meaning', () => {
  const { text } = sectionNamed(page(), 2, 'What becomes of a bad message')
  const rows = tableRows(text).filter(([reason = '']) => /^`[A-Z_]+`$/.test(reason))
  expect(rows.map(([reason = '', meaning = '']) => [codeIn(reason), meaning])).toEqual(
    Object.entries(QUARANTINE_REASONS),
  )
})
