import { beforeAll, expect, test } from 'vitest'
import { verifiedLines } from '../support/verified.js'
import { type Example, run } from './example-ledger.js'
import { runOfTopics } from './example-topics.js'
import {
  codeBlocks,
  codeIn,
  exampleProblem,
  pretty,
  readPage,
  sectionNamed,
  sectionsOf,
  tableRows,
} from './markdown.js'
import { eventTypes, type Field, fieldsOf, readSource } from './source.js'

const EVENTS = readSource('src/budget/events.ts')
const SOURCES = [EVENTS, readSource('src/budget/policy.ts')]
const TYPES = eventTypes(EVENTS)
const SHAPES = [
  'Charge',
  'BudgetAfter',
  'Parts',
  'FailingBudget',
  'Problem',
  'UndecidedMessages',
  'PolicyVersion',
  'OrderShare',
]

let examples: readonly Example[]
beforeAll(async () => {
  examples = [...(await run()).examples, ...(await runOfTopics()).examples]
})

const catalogue = () => sectionsOf(sectionNamed(readPage('events.md'), 2, 'The events').text, 3)

const documentedFields = (text: string): readonly Field[] =>
  tableRows(text).map(([cell = '']) => ({ name: codeIn(cell), optional: cell.includes('optional') }))

test('the catalogue has every event of the program, and no other', () => {
  expect(
    catalogue()
      .map(({ title }) => title)
      .sort(),
  ).toEqual([...TYPES.keys()].sort())
})

test.each([...TYPES])('the fields of %s in the catalogue are those of the program', (type, data) => {
  const { text } = sectionNamed(readPage('events.md'), 3, type)
  expect(documentedFields(text)).toEqual(fieldsOf(data, SOURCES))
})

test.each(SHAPES)('the fields of the shape %s in the catalogue are those of the program', (shape) => {
  const { text } = sectionNamed(readPage('events.md'), 3, shape)
  expect(documentedFields(text)).toEqual(fieldsOf(shape, SOURCES))
})

test.each([...TYPES.keys()])(
  '%s says what it means, who writes and reads it, since when, and what it can never mean',
  (type) => {
    const { text } = sectionNamed(readPage('events.md'), 3, type)
    expect(text.trimStart()).toMatch(/^[A-Z][^|`]*[^.]*\./)
    for (const label of ['Written by', 'Read by', 'Since', 'Never']) expect(text).toContain(`- **${label}**:`)
    expect(text.indexOf('```json')).toBeLessThan(text.indexOf('| field'))
  },
)

test.each([...TYPES.keys()])('the example of %s is what a run of the program records', (type) => {
  const example = examples.find(({ record }) => record.type === type)
  expect(example, `the run records no ${type}`).toBeDefined()
  expect(exampleProblem('events.md', type, 'json', pretty(example?.record.data))).toBeUndefined()
})

test.each([
  ['spends and policies', run],
  ['topics', runOfTopics],
])('the log with the examples of %s verifies: it is as the program writes it', async (_, makeRun) => {
  const { examples } = await makeRun()
  const { fault } = verifiedLines(Buffer.concat(examples.flatMap(({ bytes }) => [bytes, Buffer.from('\n')])))
  expect(fault, fault?.message).toBeUndefined()
})

test('every example in the catalogue is JSON', () => {
  for (const block of codeBlocks(readPage('events.md'), 'json')) expect(() => JSON.parse(block)).not.toThrow()
})
