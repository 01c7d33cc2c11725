import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AccountingError } from '../../src/accounting/errors.js'
import { readJson } from '../../src/application/json-text.js'
import { nameProblem } from '../../src/budget/names.js'
import { type ParsedRequest, parseRequest } from '../../src/budget/request.js'
import { ingestOf } from '../../src/kafka/message.js'
import { messageCause } from '../../src/kafka/message-cause.js'
import { QUARANTINE_REASONS } from '../../src/kafka/quarantined-message.js'
import { canonicalJson } from '../../src/ledger/canonical.js'
import { received, type Stored } from '../support/client-wire.js'
import { mutated, valid } from './mutated.js'

const RUNS = Number(process.env['RUNS'] ?? 3_000)

const fateOf = (stored: Stored, sources?: ReadonlySet<string>) => {
  const message = received(stored)
  return ingestOf(message, messageCause(message, 'epsilon.spends', 0), sources)
}
type Fate = ReturnType<typeof fateOf>
type Charging = Extract<Fate, { readonly request: 'spend' | 'reserve' | 'report' }>

/** Refused by a code of the accounting; everything else is a defect, and thrown. */
const accounted = (kind: 'spend' | 'reserve' | 'report', body: unknown, source: string): ParsedRequest | undefined => {
  try {
    return parseRequest(kind, body, source)
  } catch (error) {
    if (error instanceof AccountingError) return undefined
    throw error
  }
}

const checkFate = (stored: Stored, fate: Fate): void => {
  expect(fate.cause.offset).toBe(stored.offset ?? '0')
  canonicalJson(fate.cause)
  switch (fate.request) {
    case 'quarantine': {
      const { reason, detail, bytes: size, key } = fate.message
      expect(Object.keys(QUARANTINE_REASONS)).toContain(reason)
      expect(detail.length).toBeLessThanOrEqual(2_000)
      expect([size, key === null]).toEqual([stored.value?.length ?? 0, stored.key === null])
      canonicalJson(fate.message)
      return
    }
    case 'invalid': {
      const { source, id, request } = fate.invalid
      expect([nameProblem(source), nameProblem(id)]).toEqual([undefined, undefined])
      expect(['spend', 'reserve', 'settle', 'release']).toContain(request)
      canonicalJson(fate.invalid)
      return
    }
    default:
      expect(nameProblem(fate.source)).toBeUndefined()
      expect(nameProblem('id' in fate ? fate.id : String(fate.wire['id']))).toBeUndefined()
  }
}

test('every valid message is the request that it is', () => {
  fc.assert(
    fc.property(valid, (stored) => {
      const fate = fateOf(stored)
      expect(fate.request).not.toBe('quarantine')
      expect(fate.request).not.toBe('invalid')
      if ('wire' in fate && !('id' in fate)) expect(accounted(fate.request, fate.wire, fate.source)).toBeDefined()
    }),
    { numRuns: 500 },
  )
})

test('for every mutation of a valid message there is exactly one fate, which a record can hold', () => {
  const seen = new Map<string, number>()
  fc.assert(
    fc.property(mutated, (stored) => {
      const fate = fateOf(stored)
      checkFate(stored, fate)
      const kind = fate.request === 'quarantine' ? fate.message.reason : fate.request
      seen.set(kind, (seen.get(kind) ?? 0) + 1)
    }),
    { numRuns: RUNS },
  )
  // The mutations reach all that can become of a message, but for what only megabytes, or a recovery, can.
  const all = ['spend', 'reserve', 'report', 'settle', 'release', 'invalid', ...Object.keys(QUARANTINE_REASONS)]
  expect([...seen.keys()].sort()).toEqual(all.filter((kind) => !['TOO_LARGE', 'DECISION_LOST'].includes(kind)).sort())
})

/** The same request as its sender would write it for HTTP, made from the stored bytes alone. */
const httpBody = ({ request, wire }: Charging, stored: Stored): Buffer => {
  const value = JSON.parse(String(stored.value)) as { data?: object; data_base64?: string }
  const isBinary = stored.headers.some(([header]) => header === 'ce_specversion') && !('specversion' in value)
  const data = isBinary ? value : (value.data ?? JSON.parse(Buffer.from(value.data_base64 ?? '', 'base64').toString()))
  expect(['spend', 'reserve', 'report']).toContain(request)
  return Buffer.from(
    `{"id":${JSON.stringify(wire['id'])}${JSON.stringify(data)
      .replace(/^\{(?!\})/, ',')
      .replace(/^\{/, '')}`,
  )
}

test('for every mutation, whatever the ledger would take came by HTTP too, and means the same there', () => {
  let taken = 0
  fc.assert(
    fc.property(mutated, (stored) => {
      const fate = fateOf(stored)
      if (fate.request !== 'spend' && fate.request !== 'reserve' && fate.request !== 'report') return
      const here = accounted(fate.request, fate.wire, fate.source)
      if (here === undefined) return
      taken++
      const read = readJson(httpBody(fate, stored))
      expect(read).toHaveProperty('value')
      const there = 'value' in read ? accounted(fate.request, read.value, fate.source) : undefined
      expect(there).toEqual(here)
    }),
    { numRuns: RUNS },
  )
  // One in fifteen: fewer than one in fifty is no chance.
  expect(taken).toBeGreaterThan(RUNS / 50)
})

test('for every mutation, a source that is not listed is never let through', () => {
  fc.assert(
    fc.property(mutated, (stored) => {
      expect(['invalid', 'quarantine']).toContain(fateOf(stored, new Set(['somebody else'])).request)
    }),
    { numRuns: 500 },
  )
})
