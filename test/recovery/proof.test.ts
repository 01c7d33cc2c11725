import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { preAuthenticationEncoding } from '../../src/ledger/dsse.js'
import type { JsonObject } from '../../src/ledger/record.js'
import { publicKeyText, signingKeyFrom } from '../../src/ledger/signing.js'
import { compareProof, openProof, proofOf, proofText } from '../../src/recovery/proof.js'
import { statementOf } from '../../src/recovery/statement.js'
import { forged } from '../support/forge.js'
import { messageAt, Scenario } from '../support/scenario.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { verifiedBlocks, verifiedLines } from '../support/verified.js'
import { wholeLog } from '../support/whole-log.js'

const key = signingKeyFrom(Buffer.alloc(32, 7))
const program = { name: 'epsilon-ledger', version: '0.1.0' }
const whole = wholeLog()

const proved = async () => {
  const ledger = await whole
  const verification = await verifiedBlocks(ledger.store)
  return { ledger, verification, file: proofText(proofOf(verification, program, key)) }
}

test('a proof says that the guarantees hold, and only then', async () => {
  const { file } = await proved()
  const { sentence, verdict, statement } = openProof(file, key.publicKey)
  expect(sentence).toBe('Privacy guarantees verified, 3 of 3 under a condition')
  expect(verdict).toEqual({ code: 'verified', guarantees: 3, conditional: 3 })
  const checks = (statement['predicate'] as JsonObject)['checks'] as readonly JsonObject[]
  expect(checks.map(({ name, status }) => `${name} ${status}`)).toEqual([
    'verify_privacy_budget_consistency passed',
    'validate_privacy_parameters passed',
    'check_noise_generation_integrity passed',
    'no_privacy_budget_exceeded passed',
  ])
})

test('a proof of a log with a violation names the first offending record and no unit', async () => {
  const ledger = await Scenario.open()
  await ledger.policy({ id: 'person', scope: ['unit'], epsilon: '1' })
  await ledger.report({ id: 'r', unit: 'somebody', mechanism: 'declared_pure', epsilon: '1.5' })
  const file = proofText(proofOf(await verifiedBlocks(ledger.store), program, key))
  const { sentence, verdict, statement } = openProof(file, key.publicKey)
  expect(verdict).toEqual({ code: 'violated', violations: 1 })
  expect(sentence).toBe('Privacy guarantees violated: 1 violation on record')
  expect((statement['predicate'] as JsonObject)['violations']).toMatchObject([{ seq: 5, code: 'REPORT_BEYOND_CAP' }])
  expect(JSON.stringify(statement)).not.toContain('somebody')
})

test('the same log gives the same bytes, from blocks and from lines', async () => {
  const { ledger, file } = await proved()
  const head = (await ledger.store.head())?.leaf
  const again = proofOf(verifiedLines(await ledger.bytes(), head), program, key)
  expect(proofText(again)).toBe(file)
})

test('the subject has the digest that sha256sum gives for the records as a file', async () => {
  const { ledger, verification } = await proved()
  const { hash } = await import('node:crypto')
  expect(verification.digest).toBe(hash('sha256', await ledger.bytes(), 'hex'))
})

test('no byte of a proof can be changed', async () => {
  const { file } = await proved()
  fc.assert(
    fc.property(fc.integer({ min: 0, max: file.length - 1 }), fc.integer({ min: 0, max: 6 }), (place, bit) => {
      const bytes = Buffer.from(file)
      bytes[place] = (bytes[place] ?? 0) ^ (1 << bit)
      expect(() => openProof(bytes.toString('utf8'), key.publicKey)).toThrow()
    }),
    { numRuns: 300 },
  )
})

test('a proof by another key is refused', async () => {
  const { file } = await proved()
  const other = signingKeyFrom(Buffer.alloc(32, 8))
  expect(() => openProof(file, other.publicKey)).toThrow(/none of the 1 signatures is by key/)
})

test('a proof stands for its records, and for no others', async () => {
  const { ledger, verification, file } = await proved()
  const proof = openProof(file, key.publicKey)
  expect(compareProof(proof, verification)).toBeUndefined()
  const bytes = forged(await ledger.lines(), (records) => {
    const confirmed = records.find(({ type }) => type === 'ClockConfirmed')
    if (confirmed !== undefined) confirmed.data.reason = 'another reason'
  })
  expect(compareProof(proof, verifiedLines(bytes))).toMatchObject({ pointer: '/subject/0/digest/headLeaf' })
})

test('records with a bad one are named, not compared', async () => {
  const { ledger, file } = await proved()
  const bytes = await ledger.bytes()
  bytes[200] = (bytes[200] ?? 0) ^ 1
  const proof = openProof(file, key.publicKey)
  expect(() => compareProof(proof, verifiedLines(bytes, proof.head.leaf))).toThrow(/^record 0: /)
})

test('nothing is stated about a log with a bad record', async () => {
  const { ledger } = await proved()
  const verification = verifiedLines((await ledger.bytes()).subarray(10))
  expect(() => statementOf(verification, program)).toThrow('nothing can be stated')
})

test('after an approved raise the statement for a zcdp budget is conditional', async () => {
  const { verification } = await proved()
  const { guarantees } = statementOf(verification, program)['predicate'] as unknown as {
    guarantees: readonly { policy: string; conditions: readonly string[]; largestUse: string; budgets: number }[]
  }
  const [dataset, person, training] = guarantees
  expect(guarantees).toMatchObject([
    { policy: 'dataset', conditional: true, budgets: 1 },
    { policy: 'person', budgets: 126, largestUse: '0.631579' },
    { policy: 'training', budgets: 1 },
  ])
  expect(dataset?.conditions).toEqual([expect.stringContaining('raised its cap'), ...(person?.conditions ?? [])])
  expect(training?.conditions).toEqual(person?.conditions)
})

test('what nobody could account for is a condition of every guarantee', async () => {
  const conditionsOf = async (act: (ledger: Scenario) => Promise<unknown>): Promise<readonly string[]> => {
    const ledger = await Scenario.open()
    await ledger.policy({ id: 'person', scope: ['unit'], epsilon: '1' })
    await act(ledger)
    const verification = await verifiedBlocks(ledger.store)
    const { guarantees } = statementOf(verification, program)['predicate'] as unknown as {
      guarantees: readonly { conditions: readonly string[] }[]
    }
    return guarantees[0]?.conditions ?? []
  }
  expect(await conditionsOf((ledger) => ledger.quarantine(messageAt(0)))).toEqual([
    'the quarantined message of record 5 is not resolved: what it spent is not counted',
  ])
  const two = await conditionsOf(async (ledger) => {
    await ledger.quarantine(messageAt(0))
    await ledger.quarantine(messageAt(1))
    await ledger.quarantine(messageAt(2))
    await ledger.dismiss(5)
  })
  expect(two).toEqual([
    '2 quarantined messages are not resolved, the first in record 6: what they spent is not counted',
  ])
  const charged = await conditionsOf(async (ledger) => {
    const wire = { id: 'q', unit: 'u', mechanism: 'declared_pure', epsilon: '0.1' }
    await ledger.chargeQuarantined(await ledger.quarantine(messageAt(0)), wire)
  })
  expect(charged).toEqual([])
  const moved = await conditionsOf(async (ledger) => {
    await ledger.recordOffsets(10n)
    await ledger.resetTopic(20n)
    await ledger.resetTopic(5n)
  })
  expect(moved).toEqual([
    'record 7 gave up messages 10 to 19 of partition 0 of epsilon.spends: what they spent is not counted',
    'record 9 let partition 0 of epsilon.spends go on at 5, where it had handled all before 20: what messages spent that the topic had from there on is not counted',
  ])
  expect(await conditionsOf((ledger) => ledger.declareGap({ lost: 3 }))).toEqual([
    'record 8 declares records 5 to 7 as missing (restored from a copy): what they charged counts only where it was charged again',
  ])
  expect(await conditionsOf((ledger) => ledger.declareGap())).toEqual([])
})

test('a statement names ten ranges that were given up, and counts the others', async () => {
  const ledger = await Scenario.open()
  await ledger.policy({ id: 'person', scope: ['unit'], epsilon: '1' })
  for (let reset = 1n; reset <= 12n; reset++) await ledger.resetTopic(reset * 100n)
  const { guarantees } = statementOf(await verifiedBlocks(ledger.store), program)['predicate'] as unknown as {
    guarantees: readonly { conditions: readonly string[] }[]
  }
  expect(guarantees[0]?.conditions).toHaveLength(11)
  expect(guarantees[0]?.conditions.at(-1)).toBe('2 more of this kind')
})

const hasOpenssl = (() => {
  try {
    return execFileSync('openssl', ['version'], { encoding: 'utf8' }).startsWith('OpenSSL')
  } catch {
    return false
  }
})()

if (!hasOpenssl && process.env['REQUIRE_ALL'] === '1') throw new Error('openssl is not on the PATH')

test.skipIf(!hasOpenssl)(
  'openssl checks the signature of an envelope (skipped where openssl is not on the PATH)',
  async () => {
    const { file } = await proved()
    const { payload, payloadType, signatures } = JSON.parse(file)
    const folder = temporaryFolder()
    const path = (name: string) => join(folder, name)
    writeFileSync(path('message'), preAuthenticationEncoding(payloadType, Buffer.from(payload, 'base64')))
    writeFileSync(path('signature'), Buffer.from(signatures[0].sig, 'base64'))
    writeFileSync(path('key.pem'), publicKeyText(key.publicKey))
    const args = [
      'pkeyutl',
      '-verify',
      '-pubin',
      '-inkey',
      path('key.pem'),
      '-rawin',
      '-in',
      path('message'),
      '-sigfile',
      path('signature'),
    ]
    expect(execFileSync('openssl', args, { encoding: 'utf8' })).toContain('Verified Successfully')
  },
)
