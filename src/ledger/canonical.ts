import { LedgerError } from './errors.js'

/**
 * The canonical text of a JSON value, RFC 8785: names sorted by UTF-16 code units, no white space, the shortest escapes.
 *
 * Takes strings, safe integers, booleans, null, arrays and plain objects. Everything else has no place in a record and
 * throws `VALUE_NOT_CANONICAL`: fractions, NaN, bigint (amounts are decimal strings), undefined, lone surrogates, the name
 * `__proto__`, more than 64 levels.
 */
export const canonicalJson = (value: unknown): string => {
  try {
    return write(value, 0)
  } catch (error) {
    if (!(error instanceof Unfit)) throw error
    throw new LedgerError(
      'VALUE_NOT_CANONICAL',
      `${error.message} at "${pointerToUnfit(value, 0)}" has no canonical form`,
      {
        retry: 'never',
        hint: 'Records hold strings, safe integers, booleans, null, arrays and plain objects; amounts are decimal strings.',
      },
    )
  }
}

const MOST_LEVELS = 64

/** Why a value has no canonical form; its place is found only once it is known to be needed. */
class Unfit extends Error {}

const write = (value: unknown, level: number): string => {
  switch (typeof value) {
    case 'string':
      return writeString(value)
    case 'number':
      if (!Number.isSafeInteger(value)) throw new Unfit(`the number ${value}`)
      return `${value}`
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      if (value === null) return 'null'
      if (level === MOST_LEVELS) throw new Unfit(`level ${MOST_LEVELS + 1}`)
      return Array.isArray(value) ? writeArray(value, level + 1) : writeObject(value, level + 1)
    default:
      throw new Unfit(`a value of type ${typeof value}`)
  }
}

const writeArray = (items: readonly unknown[], level: number): string => {
  let text = '['
  for (let index = 0; index < items.length; index++) {
    text += index === 0 ? write(items[index], level) : `,${write(items[index], level)}`
  }
  return `${text}]`
}

const writeObject = (object: object, level: number): string => {
  const prototype = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null) throw new Unfit('an object that is not plain')
  const names = sorted(Object.keys(object))
  let text = '{'
  for (let index = 0; index < names.length; index++) {
    const name = names[index] as string
    if (name === '__proto__') throw new Unfit('the name __proto__')
    const member = `${writeString(name)}:${write((object as Record<string, unknown>)[name], level)}`
    text += index === 0 ? member : `,${member}`
  }
  return `${text}}`
}

/** Anything but printable characters, the quote and the backslash excepted; surrogates are looked at more closely. */
const needsEscape = /[^ !#-[\]-\ud7ff\ue000-\uffff]/
const loneSurrogate = /\p{Surrogate}/u

const writeString = (text: string): string => {
  if (!needsEscape.test(text)) return `"${text}"`
  if (loneSurrogate.test(text)) throw new Unfit('a lone surrogate')
  return JSON.stringify(text)
}

/** Sorts in place. Most objects have few names in nearly the right order, so insertion beats the built-in sort. */
const sorted = (names: string[]): string[] => {
  if (names.length > 24) return names.sort()
  for (let index = 1; index < names.length; index++) {
    const name = names[index] as string
    let place = index
    while (place > 0 && (names[place - 1] as string) > name) {
      names[place] = names[place - 1] as string
      place--
    }
    names[place] = name
  }
  return names
}

/** JSON pointer (RFC 6901) to the first value inside that cannot be written. */
const pointerToUnfit = (value: unknown, level: number): string => {
  if (typeof value !== 'object' || value === null || level === MOST_LEVELS) return ''
  for (const name of Object.keys(value)) {
    const member = (value as Record<string, unknown>)[name]
    if (isUnfit(member)) {
      return `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}${pointerToUnfit(member, level + 1)}`
    }
  }
  return ''
}

const isUnfit = (value: unknown): boolean => {
  try {
    write(value, 0)
    return false
  } catch {
    return true
  }
}
