import { readFileSync } from 'node:fs'
import type { Program } from '../recovery/statement.js'

/** This program's name and version, from its package. */
export const thisProgram = (): Program => {
  const { name, version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Program
  return { name, version }
}
