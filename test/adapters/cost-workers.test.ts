import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { costOf } from '../../src/accounting/cost.js'
import { CATALOGUE } from '../../src/accounting/orders.js'
import { parseRelease, type Release, withCount } from '../../src/accounting/release.js'
import { type Row, rdpRow } from '../../src/accounting/units.js'
import { CostWorkers, type CostWorkersOptions } from '../../src/adapters/cost-workers.js'
import { exactCosts } from '../../src/budget/costs.js'

const ROWS: readonly Row[] = ['eps', 'delta', 'rho', 'rdp:inf', ...CATALOGUE.map((order) => rdpRow(order))]
const LONG_ROWS: readonly Row[] = Array.from({ length: 64 }, (_, index) => rdpRow(1024 - index))

const release = (body: object): Release => parseRelease(body, 'add_or_remove_one')
const gaussian = (noiseMultiplier: string, count = 1): object => ({
  mechanism: 'gaussian',
  noiseMultiplier,
  sampling: { method: 'poisson', probability: '0.01' },
  count,
})
const training = (noiseMultiplier: string, count = 1): Release => release(gaussian(noiseMultiplier, count))
const laplace = (noiseMultiplier: string): Release => release({ mechanism: 'laplace', noiseMultiplier })

let built = ''
let script: URL

// The threads run compiled code: this compiles the sources as they are now, whatever was built before.
beforeAll(() => {
  built = mkdtempSync(join(tmpdir(), 'cost-worker-'))
  const sources = fileURLToPath(new URL('../../src/', import.meta.url))
  const files = readdirSync(join(sources, 'accounting'), { recursive: true, encoding: 'utf8' })
  for (const file of [...files.map((name) => join('accounting', name)), 'adapters/cost-worker.ts']) {
    if (!file.endsWith('.ts')) continue
    const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true }
    const { outputText } = ts.transpileModule(readFileSync(join(sources, file), 'utf8'), { compilerOptions: options })
    mkdirSync(join(built, dirname(file)), { recursive: true })
    writeFileSync(join(built, file.replace(/ts$/, 'js')), outputText)
  }
  writeFileSync(join(built, 'package.json'), '{"type":"module"}')
  script = pathToFileURL(join(built, 'adapters/cost-worker.js'))
})

afterAll(() => rmSync(built, { recursive: true, force: true }))

const withWorkers = async (
  options: Partial<CostWorkersOptions>,
  body: (workers: CostWorkers) => Promise<void>,
): Promise<void> => {
  const workers = new CostWorkers({ threads: 1, cacheEntries: 10_000, script, ...options })
  try {
    await body(workers)
  } finally {
    await workers.close()
  }
}

for (const [where, inPlace] of [
  ['on threads', false],
  ['in place', true],
] as const) {
  const place = () => (inPlace ? { script: null } : {})

  describe(`costs worked out ${where}`, () => {
    test('are the exact costs', async () => {
      await withWorkers(place(), async (workers) => {
        const bodies = [training('1.1', 14_063), laplace('3'), release({ parts: [{ mechanism: 'no_op' }] })]
        const several = {
          parts: [1, 2, 3].map((part) => ({ mechanism: 'exponential', epsilon: `0.${part}`, count: part })),
        }
        for (const one of [...bodies, release(several)]) {
          const exact = exactCosts(one, ROWS)
          expect(await workers.costs(one, ROWS)).toEqual(exact)
          expect(workers.cached(one, ROWS)).toEqual(exact)
        }
      })
    })
  })
}

test('a price is worked out once, whatever the counts that need it', async () => {
  await withWorkers({}, async (workers) => {
    expect(workers.cached(training('1.1'), ROWS)).toBeUndefined()
    await workers.costs(training('1.1'), ROWS)
    for (const count of [2, 1_000, 999_999_937, 10 ** 12]) {
      const costs = workers.cached(training('1.1', count), ROWS)
      for (const row of ROWS) expect(costs?.cost.get(row), row).toBe(costOf(training('1.1', count), row))
    }
    expect(workers.cached(training('1.1'), ['rdp:99'])).toBeUndefined()
  })
})

test('fractions are known without asking anybody', async () => {
  await withWorkers({}, async (workers) => {
    expect(workers.cached(release({ mechanism: 'gaussian', noiseMultiplier: '3' }), ROWS)).toBeDefined()
    expect(workers.cached(laplace('7'), ['eps', 'delta'])?.cost.get('eps')).toBe(142_857_142_857_143n)
  })
})

test('no more is remembered than was asked for, and what was used last stays', async () => {
  await withWorkers({ cacheEntries: 2 * ROWS.length }, async (workers) => {
    for (const noise of ['1.1', '1.2']) await workers.costs(training(noise), ROWS)
    expect(workers.cached(training('1.1'), ROWS)).toBeDefined()
    await workers.costs(training('1.3'), ROWS)
    expect(workers.cached(training('1.1'), ROWS)).toBeDefined()
    expect(workers.cached(training('1.2'), ROWS)).toBeUndefined()
  })
  await withWorkers({ cacheEntries: 0 }, async (workers) => {
    expect((await workers.costs(training('1.1'), ROWS)).cost.size).toBe(ROWS.length)
    expect(workers.cached(training('1.1'), ROWS)).toBeUndefined()
  })
})

test('many askers of the same costs are one task', async () => {
  await withWorkers({ waiting: 1 }, async (workers) => {
    const first = workers.costs(training('1.1'), ROWS)
    const others = Array.from({ length: 50 }, (_, index) => workers.costs(training('1.1', index + 1), ROWS))
    expect((await first).cost).toEqual((await others[0]!).cost)
    await Promise.all(others)
  })
})

test('beyond the limit callers are told to come back, and nobody else is harmed', async () => {
  await withWorkers({ waiting: 5 }, async (workers) => {
    const asked = Array.from({ length: 20 }, (_, index) => workers.costs(training(`1.${index + 11}`), ROWS))
    const answers = await Promise.allSettled(asked)
    const refused = answers.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
    expect(refused).toHaveLength(14)
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'BUSY', retry: 'now' })
    expect((await workers.costs(training('1.99'), ROWS)).cost.size).toBe(ROWS.length)
  })
})

test('a short task overtakes the long ones that wait', async () => {
  await withWorkers({}, async (workers) => {
    const done: string[] = []
    const long = Array.from({ length: 6 }, (_, index) =>
      workers.costs(training(`30.${index + 1}`), LONG_ROWS).then(() => done.push('long')),
    )
    const short = workers.costs(training('1.1'), ['rdp:64']).then(() => done.push('short'))
    await Promise.all([short, ...long])
    expect(done.indexOf('short')).toBeLessThanOrEqual(1)
  })
})

test('a long task is overtaken by a few short ones only', async () => {
  await withWorkers({}, async (workers) => {
    const done: string[] = []
    const short = (index: number) =>
      workers.costs(training(`1.${index + 11}`), ['rdp:64']).then(() => done.push('short'))
    const first = short(0)
    const long = workers.costs(training('30'), LONG_ROWS).then(() => done.push('long'))
    await Promise.all([first, long, ...Array.from({ length: 20 }, (_, index) => short(index + 1))])
    expect(done.indexOf('long')).toBeLessThanOrEqual(5)
  })
})

test('a release of many parts does not stand before others with all of them', async () => {
  await withWorkers({}, async (workers) => {
    const done: string[] = []
    const parts = Array.from({ length: 16 }, (_, index) => gaussian(`1.${index + 11}`))
    const many = workers.costs(release({ parts }), ROWS).then(() => done.push('many'))
    const one = workers.costs(training('2.5'), ROWS).then(() => done.push('one'))
    await Promise.all([many, one])
    expect(done).toEqual(['one', 'many'])
  })
})

test('a row that its price does not tell is worked out on a thread, each time', async () => {
  await withWorkers({}, async (workers) => {
    // ρ = ε + e^-ε - 1 with ε = 100 lies above 99 by less than any price is narrow.
    const one = laplace('1/100')
    for (const _ of [1, 2]) {
      expect(workers.cached(one, ['rho', 'eps'])).toBeUndefined()
      const { cost } = await workers.costs(one, ['rho', 'eps'])
      expect([cost.get('rho'), cost.get('eps')]).toEqual([99n * 10n ** 15n + 1n, 100n * 10n ** 15n])
    }
    expect(workers.cached(one, ['eps', 'rdp:8'])?.cost.get('rdp:8')).toBe(costOf(one, 'rdp:8'))
  })
})

test('many fractions are not worked out at once, where one is', async () => {
  await withWorkers({}, async (workers) => {
    const many = release({
      parts: Array.from({ length: 40 }, (_, index) => ({ mechanism: 'gaussian', noiseMultiplier: index + 1 })),
    })
    expect(workers.cached(many, ROWS)).toBeUndefined()
    expect(await workers.costs(many, ROWS)).toEqual(exactCosts(many, ROWS))
    expect(workers.cached(many, ROWS)).toEqual(exactCosts(many, ROWS))
  })
})

test('closing refuses what still waits', async () => {
  const workers = new CostWorkers({ threads: 1, cacheEntries: 10, script })
  const asked = [1, 2, 3].map((index) => workers.costs(training(`1.${index}`), ROWS))
  const settled = Promise.allSettled(asked)
  await workers.close()
  for (const answer of await settled) {
    expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'SHUTTING_DOWN' } })
  }
  await expect(workers.costs(training('1.4'), ROWS)).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
})

test('a thread that dies fails its task and is replaced', async () => {
  await withWorkers({}, async (workers) => {
    // No release can look like this: it makes the thread throw.
    const broken = { ...training('1.1'), parts: [{ mechanism: { kind: 'laplace' }, text: 'broken', count: 1n }] }
    const rows = Array.from({ length: 10 }, (_, index) => rdpRow(index + 2))
    await expect(workers.costs(broken as unknown as Release, rows)).rejects.toMatchObject({
      code: 'COST_WORKER_FAILED',
    })
    expect((await workers.costs(training('1.1'), ROWS)).cost.get('rdp:2')).toBe(costOf(training('1.1'), 'rdp:2'))
  })
})

test('whole repetitions of a composition cost what its prices say', async () => {
  await withWorkers({}, async (workers) => {
    const both = release({
      parts: [
        { mechanism: 'laplace', noiseMultiplier: '3', count: 2 },
        { mechanism: 'laplace', noiseMultiplier: '7' },
      ],
    })
    const costs = await workers.costs(withCount(both, 3n), ROWS)
    for (const row of ROWS) expect(costs.cost.get(row), row).toBe(costOf(withCount(both, 3n), row))
  })
})
