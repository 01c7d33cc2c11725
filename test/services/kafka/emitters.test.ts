import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { KafkaBroker } from '../../support/kafka-broker.js'
import { type Python, pythonWith } from '../../support/python.js'
import { withServer } from '../with-server.js'
import { Stage, type StoredRecord } from './stage.js'

/** The examples of docs/emitting.md, each of which spends ε = 0.1 at a time. */
const broker = withServer(() => KafkaBroker.start())

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

type Command = readonly [program: string, ...args: string[]]

const typeScript: Command = [
  process.execPath,
  '--import',
  './test/support/typescript-hooks.mjs',
  'docs/examples/emit.ts',
]

let python: Python = { missing: 'not looked for' }
beforeAll(() => {
  python = pythonWith('docs/examples/requirements.txt')
  if ('missing' in python && process.env['REQUIRE_ALL'] === '1') throw new Error(python.missing)
})
const pythonCommand = (skip: (why: string) => void): Command => {
  if ('missing' in python) skip(python.missing)
  return ['path' in python ? python.path : '', 'docs/examples/emit.py']
}

const results = mkdtempSync(join(tmpdir(), 'epsilon-ledger-results-'))
afterAll(() => rmSync(results, { recursive: true }))

let stage: Stage
beforeEach(async () => {
  stage = await Stage.open(broker(), { epsilon: '0.25' })
})
afterEach(() => stage.close())

const emit = ([program, ...args]: Command, id: string, unit: string, deadlineSeconds = 60): Promise<Ended> => {
  const env = {
    ...process.env,
    BROKERS: broker().bootstrap,
    SOURCE: 'trainer',
    TOPIC_PREFIX: stage.clients.settings.topicPrefix,
    RESULTS: results,
    DEADLINE_S: String(deadlineSeconds),
  }
  return new Promise((resolve) => {
    execFile(program, [...args, id, unit, '1000'], { env }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    )
  })
}

const said = ({ code, stdout, stderr }: Ended): Record<string, unknown> => {
  if (code !== 0) throw new Error(`ended with ${code}:\n${stderr}`)
  return JSON.parse(stdout) as Record<string, unknown>
}
const resultOf = (id: string): string => join(results, `${id}.result`)
const recordsOf = async (id: string): Promise<readonly StoredRecord[]> =>
  (await stage.records()).filter(({ data }) => data.id === id)

describe.each([
  ['TypeScript', 'ts', () => typeScript],
  ['Python', 'py', pythonCommand],
] as const)('the emitter in %s', (_, short, commandOr) => {
  let command: Command
  beforeEach(({ skip }) => {
    command = commandOr(skip)
  })

  test('adds noise once its spend is accepted, and not when it is refused', async () => {
    const ids = [1, 2, 3].map((number) => `${short}-${number}`)
    const answers: Record<string, unknown>[] = []
    for (const id of ids) answers.push(said(await emit(command, id, 'u-17')))
    expect(answers.map(({ decision }) => decision)).toEqual(['accepted', 'accepted', 'refused'])
    for (const { result } of answers.slice(0, 2)) expect(Math.abs(Number(result) - 1_000)).toBeLessThan(1_000)
    expect(answers[2]).toMatchObject({
      code: 'BUDGET_EXHAUSTED',
      detail: expect.stringContaining('too little is left'),
    })
    expect(ids.map((id) => existsSync(resultOf(id)))).toEqual([true, true, false])
    const records = await recordsOf(`${short}-1`)
    expect(records).toMatchObject([{ type: 'SpendAccepted', cause: { kind: 'kafka' }, data: { source: 'trainer' } }])
  })

  test('gets its first answer again for the same id, and gives out the same result', async () => {
    const id = `${short}-again`
    const first = said(await emit(command, id, 'u-18'))
    expect(said(await emit(command, id, 'u-18'))).toEqual(first)
    expect(await recordsOf(id)).toHaveLength(1)
    const decisions = (await stage.messages('decisions')).filter(({ headers }) => headers['ce_subject'] === id)
    expect(decisions.map(({ headers }) => headers['epsilon_repeat'])).toEqual([undefined, 'true'])
    expect(new Set(decisions.map(({ headers }) => headers['ce_id'])).size).toBe(1)
  })

  test('is told what is wrong with a request that cannot be decided', async () => {
    const id = `${short}-invalid`
    expect(said(await emit(command, id, ''))).toMatchObject({ decision: 'invalid', code: 'INVALID' })
    expect(existsSync(resultOf(id))).toBe(false)
    expect(await recordsOf(id)).toMatchObject([{ type: 'RequestInvalid' }])
  })

  test('gives out nothing without a decision, and may ask again with the same id', async () => {
    const id = `${short}-late`
    await stage.service.stop()
    const { code, stdout, stderr } = await emit(command, id, 'u-19', 8)
    expect([code === 0, stdout]).toEqual([false, ''])
    expect(stderr).toContain('nothing may be released')
    expect(existsSync(resultOf(id))).toBe(false)
    // It was sent again while nobody answered.
    expect((await stage.messages('spends')).filter(({ headers }) => headers['ce_id'] === id).length).toBeGreaterThan(1)
    await stage.restart()
    expect(said(await emit(command, id, 'u-19'))).toMatchObject({ decision: 'accepted' })
    expect(await recordsOf(id)).toHaveLength(1)
  })
})

test('emitters in both languages send a unit to the same partition, and find its decisions in one', async ({
  skip,
}) => {
  for (const [short, command] of [
    ['ts', typeScript],
    ['py', pythonCommand(skip)],
  ] as const) {
    for (const unit of ['a', 'b', 'c', 'd']) await emit(command, `${short}-${unit}`, `unit-${unit}`)
  }
  const spends = await stage.messages('spends')
  const decisions = await stage.messages('decisions')
  expect(spends).toHaveLength(8)
  for (const messages of [spends, decisions]) {
    for (const unit of ['a', 'b', 'c', 'd']) {
      const partitions = messages.filter(({ key }) => key === `unit-${unit}`).map(({ partition }) => partition)
      expect([partitions.length, new Set(partitions).size]).toEqual([2, 1])
    }
  }
})
