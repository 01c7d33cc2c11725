import { expect, test } from 'vitest'
import { MOST_PARTS, MOST_SAMPLED_GAUSSIANS, MOST_TRANSCENDENTAL } from '../../src/accounting/release.js'
import { LARGEST_CAP, LARGEST_COUNT, LARGEST_ORDER } from '../../src/accounting/units.js'
import { readConfiguration, SETTINGS } from '../../src/configuration.js'
import { MOST_BLOCK_BYTES } from '../../src/ledger/block.js'
import { MOST_RECORD_BYTES } from '../../src/ledger/record.js'
import { codeIn, readPage, sectionNamed, tableRows } from './markdown.js'
import { readSource } from './source.js'

const PAGE = readPage('configuration.md')

test('the page has every setting of the program with its default and its range, and no other', () => {
  const documented = tableRows(sectionNamed(PAGE, 2, 'Throughput and memory').text).map(([key = '', ...cells]) => ({
    variable: codeIn(key),
    standard: Number(cells[0]),
    least: Number(cells[1]),
    most: Number(cells[2]),
  }))
  expect(documented).toEqual(
    Object.values(SETTINGS).map(({ variable, standard, least, most }) => ({ variable, standard, least, most })),
  )
})

test('the page has every variable that the program reads', () => {
  const sources = ['src/configuration.ts', 'src/kafka/settings.ts', 'src/cli/token.ts']
  const read = new Set(
    sources.flatMap(
      (path) =>
        readSource(path)
          .tree.getText()
          .match(/EPSILON_[A-Z_]+/g) ?? [],
    ),
  )
  for (const variable of read) expect(PAGE).toContain(`\`${variable}\``)
  for (const variable of PAGE.match(/EPSILON_[A-Z_]+/g) ?? []) expect([...read]).toContain(variable)
})

test('host and port are those of the page where nobody says anything', () => {
  const [data, host, port] = tableRows(sectionNamed(PAGE, 2, 'Where and how it is served').text)
  const standard = readConfiguration({}, { data: 'somewhere' })
  expect(codeIn(data?.[0] ?? '')).toBe('--data')
  expect(host?.[1]).toBe(standard.host)
  expect(port?.[1]).toBe(String(standard.port))
})

test('a value that cannot be right stops the start', () => {
  for (const { variable, most } of Object.values(SETTINGS)) {
    for (const value of ['-1', 'many', String(most + 1), '1.5']) {
      expect(() => readConfiguration({ [variable]: value }, { data: 'x' })).toThrow(variable)
    }
  }
})

test('the limits of the page are those of the program', () => {
  expect(PAGE).toContain(`${MOST_RECORD_BYTES.toLocaleString('en')} bytes`)
  expect(MOST_BLOCK_BYTES).toBe(512 * 1024)
  expect(PAGE).toContain(`| parts of a spend | ${MOST_PARTS.toLocaleString('en')} |`)
  expect(PAGE).toContain(`| ${MOST_SAMPLED_GAUSSIANS}, and ${MOST_TRANSCENDENTAL}; equal ones count once |`)
  expect(LARGEST_CAP).toBe(2n ** 62n)
  expect(LARGEST_COUNT).toBe(10n ** 12n)
  expect(LARGEST_ORDER).toBe(1024)
})
