import { existsSync, readFileSync } from 'node:fs'
import { createRequire, register } from 'node:module'
import { fileURLToPath } from 'node:url'

// `node --import ./test/support/typescript-hooks.mjs program.ts` runs a program of the tests in a process of its own.
if (process.env.TYPESCRIPT_HOOKS === undefined) {
  process.env.TYPESCRIPT_HOOKS = 'on'
  register(import.meta.url)
}

/** Loaded where files are read, and not in the program itself too: it takes half a second of a processor. */
let ts

export const resolve = (specifier, context, next) => {
  const source = specifier.startsWith('.') && new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL)
  return source && existsSync(source)
    ? { url: source.href, format: 'module', shortCircuit: true }
    : next(specifier, context)
}

export const load = (url, context, next) => {
  if (!url.endsWith('.ts')) return next(url, context)
  ts ??= createRequire(import.meta.url)('typescript')
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, experimentalDecorators: true }
  const source = ts.transpileModule(readFileSync(fileURLToPath(url), 'utf8'), { compilerOptions: options }).outputText
  return { format: 'module', source, shortCircuit: true }
}
