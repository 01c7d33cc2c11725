import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../support/free-port.js'
import { kafkaDistribution } from '../../support/kafka-distribution.js'
import { MissingPart } from '../../support/missing-part.js'
import { Service } from '../../support/service.js'

const checkout = mkdtempSync(join(tmpdir(), 'epsilon-ledger-readme-'))
let missing: MissingPart | undefined

beforeAll(async () => {
  try {
    await kafkaDistribution()
  } catch (error) {
    if (!(error instanceof MissingPart) || process.env['REQUIRE_ALL'] === '1') throw error
    missing = error
  }
  for (const name of ['node_modules', 'dist', 'test', 'docs', 'package.json'])
    symlinkSync(resolve(name), join(checkout, name))
  cpSync('docker', join(checkout, 'docker'), { recursive: true })
  mkdirSync(join(checkout, '.cache'))
})

afterAll(() => rmSync(checkout, { recursive: true, force: true }))

/** The shell blocks of a section of the README, as they are printed. */
const blocksOf = (heading: string): string => {
  const [, section = ''] = readFileSync('README.md', 'utf8').split(`\n## ${heading}\n`)
  const [own = ''] = section.split('\n## ')
  return [...own.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block).join('\n')
}

/** Other ports than the README's, which may be in use here. */
const elsewhere = async (): Promise<(text: string) => string> => {
  const [broker, controller, http] = [await freePort(), await freePort(), await freePort()]
  return (text) =>
    text
      .replaceAll('9092', String(broker))
      .replaceAll('9093', String(controller))
      .replaceAll('serve --data', `serve --port ${http} --data`)
}

/** Runs a script to its end, and ends everything that it has left running. */
const bash = (script: string): Promise<{ readonly code: number | null; readonly output: string }> =>
  new Promise((done) => {
    const child = spawn('bash', ['-c', `set -e\ntrap 'kill $(jobs -p); wait' EXIT\n${script}`], { cwd: checkout })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('close', (code) => done({ code, output }))
  })

test('the section on Kafka works as it is printed', async ({ skip }) => {
  if (missing !== undefined) skip(missing.message)
  const service = await Service.start({ data: join(checkout, 'data') })
  const policy = { id: 'per-person', scope: ['unit'], metric: 'zcdp', epsilon: '1', delta: '1e-6' }
  const rest = { neighboring: 'add_or_remove_one', window: 'lifetime', role: 'guarantee' }
  await (await service.as('operator')).post('/v1/policies', { ...policy, ...rest })
  await service.stop()
  const moved = await elsewhere()
  const properties = join(checkout, 'docker/broker.properties')
  writeFileSync(properties, moved(readFileSync(properties, 'utf8')))
  const { code, output } = await bash(moved(blocksOf('With Kafka')))
  expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('made epsilon.spends') })
  expect(output).toMatch(/\{"id":"weekly-42","decision":"accepted","result":\d+\}/)
})
