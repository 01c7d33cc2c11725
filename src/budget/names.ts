import { AccountingError } from '../accounting/errors.js'

const MOST_BYTES = 256

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/

/**
 * Passes a name as it is: 1 to 256 bytes of well-formed Unicode without control characters. Nothing is trimmed or
 * normalised, so two names are the same only where their bytes are.
 *
 * @throws AccountingError INVALID with the JSON pointer.
 */
export const nameFrom = (value: unknown, pointer: string): string => {
  if (typeof value !== 'string') throw new AccountingError('INVALID', 'must be a string', pointer)
  const problem = nameProblem(value)
  if (problem !== undefined) throw new AccountingError('INVALID', problem, pointer)
  return value
}

/** What is wrong with a name; undefined for a good one. */
export const nameProblem = (name: string): string | undefined => {
  if (name === '') return 'must not be empty'
  if (CONTROL.test(name)) return 'must not have control characters'
  if (!name.isWellFormed()) return 'must be well-formed Unicode, without lone surrogates'
  // Three bytes a UTF-16 unit at most: short names need no counting.
  if (name.length * 3 > MOST_BYTES && Buffer.byteLength(name) > MOST_BYTES) {
    return `must be at most ${MOST_BYTES} bytes of UTF-8, and this has ${Buffer.byteLength(name)}`
  }
  return undefined
}

/** The first unit that a request names, read or not; undefined where it names none. */
export const firstUnitOf = (request: unknown): string | undefined => {
  const { unit, units } = (typeof request === 'object' && request !== null ? request : {}) as Record<string, unknown>
  const first = unit ?? (Array.isArray(units) ? units[0] : undefined)
  return typeof first === 'string' && nameProblem(first) === undefined ? first : undefined
}

/** A reason that a person gives: like a name, with up to 1,024 characters. */
export const reasonFrom = (value: unknown, pointer: string): string => {
  if (
    typeof value !== 'string' ||
    value === '' ||
    value.length > 1024 ||
    CONTROL.test(value) ||
    !value.isWellFormed()
  ) {
    throw new AccountingError('INVALID', 'must be a text of 1 to 1,024 characters without control characters', pointer)
  }
  return value
}
