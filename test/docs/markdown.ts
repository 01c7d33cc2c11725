import { readFileSync, writeFileSync } from 'node:fs'

export interface Section {
  readonly title: string
  readonly text: string
}

export const readPage = (name: string): string => readFileSync(`docs/${name}`, 'utf8')

/** The sections under headings of one level, each up to the next heading of that level or above. */
export const sectionsOf = (page: string, level: number): readonly Section[] => {
  const sections: { title: string; text: string }[] = []
  let open = false
  for (const { line, heading } of linesOf(page)) {
    if (heading !== undefined && heading.level <= level) {
      open = heading.level === level
      if (open) sections.push({ title: heading.title.replaceAll('`', ''), text: '' })
    } else if (open) {
      const last = sections.at(-1)
      if (last !== undefined) last.text += `${line}\n`
    }
  }
  return sections
}

export const sectionNamed = (page: string, level: number, title: string): Section => {
  const found = sectionsOf(page, level).find((section) => section.title === title)
  if (found === undefined) throw new Error(`no section ${JSON.stringify(title)}`)
  return found
}

/** Lines with the heading that they are; what stands in a code block is none. */
function* linesOf(page: string): Generator<{ line: string; heading?: { level: number; title: string } }> {
  let code = false
  for (const line of page.split('\n')) {
    if (line.startsWith('```')) code = !code
    const match = code ? null : /^(#+) (.*)$/.exec(line)
    yield match === null ? { line } : { line, heading: { level: match[1]?.length ?? 0, title: match[2] ?? '' } }
  }
}

/** The contents of the code blocks of one language, in order. */
export const codeBlocks = (text: string, language: string): readonly string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map((match) => match[1] ?? '')

/** The rows of every table, cells as they stand, without headings. */
export const tableRows = (text: string): readonly (readonly string[])[] => {
  const lines = text.split('\n')
  return lines.flatMap((line, index) => {
    if (!line.startsWith('|') || isRule(line) || isRule(lines[index + 1] ?? '')) return []
    const cells = line.replaceAll('\\|', '\u0000').split('|').slice(1, -1)
    return [cells.map((cell) => cell.replaceAll('\u0000', '|').trim())]
  })
}

const isRule = (line: string): boolean => /^\|[\s:|-]+\|$/.test(line)

/** What stands between the first pair of backquotes. */
export const codeIn = (cell: string): string => /`([^`]*)`/.exec(cell)?.[1] ?? ''

/**
 * Compares a page's code block with what the program makes. With `UPDATE_DOCS=1` the page is rewritten instead, so that an
 * example is never typed by hand.
 */
export const exampleProblem = (page: string, heading: string, language: string, made: string): string | undefined => {
  const text = readPage(page)
  const { text: section } = sectionNamed(text, headingLevel(text, heading), heading)
  const [shown] = codeBlocks(section, language)
  if (shown === `${made}\n`) return undefined
  if (shown === undefined || process.env['UPDATE_DOCS'] !== '1') {
    return `docs/${page}, ${heading}: shows\n${shown}\nbut the program makes\n${made}`
  }
  const old = section.trimEnd()
  const renewed = old.replace(`\`\`\`${language}\n${shown}`, () => `\`\`\`${language}\n${made}\n`)
  const rewritten = text.replace(old, () => renewed)
  writeFileSync(`docs/${page}`, rewritten)
  return undefined
}

const headingLevel = (page: string, title: string): number => {
  for (const { heading } of linesOf(page)) {
    if (heading?.title.replaceAll('`', '') === title) return heading.level
  }
  throw new Error(`no heading ${JSON.stringify(title)}`)
}

const WIDTH = 110

/** JSON for reading: what fits on a line stays on one. Its meaning is that of `value`. */
export const pretty = (value: unknown, indent = ''): string => {
  const flat = inline(value)
  if (indent.length + flat.length <= WIDTH || typeof value !== 'object' || value === null) return flat
  const inner = `${indent}  `
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item !== 'object')) return filled(value.map(inline), inner, indent)
    return `[\n${value.map((item) => inner + pretty(item, inner)).join(',\n')}\n${indent}]`
  }
  const members = Object.entries(value).map(([name, item]) => `${inner}${JSON.stringify(name)}: ${pretty(item, inner)}`)
  return `{\n${members.join(',\n')}\n${indent}}`
}

const inline = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${inline(item)}`)
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`
}

const filled = (items: readonly string[], inner: string, indent: string): string => {
  const lines: string[] = []
  for (const item of items) {
    const last = lines.at(-1)
    if (last === undefined || last.length + item.length + 2 > WIDTH - inner.length) lines.push(item)
    else lines[lines.length - 1] = `${last}, ${item}`
  }
  return `[\n${lines.map((line) => inner + line).join(',\n')}\n${indent}]`
}
