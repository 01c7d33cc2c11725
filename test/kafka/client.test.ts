import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { KafkaClients } from '../../src/kafka/client.js'
import { clientLog } from '../../src/kafka/client-log.js'
import { type KafkaSettings, readKafkaSettings } from '../../src/kafka/settings.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'epsilon-kafka-client-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const settings = (more: Partial<KafkaSettings> = {}): KafkaSettings => ({
  ...(readKafkaSettings({}, '127.0.0.1:9') as KafkaSettings),
  ...more,
})

test('a topic is called by its prefix and its name', () => {
  expect(new KafkaClients(settings({ topicPrefix: 'team-a.' })).topic('dead-letter')).toBe('team-a.dead-letter')
})

test('a file that cannot be read is named, with the setting that names it', () => {
  const clients = new KafkaClients(settings({ tls: { caFile: join(folder, 'none.pem') } }))
  expect(() => clients.admin()).toThrow(
    expect.objectContaining({ code: 'KAFKA_FILE_UNREADABLE', hint: expect.stringContaining('EPSILON_KAFKA_TLS_CA') }),
  )
})

test('an outage is told as it is: which brokers, and nothing of the password', async () => {
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, 'hunter2-secret\n')
  const lines: string[] = []
  const sasl = { mechanism: 'scram-sha-512', username: 'ledger', passwordFile } as const
  const admin = new KafkaClients(settings({ sasl }), (line) => lines.push(line)).admin()
  await expect(admin.connect()).rejects.toThrow()
  expect(lines.length).toBeGreaterThan(0)
  expect(lines.join('')).not.toContain('hunter2')
  for (const line of lines) {
    expect(line).toMatch(/^\{.*\}\n$/)
    expect(JSON.parse(line)).toMatchObject({ level: 'error', context: expect.stringContaining('kafkajs') })
  }
})

test('what the client library says again within a minute is left out', () => {
  const lines: string[] = []
  let now = 0
  const log = clientLog(
    (line) => lines.push(line),
    () => now,
  )
  const entry = (message: string) => ({
    namespace: 'Connection',
    level: 1,
    label: 'ERROR',
    log: { timestamp: '2026-01-01T00:00:00.000Z', logger: 'kafkajs', message, broker: 'b:1', sasl: { password: 'p' } },
  })
  log(entry('Connection refused'))
  log(entry('Connection refused'))
  log(entry('another'))
  now = 60_000
  log(entry('Connection refused'))
  expect(lines.map((line) => JSON.parse(line).message)).toEqual(['Connection refused', 'another', 'Connection refused'])
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    at: '2026-01-01T00:00:00.000Z',
    level: 'error',
    context: 'kafkajs Connection',
    message: 'Connection refused',
    broker: 'b:1',
  })
})
