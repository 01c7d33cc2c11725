import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { filesBelow, type Import, importsOf, lineOf, parseSource, readSource, type Source } from './docs/source.js'

/** What each part of the program may import of the program. A part is a folder of src/, or a file beside them. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  accounting: [],
  ledger: [],
  budget: ['accounting', 'ledger'],
  projections: ['accounting', 'budget', 'ledger'],
  recovery: ['accounting', 'budget', 'ledger', 'projections'],
  application: ['accounting', 'budget', 'ledger', 'projections', 'recovery', 'configuration'],
  adapters: ['accounting', 'budget', 'ledger', 'projections', 'recovery', 'application', 'configuration'],
  http: ['accounting', 'budget', 'ledger', 'projections', 'recovery', 'application', 'configuration'],
  kafka: ['accounting', 'budget', 'ledger', 'projections', 'recovery', 'application', 'configuration'],
  cli: [
    'accounting',
    'budget',
    'ledger',
    'projections',
    'recovery',
    'application',
    'adapters',
    'kafka',
    'configuration',
    'composition',
  ],
  configuration: ['ledger'],
  composition: [
    'accounting',
    'budget',
    'ledger',
    'projections',
    'recovery',
    'application',
    'adapters',
    'configuration',
  ],
  'app.module': ['application', 'http', 'configuration'],
  main: ['application', 'http', 'adapters', 'ledger', 'configuration', 'composition', 'app.module'],
}

const PURE = ['accounting', 'budget', 'ledger', 'projections', 'recovery']
/** What messages look like is decided by functions that are told everything, as in the pure folders. */
const FORMATS =
  /^src\/kafka\/(?:wire-message|carried-event|cloud-event|message|message-cause|quarantined-message|message-digest|decision-message|journal-message|dead-letter-message)\.ts$/
const WITH_NEST = ['application', 'http', 'kafka', 'app.module', 'main']
const WITH_IO = ['adapters', 'http', 'kafka', 'cli', 'composition', 'main']
/** The one import that reaches from the command line into Nest, and it is made only when `serve` runs. */
const SERVE = 'src/cli/serve.ts'

const NEST = /^(?:@nestjs\/|@fastify\/|fastify$|reflect-metadata$|rxjs|class-validator$|class-transformer$)/
const IO =
  /^(?:node:(?:fs|net|http|https|http2|tls|dns|dgram|child_process|worker_threads|cluster|readline)(?:\/|$)|libsql$|better-sqlite3$)/
/** The client of the topics: nobody else knows how it reads and sends. */
const KAFKA = /^kafkajs(?:$|\/)/
/** The clients of databases across a network: what their answers mean is known in the adapters alone. */
const DATABASES = /^(?:pg|@eventstore\/db-client|@grpc\/grpc-js)(?:$|\/)/
/** Hashing and signing give the same for the same; nothing else of a library is wanted in a pure folder. */
const PURE_LIBRARIES = ['node:crypto', 'node:assert/strict', 'tweetnacl']
const PURE_CRYPTO = ['createHash', 'hash', 'timingSafeEqual']

const isPure = (path: string): boolean => PURE.includes(partOf(path)) || FORMATS.test(path)

const partOf = (path: string): string => {
  const [, first = '', ...rest] = path.split('/')
  return rest.length === 0 ? first.replace(/\.ts$/, '') : first
}

const importProblems = (source: Source): readonly string[] => {
  const part = partOf(source.path)
  const allowed = MAY_IMPORT[part]
  if (allowed === undefined) return [`${source.path}: ${part} is not in the import table`]
  return importsOf(source).flatMap((one) =>
    importProblem(part, one, source, allowed).map((problem) => `${source.path}:${one.line} ${problem}`),
  )
}

const importProblem = (part: string, one: Import, { path }: Source, allowed: readonly string[]): readonly string[] => {
  const { specifier, target, names } = one
  if (target !== undefined) {
    if (specifier.endsWith('.json') && one.target?.startsWith(`src/${part}/`)) return []
    if (!specifier.endsWith('.js')) return [`imports ${specifier}, which does not end in .js`]
    const other = partOf(target)
    if (path === SERVE && one.dynamic && other === 'main') return []
    return other === part || allowed.includes(other) ? [] : [`${part} must not import ${other}`]
  }
  if (NEST.test(specifier) && !WITH_NEST.includes(part)) return [`${part} must not know the framework: ${specifier}`]
  if (IO.test(specifier) && !WITH_IO.includes(part)) return [`${part} must not open files or sockets: ${specifier}`]
  if (KAFKA.test(specifier) && part !== 'kafka') return [`${part} must not know the client of Kafka: ${specifier}`]
  if (DATABASES.test(specifier) && part !== 'adapters') return [`${part} must not know a database: ${specifier}`]
  if (!isPure(path)) return []
  if (!PURE_LIBRARIES.includes(specifier)) return [`${part} is pure and must not import ${specifier}`]
  const impure = specifier === 'node:crypto' ? names.filter((name) => !PURE_CRYPTO.includes(name)) : []
  return impure.map((name) => `${part} is pure and must not import ${name} of ${specifier}`)
}

/** Names of the world outside: a pure folder is told everything that it knows. */
const FORBIDDEN_NAMES = [
  'process',
  'performance',
  'globalThis',
  'console',
  'fetch',
  'setTimeout',
  'setInterval',
  'require',
  'crypto',
]
const FORBIDDEN_MEMBERS = ['Date.now', 'Math.random', 'Number.parseFloat']

const purityProblems = (source: Source): readonly string[] => {
  const part = partOf(source.path)
  if (!isPure(source.path)) return []
  return nodesOf(source.tree).flatMap((node) => {
    const problem = impurity(node) ?? (part === 'accounting' ? inexactness(node) : undefined) ?? floatAmount(node)
    return problem === undefined ? [] : [`${source.path}:${lineOf(source.tree, node)} ${problem}`]
  })
}

const impurity = (node: ts.Node): string | undefined => {
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && (node.arguments?.length ?? 0) === 0) {
    return 'reads the clock: new Date()'
  }
  if (ts.isCallExpression(node) && node.expression.getText() === 'Date') return 'reads the clock: Date()'
  if (ts.isPropertyAccessExpression(node) && FORBIDDEN_MEMBERS.includes(node.getText())) return `uses ${node.getText()}`
  if (!ts.isIdentifier(node) || !FORBIDDEN_NAMES.includes(node.text)) return undefined
  return isReference(node) ? `uses ${node.text}` : undefined
}

/** Whether an identifier stands for a variable, not for a member, a field's name, or a type. */
const isReference = (node: ts.Identifier): boolean => {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent) || ts.isMethodDeclaration(parent)) {
    return parent.name !== node
  }
  return !ts.isTypeNode(parent) && !ts.isImportSpecifier(parent) && !ts.isPropertyDeclaration(parent)
}

const inexactness = (node: ts.Node): string | undefined => {
  if (ts.isPropertyAccessExpression(node) && node.expression.getText() === 'Math') return `uses ${node.getText()}`
  if (ts.isIdentifier(node) && node.text === 'parseFloat') return 'uses parseFloat'
  if (ts.isNumericLiteral(node) && !/^(?:\d[\d_]*|0x[\da-f]+)$/i.test(node.getText()))
    return `has the float ${node.getText()}`
  return undefined
}

const AMOUNT =
  /^(?:epsilon|eps|delta|rho|mu2?|costs?|caps?|spent|reserved|requested|remaining|amounts?|loss|divergence|share)$/
/** An amount's bytes, or the budgets above a cap, are no amounts. */
const COUNTED = /^(?:budgets|records|units|bytes|entries|index|ms|rows?|place|length|seq|threads|count)$/
const NUMBER = /^(?:readonly )?number(?:\[\])?(?: \| undefined)?$/

const floatAmount = (node: ts.Node): string | undefined => {
  const declares =
    ts.isPropertySignature(node) ||
    ts.isPropertyDeclaration(node) ||
    ts.isParameter(node) ||
    ts.isVariableDeclaration(node)
  if (!declares || node.type === undefined || !NUMBER.test(node.type.getText())) return undefined
  const words = node.name
    .getText()
    .replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .split(/[ _]/)
  const counts = [words[0], words.at(-1)].some((word) => COUNTED.test(word ?? ''))
  if (counts || !words.some((word) => AMOUNT.test(word))) return undefined
  return `${node.name.getText()} is an amount, and of type ${node.type.getText()}`
}

const nodesOf = (tree: ts.SourceFile): readonly ts.Node[] => {
  const all: ts.Node[] = []
  const visit = (node: ts.Node): void => {
    all.push(node)
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return all
}

const shapeProblems = ({ path, tree }: Source): readonly string[] => {
  const { statements } = tree
  const problems: string[] = []
  if (statements.length > 0 && statements.every((one) => ts.isExportDeclaration(one) && one.moduleSpecifier)) {
    problems.push(`${path}: only passes exports on`)
  }
  if (/(?:^|\/)index\.ts$/.test(path)) problems.push(`${path}: a file is named after its idea, not index`)
  const vague = path
    .split('/')
    .find((name) => ['util', 'utils', 'common', 'shared', 'helpers', 'misc', 'lib'].includes(name))
  if (vague !== undefined) problems.push(`${path}: a folder called ${vague} has no idea of its own`)
  if (statements.some(ts.isExportAssignment)) problems.push(`${path}: has a default export`)
  return problems
}

/** The first cycle of imports that exist at run time, as a path that ends where it begins. */
const cycleIn = (sources: readonly Source[]): readonly string[] | undefined => {
  const next = new Map(
    sources.map((source) => [
      source.path,
      importsOf(source).flatMap(({ target, typeOnly, dynamic }) =>
        target === undefined || typeOnly || dynamic ? [] : [target],
      ),
    ]),
  )
  const done = new Set<string>()
  const search = (path: string, trail: readonly string[]): readonly string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path]
    if (done.has(path)) return undefined
    for (const target of next.get(path) ?? []) {
      const cycle = search(target, [...trail, path])
      if (cycle !== undefined) return cycle
    }
    done.add(path)
    return undefined
  }
  for (const path of next.keys()) {
    const cycle = search(path, [])
    if (cycle !== undefined) return cycle
  }
  return undefined
}

/** Libraries that a file loads when it is imported, by itself or through other files. */
const loadedBy = (path: string, sources: ReadonlyMap<string, Source>): ReadonlySet<string> => {
  const seen = new Set<string>()
  const libraries = new Set<string>()
  const visit = (file: string): void => {
    const source = sources.get(file)
    if (seen.has(file) || source === undefined) return
    seen.add(file)
    for (const { specifier, target, typeOnly, dynamic } of importsOf(source)) {
      if (typeOnly || dynamic) continue
      if (target === undefined) libraries.add(specifier)
      else visit(target)
    }
  }
  visit(path)
  return libraries
}

/** What belongs to one machine or one workplace, and so in no file of a project that others use. */
const FOREIGN: readonly RegExp[] = [
  /(?<![\w.$/-])\/(?:home|root|Users|workspace|work|mnt|srv)\/[\w.-]+/,
  /\b[A-Z]:\\Users\\/,
  /https?:\/\/[\w.-]+\.(?:internal|intranet|corp|lan|local)\b/,
  /\b(?:192\.168|10\.\d{1,3})\.\d{1,3}\.\d{1,3}\b/,
  /"resolved": "(?!https:\/\/registry\.npmjs\.org\/)/,
  /\bregistry=(?!https:\/\/registry\.npmjs\.org)/,
  /\b(?:language model|chat ?bot|as requested|per your request|work in progress)\b/i,
  /\b(?:TODO|FIXME|XXX)\b/,
]

const foreignProblems = (path: string, text: string): readonly string[] =>
  text
    .split('\n')
    .flatMap((line, index) =>
      FOREIGN.filter((pattern) => pattern.test(line)).map(
        (pattern) => `${path}:${index + 1} matches ${pattern}: ${line.trim().slice(0, 80)}`,
      ),
    )

const SOURCES: readonly Source[] = filesBelow('src')
  .filter((path) => path.endsWith('.ts'))
  .map(readSource)

test('every part imports only what the import table allows', () => {
  expect(SOURCES.flatMap(importProblems)).toEqual([])
})

test('the pure folders have no clock, no chance, no I/O, and no floats for amounts', () => {
  expect(SOURCES.flatMap(purityProblems)).toEqual([])
})

test('there is no import cycle', () => {
  expect(cycleIn(SOURCES)).toBeUndefined()
})

test('there are no barrels, no vague folders and no default exports', () => {
  expect(SOURCES.flatMap(shapeProblems)).toEqual([])
})

test('no command loads the framework before it serves, so recovery works when the service cannot start', () => {
  const byPath = new Map(SOURCES.map((source) => [source.path, source]))
  const loaded = SOURCES.filter(({ path }) => partOf(path) === 'cli').flatMap(({ path }) =>
    [...loadedBy(path, byPath)].filter((name) => NEST.test(name)).map((name) => `${path} loads ${name}`),
  )
  expect(loaded).toEqual([])
})

test('tests import with .js endings too', () => {
  const wrong = filesBelow('test')
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) =>
      importsOf(readSource(path))
        .filter(({ specifier }) => specifier.startsWith('.') && !/\.(?:js|json)$/.test(specifier))
        .map(({ specifier }) => `${path}: ${specifier}`),
    )
  expect(wrong).toEqual([])
})

const tracked = (): readonly string[] =>
  existsSync('.git')
    ? execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8' })
        .split('\0')
        .filter((path) => path !== '' && existsSync(path))
    : []

test('no tracked file names a machine, a private host or a workplace', () => {
  // This file holds the patterns themselves.
  const files = tracked().filter((path) => path !== 'test/architecture.test.ts')
  expect(files.flatMap((path) => foreignProblems(path, readFileSync(path, 'utf8')))).toEqual([])
})

const problemsOf = (path: string, text: string): readonly string[] => {
  const source = parseSource(path, text)
  return [...importProblems(source), ...purityProblems(source), ...shapeProblems(source)]
}

test.each([
  ['src/accounting/bad.ts', "import { x } from '../budget/policy.js'", 'accounting must not import budget'],
  ['src/ledger/bad.ts', "import type { X } from '../budget/policy.js'", 'ledger must not import budget'],
  ['src/budget/bad.ts', "import { Injectable } from '@nestjs/common'", 'must not know the framework'],
  ['src/cli/bad.ts', "import { NestFactory } from '@nestjs/core'", 'must not know the framework'],
  ['src/cli/bad.ts', "import { serve } from '../main.js'", 'cli must not import main'],
  ['src/recovery/bad.ts', "import { readFileSync } from 'node:fs'", 'must not open files or sockets'],
  ['src/application/bad.ts', "import Database from 'libsql'", 'must not open files or sockets'],
  ['src/budget/bad.ts', "import { randomBytes } from 'node:crypto'", 'must not import randomBytes'],
  ['src/cli/bad.ts', "import { Kafka } from 'kafkajs'", 'must not know the client of Kafka'],
  ['src/composition.ts', "import pg from 'pg'", 'must not know a database'],
  ['src/cli/bad.ts', "import { EventStoreDBClient } from '@eventstore/db-client'", 'must not know a database'],
  ['src/kafka/bad.ts', "import { credentials } from '@grpc/grpc-js'", 'must not know a database'],
  ['src/kafka/bad.ts', "import { x } from '../http/problem.js'", 'kafka must not import http'],
  ['src/kafka/cloud-event.ts', "import type { KafkaMessage } from 'kafkajs'", 'is pure and must not import kafkajs'],
  ['src/kafka/message.ts', "import { Injectable } from '@nestjs/common'", 'is pure and must not import @nestjs'],
  ['src/kafka/message-digest.ts', 'export const at = () => Date.now()', 'uses Date.now'],
  ['src/budget/bad.ts', "import { x } from './policy'", 'does not end in .js'],
  ['src/budget/bad.ts', "export const x = () => import('../http/x.js')", 'budget must not import http'],
  ['src/budget/bad.ts', 'export const at = () => Date.now()', 'uses Date.now'],
  ['src/budget/bad.ts', 'export const at = () => new Date()', 'reads the clock'],
  ['src/ledger/bad.ts', 'export const at = performance.now()', 'uses performance'],
  ['src/ledger/bad.ts', 'export const die = () => process.exit(1)', 'uses process'],
  ['src/recovery/bad.ts', 'export const dice = Math.random()', 'uses Math.random'],
  ['src/accounting/bad.ts', 'export const x = Math.exp(1)', 'uses Math.exp'],
  ['src/accounting/bad.ts', 'export const x = 0.5', 'has the float 0.5'],
  ['src/accounting/bad.ts', 'export const x = 1e-9', 'has the float 1e-9'],
  ['src/budget/bad.ts', 'export interface X { readonly spentEpsilon: number }', 'spentEpsilon is an amount'],
  ['src/budget/bad.ts', 'export const f = (cost: readonly number[]) => cost', 'cost is an amount'],
  ['src/budget/index.ts', "export { x } from './policy.js'", 'only passes exports on'],
  ['src/utils/bad.ts', 'export const x = 1', 'not in the import table'],
  ['src/http/common/bad.ts', 'export const x = 1', 'a folder called common'],
  ['src/http/bad.ts', 'export default 1', 'has a default export'],
])('the rules catch %s: %s', (path, text, problem) => {
  expect(problemsOf(path, text).join('\n')).toContain(problem)
})

test('what the rules allow passes', () => {
  const text =
    "import { createHash } from 'node:crypto'\nexport const year = (at: string) => new Date(at).getUTCFullYear()"
  expect(problemsOf('src/budget/good.ts', text)).toEqual([])
  expect(problemsOf('src/kafka/consumer.ts', "import type { Consumer } from 'kafkajs'")).toEqual([])
  expect(problemsOf(SERVE, "export const f = async () => (await import('../main.js')).serve()")).toEqual([])
})

test('the search for cycles finds one', () => {
  const a = parseSource('src/budget/a.ts', "import { b } from './b.js'")
  const b = parseSource('src/budget/b.ts', "import { a } from './a.js'")
  expect(cycleIn([a, b])).toEqual(['src/budget/a.ts', 'src/budget/b.ts', 'src/budget/a.ts'])
  expect(cycleIn([a, parseSource('src/budget/b.ts', "import type { a } from './a.js'")])).toBeUndefined()
})

test('the search for the framework follows imports', () => {
  const a = parseSource('src/cli/a.ts', "import { b } from '../composition.js'")
  const b = parseSource('src/composition.ts', "import { c } from './app.module.js'")
  const c = parseSource('src/app.module.ts', "import { Module } from '@nestjs/common'")
  const sources = new Map([a, b, c].map((source) => [source.path, source]))
  expect([...loadedBy('src/cli/a.ts', sources)]).toEqual(['@nestjs/common'])
})

test.each([
  'see /home/somebody/notes',
  '"resolved": "https://npm.example.com/x.tgz"',
  'at https://git.example.corp/x',
  'TODO later',
])('the search for foreign words finds: %s', (line) => {
  expect(foreignProblems('README.md', line)).toHaveLength(1)
})
