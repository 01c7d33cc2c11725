import { spawn } from 'node:child_process'
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { SeenFile } from '../../src/adapters/seen-file.js'
import { SqliteStore } from '../../src/adapters/sqlite-store.js'
import type { Position } from '../../src/ledger/block.js'
import { freePort } from '../support/free-port.js'
import { Scenario } from '../support/scenario.js'
import { PROGRAM, run } from '../support/service.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { command } from './in-process.js'
import { directoryOf } from './ledger-directory.js'

test('help lists every command and every exit code', async () => {
  const { code, stdout } = await run('--help')
  expect(code).toBe(0)
  for (const verb of ['serve', 'verify', 'prove', 'token', 'estimate', 'cost', 'cap', 'what-if', 'keys', 'doctor']) {
    expect(stdout).toMatch(new RegExp(`^ {2}${verb} `, 'm'))
  }
  for (const exit of [0, 1, 2, 3, 10, 11, 12, 20, 32]) expect(stdout).toMatch(new RegExp(`^ {2}${exit} `, 'm'))
  expect((await command('verify', '--help')).stdout).toContain('--head LEAF')
})

test.each([
  [['nothing-like-it'], 'there is no command'],
  [['__proto__'], 'there is no command'],
  [['verify'], 'give either --data DIR or --records FILE'],
  [['verify', '--data', 'a', '--records', 'b'], 'give either'],
  [['verify', '--records', 'b', '--head', 'xyz'], '--head must be a leaf'],
  [['verify', '--proof', 'p'], '--key is missing'],
  [['verify', '--dta', 'a'], '--dta'],
  [['prove'], '--data is missing'],
  [['serve', '--data', 'd', '--port', '99999'], '--port must be a whole number'],
  [['estimate', '--data', 'd'], 'give a file with the spend'],
])('wrong use %j exits with 2 and says what is wrong', async (args, message) => {
  const { code, stdout, stderr } = await command(...args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^USAGE: /)
  expect(stderr).toContain(message)
})

test('no command at all shows the help and exits with 2', async () => {
  const { code, stdout } = await command()
  expect(code).toBe(2)
  expect(stdout).toContain('epsilon-ledger COMMAND')
})

test('with --json an error is one document on one line too', async () => {
  const { code, stdout, stderr } = await command('prove', '--data', join(temporaryFolder(), 'none'), '--json')
  expect(code).toBe(10)
  expect(stdout.split('\n')).toHaveLength(2)
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, code: 'DATA_MISSING' })
  expect(stderr).toMatch(/^DATA_MISSING: /)
})

test('no verb makes a ledger where there is none, but serve', async () => {
  const data = join(temporaryFolder(), 'none')
  const verbs = [
    ['verify'],
    ['prove'],
    ['token', 'list'],
    ['token', 'create', '--role', 'auditor'],
    ['keys'],
    ['doctor'],
  ]
  for (const verb of verbs) expect((await command(...verb, '--data', data)).code).toBe(10)
  expect(existsSync(data)).toBe(false)
})

test('a reader that has had enough is no error', async () => {
  const { data } = await directoryOf(await Scenario.open())
  const child = spawn('/bin/sh', [
    '-c',
    `"$0" "$1" keys --data "$2" | true; "$0" "$1" --help | head -1`,
    process.execPath,
    PROGRAM,
    data,
  ])
  let stderr = ''
  child.stderr.on('data', (chunk) => (stderr += chunk))
  await new Promise((resolve) => child.once('close', resolve))
  expect(stderr).toBe('')
})

test('an estimate says what a spend would meet, and writes nothing', async () => {
  const ledger = await Scenario.open()
  await ledger.policy({ id: 'person', scope: ['unit'], epsilon: '1' })
  await ledger.spend({ id: 's', unit: 'u', mechanism: 'laplace', noiseMultiplier: '2.5' })
  const { data } = await directoryOf(ledger)
  const body = join(temporaryFolder(), 'spend.json')
  writeFileSync(body, '{"unit":"u","mechanism":"laplace","noiseMultiplier":"5"}')
  const before = (await command('verify', '--data', data, '--json')).stdout
  const accepted = await command('estimate', '--data', data, body, '--json')
  expect(accepted.code).toBe(0)
  expect(JSON.parse(accepted.stdout)).toMatchObject({ admitted: true, largestCount: 3, repetitions: '3' })
  writeFileSync(body, '{"unit":"u","mechanism":"laplace","noiseMultiplier":"1"}')
  const refused = await command('estimate', '--data', data, body)
  expect(refused.code).toBe(3)
  expect(refused.stdout).toContain('It would be refused.')
  writeFileSync(body, '{"unit":"u","mechanism":"laplace","noiseMultiplier":"-1"}')
  expect((await command('estimate', '--data', data, body)).stderr).toContain('/noiseMultiplier')
  expect((await command('verify', '--data', data, '--json')).stdout).toBe(before)
})

test('doctor names what an operator should look at', async () => {
  const { data } = await directoryOf(await Scenario.open())
  writeFileSync(join(data, 'operator.token'), 'secret')
  chmodSync(join(data, 'operator.token'), 0o644)
  const { code, stdout } = await command('doctor', '--data', data, '--json')
  expect(code).toBe(0)
  const { findings } = JSON.parse(stdout) as { findings: { code: string; level: string }[] }
  expect(findings.filter(({ level }) => level === 'warning').map((finding) => finding.code)).toEqual([
    'files.modes',
    'tokens.lying',
  ])
})

test('doctor tells a log that lacks what was seen, and a server that cannot be asked', async () => {
  const { data } = await directoryOf(await Scenario.open())
  const errors = async () => {
    const { code, stdout } = await command('doctor', '--data', data, '--json')
    const { findings } = JSON.parse(stdout) as { findings: { code: string; level: string; detail: string }[] }
    return { code, findings: findings.filter(({ level }) => level === 'error') }
  }
  const seen = SeenFile.open(join(data, 'seen'))
  onTestFinished(() => seen.close())
  const log = SqliteStore.open(join(data, 'ledger.db'))
  const head = (await log.head().finally(() => log.close())) as Position
  seen.write(head)
  expect(await errors()).toEqual({ code: 0, findings: [] })
  for (const position of [
    { ...head, leaf: 'ab'.repeat(32) },
    { ...head, block: head.block + 1, seq: head.seq + 1 },
  ]) {
    seen.write(position)
    const { code, findings } = await errors()
    expect(code).toBe(20)
    expect(findings).toMatchObject([{ code: 'log.went_back' }])
    expect(findings[0]?.detail).toContain(`record ${position.seq} with leaf ${position.leaf}`)
    expect(findings[0]?.detail).toContain(`record ${head.seq}, leaf ${head.leaf}`)
  }
  vi.stubEnv('EPSILON_STORE', 'postgres')
  vi.stubEnv('EPSILON_POSTGRES_URL', `postgres://ledger@127.0.0.1:${await freePort()}/db`)
  onTestFinished(() => void vi.unstubAllEnvs())
  expect(await errors()).toMatchObject({ code: 3, findings: [{ code: 'store.unusable' }] })
})
