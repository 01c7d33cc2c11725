import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { LEFT_OUT } from '../left-out.js'
import { sectionsOf } from './markdown.js'
import { filesBelow } from './source.js'

const PAGES = filesBelow('docs').filter((path) => path.endsWith('.md'))

/** The name that a heading gets as a link's target. */
const anchorOf = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-')

const anchorsOf = (path: string): readonly string[] =>
  [1, 2, 3, 4].flatMap((level) => sectionsOf(readFileSync(path, 'utf8'), level)).map(({ title }) => anchorOf(title))

/** Links outside code, as [text, target]. */
const linksOf = (text: string): readonly string[] =>
  [...text.replace(/```[\s\S]*?```/g, '').matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '')

const brokenLinks = (path: string): readonly string[] =>
  linksOf(readFileSync(path, 'utf8')).flatMap((link) => {
    if (/^https:/.test(link)) return []
    const [file = '', anchor] = link.split('#')
    const target = file === '' ? path : join(dirname(path), file)
    if (!existsSync(target)) return [`${path}: ${link}`]
    return anchor === undefined || anchorsOf(target).includes(anchor) ? [] : [`${path}: ${link}`]
  })

test('every link in the pages leads somewhere', () => {
  expect(PAGES.flatMap(brokenLinks)).toEqual([])
})

test('a link that leads nowhere would be found', () => {
  expect(linksOf('see [x](missing.md) and `[y]`')).toEqual(['missing.md'])
  expect(anchorOf('Who may import whom')).toBe('who-may-import-whom')
})

test('every page can be reached from the first one', () => {
  const first = readFileSync('docs/README.md', 'utf8')
  const pages = PAGES.filter((path) => dirname(path) === 'docs' && path !== 'docs/README.md').map((path) =>
    basename(path),
  )
  expect(pages.filter((page) => !linksOf(first).includes(page))).toEqual([])
})

test('every page that the program names is there', () => {
  const named = filesBelow('src')
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => readFileSync(path, 'utf8').match(/docs\/[\w/.-]+\.md/g) ?? [])
  expect(named.filter((path) => !existsSync(path))).toEqual([])
})

test('every decision has its context, its consequences, and what would change it', () => {
  const decisions = PAGES.filter((path) => path.startsWith('docs/adr/'))
  expect(decisions.map((path) => basename(path).slice(0, 4))).toEqual(
    decisions.map((_, index) => String(index + 1).padStart(4, '0')),
  )
  for (const path of decisions) {
    const text = readFileSync(path, 'utf8')
    for (const part of ['Context', 'Decision', 'Consequences', 'What would change it']) {
      expect(text, path).toContain(`**${part}.**`)
    }
    expect(text.split(/\s+/).length, path).toBeLessThan(400)
  }
})

test('every runbook says what to see, what not to do, what to do, and when it is done', () => {
  for (const path of PAGES.filter((page) => page.startsWith('docs/runbooks/'))) {
    const text = readFileSync(path, 'utf8')
    for (const part of ['You see', 'Do not', 'Do', 'You are done when', 'If not'])
      expect(text, path).toContain(`**${part}**`)
  }
})

test('every npm script, test folder and source file that the pages name is there', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }
  const missing = PAGES.flatMap((path) => {
    const text = readFileSync(path, 'utf8')
    const run = [...text.matchAll(/npm (?:run )?([a-z][a-z:]*)/g)].map((match) => match[1] ?? '')
    const files = [...text.matchAll(/`((?:src|test|docs)\/[\w/.-]+)`/g)].map((match) => match[1] ?? '')
    return [
      ...run.filter((name) => name !== 'ci' && scripts[name] === undefined).map((name) => `${path}: npm run ${name}`),
      ...files.filter((file) => !existsSync(file)).map((file) => `${path}: ${file}`),
    ]
  })
  expect(missing).toEqual([])
})

test('the page of the tests names every suite that the plain one leaves out', () => {
  const page = readFileSync('docs/testing.md', 'utf8')
  for (const command of Object.values(LEFT_OUT)) expect(page).toContain(`\`${command}\``)
})
