import { parseArgs } from 'node:util'
import { usage } from './io.js'

/** Names of a verb's options: those that take a value, and those that do not. */
export interface Spec {
  readonly values?: readonly string[]
  readonly flags?: readonly string[]
  /** The most arguments without a name. */
  readonly positionals?: number
}

export interface Options {
  readonly positionals: readonly string[]
  value(name: string): string | undefined
  /** Throws `USAGE` where it is missing. */
  required(name: string): string
  flag(name: string): boolean
  /** A whole number; throws `USAGE` for anything else. */
  integer(name: string, least: number, most: number): number | undefined
}

/** Reads a verb's arguments. Throws `USAGE` for what the verb does not know; every verb knows `--json`. */
export const parseOptions = (args: readonly string[], { values = [], flags = [], positionals = 0 }: Spec): Options => {
  const parsed = parse(args, [...values], [...flags, 'json'])
  if (parsed.positionals.length > positionals) {
    throw usage(`unexpected argument ${JSON.stringify(parsed.positionals[positionals])}`)
  }
  const value = (name: string): string | undefined => {
    const given = parsed.values[name]
    return typeof given === 'string' ? given : undefined
  }
  return {
    positionals: parsed.positionals,
    value,
    required: (name) => value(name) ?? missing(name),
    flag: (name) => parsed.values[name] === true,
    integer: (name, least, most) => integerFrom(name, value(name), least, most),
  }
}

interface Parsed {
  readonly values: Readonly<Record<string, unknown>>
  readonly positionals: readonly string[]
}

const parse = (args: readonly string[], values: readonly string[], flags: readonly string[]): Parsed => {
  const options = Object.fromEntries([
    ...values.map((name) => [name, { type: 'string' }] as const),
    ...flags.map((name) => [name, { type: 'boolean' }] as const),
  ])
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    throw usage((error as Error).message)
  }
}

const missing = (name: string): never => {
  throw usage(`--${name} is missing`)
}

const integerFrom = (name: string, text: string | undefined, least: number, most: number): number | undefined => {
  if (text === undefined) return undefined
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw usage(`--${name} must be a whole number between ${least} and ${most}, not ${JSON.stringify(text)}`)
}
