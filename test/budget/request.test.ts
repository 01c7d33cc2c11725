import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AccountingError } from '../../src/accounting/errors.js'
import { parseRequest } from '../../src/budget/request.js'

const MOST_BYTES = 16_384

interface Spend {
  readonly [field: string]: unknown
}

/** A spend whose record is mostly this text, which means nothing, and the names of these statistics. */
const spendOf = (text: string, statistics: readonly string[] = []): Spend => ({
  id: 'sized',
  units: Array.from({ length: 1_000 }, (_, index) => `u-${index}`),
  dpEvent: { module_name: text, class_name: 'GaussianDpEvent', noise_multiplier: 3 },
  clipping: Object.fromEntries(statistics.map((name, index) => [`${index}${name}`, 1.5])),
})

/** Bytes of what the record keeps of it, without the names of its units. */
const bytesOf = ({ id: _, ...spend }: Spend): number => {
  const kept = { ...spend, units: [] }
  return Buffer.byteLength(JSON.stringify(kept, (_, value) => (typeof value === 'number' ? String(value) : value)))
}

const refusalOf = (spend: Spend): string | undefined => {
  try {
    parseRequest('spend', spend, 'trainer')
    return undefined
  } catch (error) {
    if (error instanceof AccountingError) return `${error.code}: ${error.detail}`
    throw error
  }
}

const tooLarge = (bytes: number): string =>
  `OUT_OF_RANGE: a spend without its units has at most ${MOST_BYTES} bytes, and this has ${bytes}; use fewer parts, or shorter numbers`

const textOf = (most: number): fc.Arbitrary<string> =>
  fc
    .tuple(fc.constantFrom('a', '"', '\\', 'é', '\u2028', '\u0001', '😀'), fc.integer({ min: 1, max: most }))
    .map(([character, length]) => character.repeat(length / character.length))

test('for every spend: it is read if it has at most 16 KiB without its units, and its bytes are named if it has more', () => {
  const seen = { read: 0, refused: 0 }
  const check = (text: string, name: string, count: number): void => {
    const spend = spendOf(text, Array(count).fill(name.replaceAll('\u0001', 'b')))
    const bytes = bytesOf(spend)
    const read = bytes <= MOST_BYTES
    expect(refusalOf(spend)).toBe(read ? undefined : tooLarge(bytes))
    seen[read ? 'read' : 'refused']++
  }
  fc.assert(fc.property(textOf(20_000), textOf(60), fc.nat(32), check), { numRuns: 300 })
  expect(Math.min(seen.read, seen.refused)).toBeGreaterThan(20)
})

test.each(['a', '"', 'é', '\u0001'])('the last byte counts, after many of %j', (character) => {
  const often = Math.floor((MOST_BYTES - bytesOf(spendOf(''))) / (bytesOf(spendOf(character)) - bytesOf(spendOf(''))))
  const nearly = character.repeat(often)
  const whole = `${nearly}${'x'.repeat(MOST_BYTES - bytesOf(spendOf(nearly)))}`
  expect(refusalOf(spendOf(whole))).toBeUndefined()
  expect(refusalOf(spendOf(`${whole}x`))).toBe(tooLarge(MOST_BYTES + 1))
})
