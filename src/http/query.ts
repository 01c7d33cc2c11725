import { ProblemError } from './problem.js'

/** A query string as the framework reads it: a name that is given twice has a list. */
export type QueryString = Readonly<Record<string, unknown>>

/** Positions and page sizes stay safe integers. */
const MOST = Number.MAX_SAFE_INTEGER

/** Reads query parameters by name; what nobody asked for is refused, so that a misspelt one never becomes a default. */
export class QueryFields {
  constructor(
    private readonly values: QueryString,
    known: readonly string[],
  ) {
    const unknown = Object.keys(values).find((name) => name !== 'atLeast' && !known.includes(name))
    if (unknown !== undefined) throw invalid(unknown, 'is no parameter of this route')
  }

  integer(name: string, least: number, most = MOST): number | undefined {
    const value = this.values[name]
    if (value === undefined) return undefined
    const number = typeof value === 'string' && /^(?:0|[1-9]\d{0,15})$/.test(value) ? Number(value) : Number.NaN
    if (number >= least && number <= most) return number
    throw invalid(name, `must be an integer between ${least} and ${most}`)
  }

  text(name: string): string | undefined {
    const value = this.values[name]
    if (value === undefined || typeof value === 'string') return value
    throw invalid(name, 'must be given once')
  }
}

const invalid = (name: string, detail: string): ProblemError =>
  new ProblemError('INVALID', `query parameter ${JSON.stringify(name.slice(0, 40))} ${detail}`, [
    { pointer: `/${name.slice(0, 40)}`, detail },
  ])
