import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { run as cap } from '../../src/cli/cap.js'
import { run as cost } from '../../src/cli/cost.js'
import type { Io, Run } from '../../src/cli/io.js'
import { VECTORS } from '../accounting/vectors.js'

interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function say(verb: Run, args: readonly string[], stdin: readonly (string | Buffer)[] = []): Promise<Said> {
  const written = { out: '', err: '' }
  const into = (name: 'out' | 'err') =>
    new Writable({
      highWaterMark: 16,
      write(chunk, _encoding, done) {
        written[name] += String(chunk)
        setImmediate(done)
      },
    })
  const io: Io = { stdin: Readable.from(stdin), stdout: into('out'), stderr: into('err') }
  const code = await verb(args, io)
  return { code, ...written }
}

const lines = (said: Said): Record<string, unknown>[] =>
  said.out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

const gaussian = '{"mechanism":"gaussian","noiseMultiplier":"2"}'

test('every line gets one line: the costs as integers, or what is wrong with it', async () => {
  const said = await say(
    cost,
    ['--orders', '2,8,inf'],
    [
      `${gaussian}\n\n{"mechanism":"no_op","unit":"u","id":"1"}\n{"mechanism":"non_private"}\n{"mechanism":"magic"}\n`,
      '{"mechanism":"laplace","noiseMultiplier":"NaN"}\nnot json\n[]\n',
      '{"mechanism":"randomized_response","noiseParameter":1,"numBuckets":3,"neighboring":"replace_one"}',
    ],
  )
  expect(said.code).toBe(0)
  const answers = lines(said)
  expect(answers.slice(0, 2)).toEqual([
    {
      pure: 'INF',
      rho: '125000000000000',
      mu2: '250000000000000',
      delta: '0',
      rdp: { '2': '250000000000000', '8': '1000000000000000', inf: 'INF' },
    },
    { pure: '0', rho: '0', mu2: '0', delta: '0', rdp: { '2': '0', '8': '0', inf: '0' } },
  ])
  const codes = ['COST_INFINITE', 'UNSUPPORTED_MECHANISM', 'INVALID_NUMBER', 'INVALID', 'INVALID', undefined]
  expect(answers.slice(2).map(({ error }) => error)).toEqual(codes)
  expect(answers.slice(2, -1).every(({ detail }) => typeof detail === 'string')).toBe(true)
})

test('without --orders the catalogue and inf are shown', async () => {
  const [answer] = lines(await say(cost, [], [gaussian]))
  expect(Object.keys(answer?.rdp as object)).toHaveLength(22)
})

test('input may be cut anywhere, and separators inside strings end no line', async () => {
  const bytes = Buffer.from(`{"mechanism":"no_op","purpose":"é\u2028é"}\n${gaussian}\n`)
  const pieces = Array.from({ length: bytes.length }, (_, index) => bytes.subarray(index, index + 1))
  const answers = lines(await say(cost, ['-'], pieces))
  expect(answers.map(({ rho }) => rho)).toEqual(['0', '125000000000000'])
})

test('a file is read as well, and one that is not there is said so', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cost-'))
  try {
    writeFileSync(join(folder, 'bodies'), `${gaussian}\n`.repeat(500))
    expect(lines(await say(cost, [join(folder, 'bodies'), '--json']))).toHaveLength(500)
    await expect(say(cost, [join(folder, 'none')])).rejects.toMatchObject({ code: 'FILE_MISSING', exitCode: 10 })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('wrong use exits with 2', async () => {
  for (const args of [['--orders', '1'], ['--orders', '2.5'], ['--orders', ''], ['a', 'b'], ['--what']]) {
    await expect(say(cost, args), args.join(' ')).rejects.toMatchObject({ code: 'USAGE', exitCode: 2 })
  }
  for (const args of [
    [],
    ['--metric', 'gdp', '--epsilon', '1', '--delta', '1e-6'],
    ['--metric', 'zcdp', '--epsilon', '1'],
    ['--metric', 'rdp', '--epsilon', '1', '--delta', '1e-6', '--orders', '8:1e-6:2'],
  ]) {
    await expect(say(cap, args), args.join(' ')).rejects.toMatchObject({ code: 'USAGE', exitCode: 2 })
  }
})

test('the vectors with an input of their own cost on the command line what they should', async () => {
  const bodies = VECTORS.filter(({ inputs, expected }) => 'rdpUnits' in expected && 'mechanism' in inputs)
  const input = bodies.map(({ inputs: { orders: _, ...body } }) => `${JSON.stringify(body)}\n`)
  const orders = [...new Set(bodies.flatMap(({ inputs }) => inputs.orders as number[]))].join()
  const answers = lines(await say(cost, ['--orders', orders], input))
  for (const [index, { name, expected }] of bodies.entries()) {
    expect(answers[index]?.rdp, name).toMatchObject(expected.rdpUnits as object)
  }
})

test('caps come under the names of the costs', async () => {
  const capOf = async (...args: string[]) => JSON.parse((await say(cap, args)).out)
  expect(await capOf('--metric', 'pure', '--epsilon', '0.3')).toMatchObject({ pure: '300000000000000', delta: '0' })
  expect(await capOf('--metric', 'approx', '--epsilon', '1', '--delta', '1e-6')).toMatchObject({
    pure: '1000000000000000',
    delta: '1000000000000',
  })
  expect(
    await capOf(
      '--metric',
      'zcdp',
      '--epsilon',
      '1',
      '--delta',
      '1e-6',
      '--delta-for-spends',
      '1e-7',
      '--alpha-star',
      '24',
    ),
  ).toMatchObject({ rho: '23978358493402', delta: '100000000000', alphaStar: '24' })
  const rdp = ['--metric', 'rdp', '--epsilon', '1', '--delta', '2e-6']
  expect(await capOf(...rdp, '--orders', '8:1e-6,64:1e-6')).toMatchObject({
    delta: '0',
    rdp: { 8: 'DEAD', 64: '862468555783939' },
  })
  expect(await capOf(...rdp, '--orders', 'inf,64')).toMatchObject({ rdp: { inf: '1000000000000000' } })
  expect((await say(cap, [...rdp, '--json'])).out.split('\n')).toHaveLength(2)
  await expect(say(cap, [...rdp, '--orders', '8:1e-6,64:2e-6'])).rejects.toMatchObject({ code: 'OUT_OF_RANGE' })
})
