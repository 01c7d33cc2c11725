import { expect, test } from 'vitest'
import { costsOf } from '../../src/accounting/cost.js'
import { CATALOGUE } from '../../src/accounting/orders.js'
import { parseRelease } from '../../src/accounting/release.js'
import { type Row, rdpRow } from '../../src/accounting/units.js'

/** Reported, not asserted: how long costs take depends on the machine. That they are finished at all is the test. */
const ROWS: readonly Row[] = ['eps', 'delta', 'rho', ...CATALOGUE.map(rdpRow)]

test('250 different training steps over the whole catalogue', () => {
  const releases = Array.from({ length: 250 }, (_, index) =>
    parseRelease(
      {
        mechanism: 'gaussian',
        noiseMultiplier: `${index + 1_000}/997`,
        sampling: { method: 'poisson', probability: `${index + 1}/100003` },
        count: index + 1,
      },
      'add_or_remove_one',
    ),
  )
  const took = releases.map((release) => millisecondsOf(() => costsOf(release, ROWS)))
  report('250 different sampled Gaussians, 21 orders', took)
  expect(took).toHaveLength(250)
})

test('the costliest inputs that are accepted', () => {
  const opacusHistory = Array.from({ length: 1_000 }, (_, index) => [1 + (index % 16) / 997, 0.01, index + 1])
  const history = parseRelease({ opacusHistory }, 'add_or_remove_one')
  const highest = Array.from({ length: 64 }, (_, index) => rdpRow(1_024 - index))
  const one = parseRelease(
    { mechanism: 'gaussian', noiseMultiplier: '30.01', sampling: { method: 'poisson', probability: '0.001' } },
    'add_or_remove_one',
  )
  report('1,000 parts of 16 sampled Gaussians, 21 orders', [millisecondsOf(() => costsOf(history, ROWS))])
  report('one sampled Gaussian, the 64 highest orders', [millisecondsOf(() => costsOf(one, highest))])
  const awkward = ['1e-30', '1e30', `0.${'1'.repeat(60)}`, '123456789012345678901234567890/7'].map((noiseMultiplier) =>
    parseRelease(
      {
        mechanism: 'gaussian',
        noiseMultiplier,
        sampling: { method: 'poisson', probability: '1e-30' },
        count: 10 ** 12,
      },
      'add_or_remove_one',
    ),
  )
  report(
    'extreme parameters, 21 orders',
    awkward.map((release) => millisecondsOf(() => costsOf(release, ROWS))),
  )
})

function millisecondsOf(action: () => unknown): number {
  const start = performance.now()
  action()
  return performance.now() - start
}

function report(name: string, took: readonly number[]): void {
  const sorted = took.toSorted((a, b) => a - b)
  const [median, worst] = [sorted[Math.floor(sorted.length / 2)]!, sorted.at(-1)!]
  console.info(`${name}: median ${median.toFixed(1)} ms, worst ${worst.toFixed(1)} ms`)
}
