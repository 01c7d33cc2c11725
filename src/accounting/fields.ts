import { AccountingError } from './errors.js'
import { compare, isZero, multiply, ONE, parseRational, type Rational, rational } from './rational.js'
import { LARGEST_COUNT } from './units.js'

/** Parameters of transcendental functions lie between 10⁻³⁰ and 10³⁰. */
const LARGEST_PARAMETER = 10n ** 30n

/** The fields of one JSON object: each is read by name, and what nobody reads is refused. */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>
  readonly #unread: Set<string>

  constructor(
    value: unknown,
    readonly pointer: string,
  ) {
    this.#values = objectOf(value, pointer)
    this.#unread = new Set(Object.keys(this.#values))
  }

  /** Whether the field is there. Does not count as reading it. */
  has(name: string): boolean {
    return Object.hasOwn(this.#values, name)
  }

  take(name: string): unknown {
    if (!this.has(name)) throw new AccountingError('INVALID', `${name} is missing`, this.pointer)
    this.#unread.delete(name)
    return this.#values[name]
  }

  text(name: string): string {
    const value = this.take(name)
    if (typeof value !== 'string') throw new AccountingError('INVALID', `${name} must be a string`, this.at(name))
    return value
  }

  list(name: string): readonly unknown[] {
    const value = this.take(name)
    if (!Array.isArray(value)) throw new AccountingError('INVALID', `${name} must be an array`, this.at(name))
    return value
  }

  /** A number of at least 0. */
  amount(name: string, fallback?: Rational): Rational {
    if (fallback !== undefined && !this.has(name)) return fallback
    return parseRational(this.take(name), this.at(name))
  }

  /** A number above 0. */
  positive(name: string): Rational {
    const value = this.amount(name)
    if (isZero(value)) throw new AccountingError('OUT_OF_RANGE', `${name} must be above 0`, this.at(name))
    return value
  }

  /** A parameter of a transcendental function: 0, or between 10⁻³⁰ and 10³⁰. */
  parameter(name: string): Rational {
    return inTranscendentalRange(this.amount(name), this.at(name))
  }

  /** Such a parameter, above 0. */
  positiveParameter(name: string): Rational {
    return inTranscendentalRange(this.positive(name), this.at(name))
  }

  /** A probability: a parameter of at most 1. */
  probability(name: string): Rational {
    const value = this.parameter(name)
    if (compare(value, ONE) > 0) throw new AccountingError('OUT_OF_RANGE', `${name} must be at most 1`, this.at(name))
    return value
  }

  /** δ: at least 0, below 1. */
  delta(name: string, fallback?: Rational): Rational {
    const value = this.amount(name, fallback)
    if (compare(value, ONE) >= 0) throw new AccountingError('OUT_OF_RANGE', `${name} must be below 1`, this.at(name))
    return value
  }

  /** An integer between `least` and `most`. */
  integer(name: string, least: bigint, most: bigint): bigint {
    return integerFrom(this.take(name), least, most, this.at(name))
  }

  /** How often the mechanism runs, 1 where nothing is said. */
  count(): bigint {
    return this.has('count') ? this.integer('count', 1n, LARGEST_COUNT) : 1n
  }

  /** Refuses the fields that nobody has read. */
  end(): void {
    for (const name of this.#unread) {
      throw new AccountingError('INVALID', `unknown field ${JSON.stringify(name.slice(0, 40))}`, this.at(name))
    }
  }

  /** The JSON pointer of a field. */
  at(name: string): string {
    return `${this.pointer}/${name.slice(0, 40).replaceAll('~', '~0').replaceAll('/', '~1')}`
  }
}

export function integerFrom(value: unknown, least: bigint, most: bigint, pointer: string): bigint {
  const { num, den } = parseRational(value, pointer)
  if (den !== 1n || num < least || num > most) {
    throw new AccountingError('OUT_OF_RANGE', `must be an integer between ${least} and ${most}`, pointer)
  }
  return num
}

/** Passes a value that is 0 or between 10⁻³⁰ and 10³⁰. */
export function inTranscendentalRange(value: Rational, pointer: string): Rational {
  if (isZero(value) || isBetween(value, SMALLEST, LARGEST)) return value
  throw new AccountingError('OUT_OF_RANGE', 'must be 0 or between 1e-30 and 1e30', pointer)
}

/** Passes the square of such a value, a variance. */
export function inSquaredRange(value: Rational, pointer: string): Rational {
  if (isBetween(value, multiply(SMALLEST, SMALLEST), multiply(LARGEST, LARGEST))) return value
  throw new AccountingError('OUT_OF_RANGE', 'the noise multiplier must lie between 1e-30 and 1e30', pointer)
}

const isBetween = (value: Rational, least: Rational, most: Rational): boolean =>
  compare(value, least) >= 0 && compare(value, most) <= 0

const SMALLEST = rational(1n, LARGEST_PARAMETER)
const LARGEST = rational(LARGEST_PARAMETER)

function objectOf(value: unknown, pointer: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AccountingError('INVALID', 'expected a JSON object', pointer)
  }
  return value as Record<string, unknown>
}
