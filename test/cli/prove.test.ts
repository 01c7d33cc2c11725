import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BlockBuilder } from '../../src/ledger/block.js'
import { Scenario } from '../support/scenario.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { wholeLog } from '../support/whole-log.js'
import { command } from './in-process.js'
import { directoryOf } from './ledger-directory.js'

const whole = wholeLog()

const proved = async () => {
  const ledger = await whole
  const { data, records } = await directoryOf(ledger)
  const folder = temporaryFolder()
  const file = join(folder, 'proof.json')
  const key = join(folder, 'key.pem')
  const result = await command('prove', '--data', data, '--out', file)
  writeFileSync(key, JSON.parse((await command('keys', '--data', data, '--json')).stdout).pem)
  return { ledger, data, records, file, key, result }
}

test('a proof shows the four checks, and verifies with its key and its records', async () => {
  const { records, file, key, data, result } = await proved()
  expect(result).toMatchObject({ code: 0, stderr: '' })
  for (const name of [
    'verify_privacy_budget_consistency',
    'validate_privacy_parameters',
    'check_noise_generation_integrity',
    'no_privacy_budget_exceeded',
  ]) {
    expect(result.stdout).toMatch(new RegExp(`${name} +passed`))
  }
  expect(result.stdout).toMatch(/^Privacy guarantees verified, 3 of 3 under a condition\n/)
  const raw = JSON.parse((await command('keys', '--data', data, '--json')).stdout).raw
  const [alone, compared, withRaw] = await Promise.all([
    command('verify', '--proof', file, '--key', key),
    command('verify', '--proof', file, '--key', key, '--records', records, '--json'),
    command('verify', '--proof', file, '--key', raw),
  ])
  expect([alone.code, compared.code, withRaw.code]).toEqual([0, 0, 0])
  expect(JSON.parse(compared.stdout)).toMatchObject({ ok: true, compared: true, verdict: { code: 'verified' } })
})

test('checks that do not apply take one line, or with --verbose a line each with its reason', async () => {
  const { data, result } = await proved()
  expect(result.stdout.match(/notApplicable/g)).toHaveLength(1)
  const verbose = await command('prove', '--data', data, '--verbose')
  expect(verbose.stderr).toMatch(/witnesses +notApplicable +no witness/)
})

test('without --out the proof itself goes to stdout, and people read stderr', async () => {
  const { data, file } = await proved()
  const result = await command('prove', '--data', data)
  expect(result.stdout).toBe(readFileSync(file, 'utf8'))
  expect(result.stderr).toContain('Privacy guarantees verified')
})

test('a proof stands for its records also when the log has gone on since', async () => {
  const { ledger, records, file, key } = await proved()
  const builder = new BlockBuilder(await ledger.store.head())
  const { at } = JSON.parse((await ledger.lines()).at(-1) ?? '')
  builder.add({
    at,
    by: 'operator:x',
    cause: { kind: 'http' },
    data: { reason: 'later' },
    epoch: 0,
    type: 'ClockConfirmed',
    v: 1,
  })
  appendFileSync(records, builder.blocks()[0]?.bytes ?? '')
  expect((await command('verify', '--proof', file, '--key', key, '--records', records)).code).toBe(0)
})

test('a proof of other records, by another key, or with a changed byte exits with 20', async () => {
  const { file, key, data } = await proved()
  const other = await directoryOf(await Scenario.open('other'))
  const otherKey = JSON.parse((await command('keys', '--data', other.data, '--json')).stdout).raw
  const changed = join(temporaryFolder(), 'changed.json')
  writeFileSync(changed, readFileSync(file, 'utf8').replace('"keyid":"', '"keyid":"0'))
  const results = await Promise.all([
    command('verify', '--proof', file, '--key', key, '--records', other.records, '--json'),
    command('verify', '--proof', file, '--key', otherKey),
    command('verify', '--proof', changed, '--key', key),
    command('verify', '--proof', join(data, 'signing.key'), '--key', key),
  ])
  expect(results.map(({ code }) => code)).toEqual([20, 20, 20, 20])
  expect(results[1]?.stderr).toMatch(/^SIGNATURE_INVALID: /)
})

test('a log with a bad record is not signed', async () => {
  const { data } = await proved()
  const { SqliteFile } = await import('../../src/adapters/sqlite-file.js')
  const database = new SqliteFile(join(data, 'ledger.db'), 1000)
  database.exec("UPDATE head SET leaf = replace(leaf, substr(leaf, 1, 1), 'e')")
  database.close()
  const out = join(temporaryFolder(), 'proof.json')
  const result = await command('prove', '--data', data, '--out', out)
  expect(result.code).toBe(20)
  expect(result.stdout).toContain('Nothing was signed.')
  expect(result.stdout).toMatch(/head +failed/)
  expect(() => readFileSync(out)).toThrow()
})

test('a proof of a violated guarantee exits with 32, made or verified', async () => {
  const ledger = await Scenario.open()
  await ledger.policy({ id: 'person', scope: ['unit'], epsilon: '1' })
  await ledger.report({ id: 'r', unit: 'u', mechanism: 'declared_pure', epsilon: '2' })
  const { data } = await directoryOf(ledger)
  const out = join(temporaryFolder(), 'proof.json')
  expect((await command('prove', '--data', data, '--out', out)).code).toBe(32)
  const raw = JSON.parse((await command('keys', '--data', data, '--json')).stdout).raw
  expect((await command('verify', '--proof', out, '--key', raw)).code).toBe(32)
})

test('keys shows the public key and never the secret one', async () => {
  const { data } = await proved()
  const secret = readFileSync(join(data, 'signing.key'), 'utf8').trim()
  const { stdout } = await command('keys', '--data', data)
  expect(stdout).toContain('BEGIN PUBLIC KEY')
  expect(stdout).not.toContain(secret)
  expect(stdout).not.toContain(Buffer.from(secret, 'hex').toString('base64'))
})

test('a missing signing key exits with 12', async () => {
  const { data } = await proved()
  const { rmSync } = await import('node:fs')
  rmSync(join(data, 'signing.key'))
  expect((await command('prove', '--data', data)).code).toBe(12)
  expect((await command('keys', '--data', data)).stderr).toMatch(/^KEY_MISSING: /)
})
