import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { SqliteFile } from '../../src/adapters/sqlite-file.js'
import { run, Service } from '../support/service.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const started = async (options = {}) => {
  const service = await Service.start(options)
  onTestFinished(() => service.remove())
  return service
}

test('beside a running service: a second one is refused, and verify, prove, tokens and doctor work', async () => {
  const service = await started()
  const { data } = service
  expect(service.output).toContain(join(data, 'operator.token'))
  expect(statSync(join(data, 'service.json')).mode & 0o777).toBe(0o600)

  const second = await run('serve', '--data', data, '--port', '0')
  expect(second.code).toBe(11)
  expect(second.stderr).toMatch(/^LOCKED: .*process \d+/)

  const made = JSON.parse(
    (await run('token', 'create', '--data', data, '--role', 'emitter', '--source', 'trainer', '--json')).stdout,
  )
  expect(Object.keys(made)).toEqual(['id', 'token', 'role', 'source'])
  const emitter = service.client(made.token)
  expect((await emitter.post('/v1/spends/estimate', { unit: 'u', mechanism: 'no_op' })).status).toBe(422)

  const [verified, proved, doctor, list] = await Promise.all([
    run('verify', '--data', data, '--json'),
    run('prove', '--data', data, '--json'),
    run('doctor', '--data', data),
    run('token', 'list', '--data', data, '--json'),
  ])
  expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, counts: { TokenCreated: 3 } })
  expect(JSON.parse(proved.stdout)).toMatchObject({ ok: true, proof: { payloadType: 'application/vnd.in-toto+json' } })
  expect(doctor.stdout).toContain(`a service answers at ${service.url}`)
  expect(JSON.parse(list.stdout).tokens).toHaveLength(3)

  expect((await run('token', 'revoke', made.id, '--data', data)).code).toBe(0)
  expect((await emitter.post('/v1/spends/estimate', { unit: 'u', mechanism: 'no_op' })).status).toBe(401)
  expect((await run('token', 'revoke', 'nobody', '--data', data)).code).toBe(10)
})

test('an estimate is the same from the command line and over HTTP: of many budgets those that refuse come first', async () => {
  const service = await started()
  const terms = { epsilon: '1', delta: '0', neighboring: 'add_or_remove_one', window: 'lifetime', role: 'guarantee' }
  const policy = { id: 'person', scope: ['unit'], metric: 'pure', ...terms }
  expect((await (await service.as('operator')).post('/v1/policies', policy)).status).toBe(201)
  const emitter = service.client(await service.createToken('emitter', 'trainer'))
  const cost = { mechanism: 'declared_pure', epsilon: '0.6' }
  expect((await emitter.post('/v1/spends', { id: 's', unit: 'u-119', ...cost })).status).toBe(201)

  const spend = { units: Array.from({ length: 120 }, (_, index) => `u-${index}`), ...cost }
  const body = join(temporaryFolder(), 'spend.json')
  writeFileSync(body, JSON.stringify(spend))
  const shown = await run('estimate', '--data', service.data, '--source', 'trainer', body, '--json')
  expect(shown.code).toBe(3)
  expect(JSON.parse(shown.stdout)).toEqual((await emitter.post('/v1/spends/estimate', spend)).body)
  expect(JSON.parse(shown.stdout)).toMatchObject({ admitted: false, budgetCount: 120 })
  expect(JSON.parse(shown.stdout).budgets[0]).toMatchObject({ key: 'u-119', admitted: false })
  const words = await run('estimate', '--data', service.data, '--source', 'trainer', body)
  expect(words.stdout).toMatch(/^policy.*\nperson +u-119 +lifetime +refuses/)
})

test('after a stop nothing is left behind, and tokens are made on the directory itself', async () => {
  const service = await started()
  const { data } = service
  await service.stop()
  expect(existsSync(join(data, 'service.json'))).toBe(false)
  const made = await run('token', 'create', '--data', data, '--role', 'auditor', '--expires', '30')
  expect(made.code).toBe(0)
  const again = await service.restart()
  onTestFinished(() => again.remove())
  expect((await again.client(made.stdout.trim()).get('/v1/ledger')).status).toBe(200)
})

test('after a kill the file of the dead service misleads nobody', async () => {
  const service = await started()
  await service.kill()
  expect(existsSync(join(service.data, 'service.json'))).toBe(true)
  const list = await run('token', 'list', '--data', service.data, '--json')
  expect(JSON.parse(list.stdout).tokens).toHaveLength(2)
})

test('a damaged log is not served: exit code 20 names the first bad record', async () => {
  const service = await started()
  const { data } = service
  await service.stop()
  const file = new SqliteFile(join(data, 'ledger.db'), 1000)
  const [row] = file.prepare('SELECT number, bytes FROM blocks ORDER BY number').all([])
  const bytes = Buffer.from(row?.['bytes'] as ArrayBuffer)
  const second = bytes.indexOf(10) + 1
  bytes[second + 20] = (bytes[second + 20] ?? 0) ^ 1
  file.prepare('UPDATE blocks SET bytes = ? WHERE number = ?').run([bytes, row?.['number'] as number])
  file.close()
  // A start with the derived state at hand replays only what came after it.
  for (const name of ['state.db', 'state.db-wal', 'state.db-shm']) rmSync(join(data, name), { force: true })
  const result = await run('serve', '--data', data, '--port', '0')
  expect(result.code).toBe(20)
  expect(result.stderr).toContain('record 1')
  expect(JSON.parse((await run('verify', '--data', data, '--json')).stdout)).toMatchObject({ ok: false, seq: 1 })
})

test('a port that is taken is said, and the directory is free again', async () => {
  const service = await started()
  const port = new URL(service.url).port
  const other = join(temporaryFolder(), 'other')
  const result = await run('serve', '--data', other, '--port', port)
  expect(result.code).toBe(3)
  expect(result.stderr).toMatch(/^CANNOT_LISTEN: /m)
  expect((await run('token', 'list', '--data', other)).code).toBe(0)
  expect(readFileSync(join(other, 'operator.token'), 'utf8')).toMatch(/^[\w-]{43}\n$/)
})

test('once the first tokens are handed out, the token commands take each one from its own file', async () => {
  const service = await started()
  const { data } = service
  const home = temporaryFolder()
  for (const name of ['operator.token', 'approver.token']) renameSync(join(data, name), join(home, name))
  const none = await run('token', 'list', '--data', data)
  expect(none.code).toBe(12)
  expect(none.stderr).toMatch(/^TOKEN_MISSING: [\s\S]*--token-file FILE/)
  const operator = ['--data', data, '--token-file', join(home, 'operator.token')]
  const approver = ['--data', data, '--token-file', join(home, 'approver.token')]
  expect((await run('token', 'create', '--role', 'emitter', ...operator)).code).toBe(0)
  expect((await run('token', 'create', '--role', 'approver', ...approver)).code).toBe(0)
  const wrong = await run('token', 'create', '--role', 'approver', ...operator)
  expect(wrong.code).toBe(12)
  expect(wrong.stderr).toMatch(/^FORBIDDEN: [\s\S]*operator\.token[\s\S]*an approver's token/)
  vi.stubEnv('EPSILON_TOKEN_FILE', join(home, 'operator.token'))
  onTestFinished(() => void vi.unstubAllEnvs())
  const list = await run('token', 'list', '--data', data, '--json')
  expect(JSON.parse(list.stdout).tokens).toHaveLength(4)
})

test('the last approver token is not revoked by accident, and a lost role comes back on the stopped directory', async () => {
  const service = await started()
  const { data } = service
  const tokens = JSON.parse((await run('token', 'list', '--data', data, '--json')).stdout).tokens
  const { id } = tokens.find(({ role }: { role: string }) => role === 'approver')
  const held = await run('token', 'revoke', id, '--data', data, '--json')
  expect(held.code).toBe(3)
  expect(JSON.parse(held.stdout)).toMatchObject({ code: 'LAST_TOKEN' })
  const done = await run('token', 'revoke', id, '--data', data, '--yes', '--json')
  expect(done.code).toBe(0)
  expect(JSON.parse(done.stdout).warnings).toEqual([expect.stringContaining('the last valid approver token')])
  expect(done.stderr).toContain('the last valid approver token')
  const stuck = await run('token', 'create', '--role', 'approver', '--data', data)
  expect(stuck.code).toBe(12)
  expect(stuck.stderr).toContain('stop the service and run this again on the directory')
  await service.stop()
  expect((await run('token', 'create', '--role', 'approver', '--data', data)).code).toBe(0)
  const again = await run('token', 'revoke', id, '--data', data)
  expect(again.code).toBe(10)
  expect(again.stderr).toContain('is revoked already')
})

test('a client that hangs up in the middle of its body leaves nothing in the log', async () => {
  const service = await started()
  const authorization = `authorization: Bearer ${await service.createToken('emitter', 'trainer')}`
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1')
  socket.write(
    `POST /v1/spends HTTP/1.1\r\nhost: x\r\n${authorization}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"id":`,
  )
  await sleep(100)
  socket.destroy()
  await sleep(100)
  expect((await (await service.as('operator')).get('/v1/ledger')).status).toBe(200)
  expect(service.output).not.toMatch(/INTERNAL|"level"/)
})
