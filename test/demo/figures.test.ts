import fc from 'fast-check'
import { expect, test } from 'vitest'
import { capsFor } from '../../src/accounting/caps.js'
import { costOf } from '../../src/accounting/cost.js'
import { parseRelease } from '../../src/accounting/release.js'
import type { Cap, Row } from '../../src/accounting/units.js'
import { difference, exceeds, leftText, short } from '../../src/cli/demo/amounts.js'
import { CAPS, CENSUS } from '../../src/cli/demo/census.js'
import { bodyOf, DEPLOYMENTS } from '../../src/cli/demo/deployments.js'
import { PLAYS } from '../../src/cli/demo/play-deployments.js'
import { TF_EPOCH, TF_RUN } from '../../src/cli/demo/plays/trainings.js'
import { EPOCHS, STEPS } from '../../src/cli/demo/training.js'

const planned = parseRelease(TF_RUN, 'add_or_remove_one')

const rhoCap = (epsilon: string, delta = '1e-10'): Cap | undefined =>
  capsFor({ metric: 'zcdp', epsilon, delta }).caps.rho

test('every deployment of the data file is played', () => {
  const played = new Set([...PLAYS.map(({ id }) => id), 'census-pl94'])
  expect(DEPLOYMENTS.map(({ id }) => id).filter((id) => !played.has(id))).toEqual([])
  expect(played.size).toBe(DEPLOYMENTS.length)
})

test('no two plays share a policy, and each spend names a data set that one covers', () => {
  const policies = PLAYS.flatMap(({ policies }) => policies.map(({ id }) => id))
  expect(new Set(policies).size).toBe(policies.length)
  for (const { asks } of PLAYS) {
    for (const { kind, body } of asks) if (kind !== 'settle') expect(policies).toContain(body['dataset'])
  }
})

test('the six parts of google-mobility add up to exactly 2.64', () => {
  const release = parseRelease(bodyOf('google-mobility'), 'add_or_remove_one')
  expect(costOf(release, 'eps')).toBe(2_640_000_000_000_000n)
})

test('the 65 census queries add up to 28 units more than the exact total, since each is rounded up', () => {
  const costs = CENSUS.spends.map(({ rho }) => {
    const cost = costOf(parseRelease({ mechanism: 'declared_zcdp', rho }, 'replace_one'), 'rho')
    return cost === 'INF' ? 0n : cost
  })
  const sum = costs.reduce((one, other) => one + other)
  expect([sum, sum - BigInt(CENSUS.capUnits)]).toEqual([2_556_225_581_051_358n, 28n])
  for (const { epsilon, accepted } of CAPS) {
    const cap = rhoCap(epsilon) as bigint
    expect(accepted === 65).toBe(sum <= cap)
    expect(sum - (costs.at(-1) ?? 0n)).toBeLessThanOrEqual(cap)
  }
})

test('the cap that the demo calls exact is the floor of the exact total', () => {
  const [num = 0n, den = 1n] = CENSUS.rho.split('/').map(BigInt)
  expect((10n ** 15n * num) / den).toBe(BigInt(CENSUS.capUnits))
  expect(rhoCap(CAPS[1].epsilon)).toBe(BigInt(CENSUS.capUnits))
})

test('the training holds the epochs and the steps that exact costs give', () => {
  const { caps, or } = capsFor({ metric: 'rdp', epsilon: '3.01', delta: '1e-5', plannedFor: planned })
  const [row] = or as [Row]
  const epoch = costOf(parseRelease(TF_EPOCH, 'add_or_remove_one'), row) as bigint
  const left = (caps[row] as bigint) - BigInt(EPOCHS) * epoch
  const steps = (count: number) =>
    costOf(parseRelease({ ...TF_EPOCH, count: String(count) }, 'add_or_remove_one'), row) as bigint
  expect(epoch > left).toBe(true)
  expect(steps(STEPS) <= left).toBe(true)
  expect(steps(STEPS + 1) > left).toBe(true)
})

test.each([
  ['gboard-es', '8.92', '8.93', 810_000_000_000_000n],
  ['census-detailed', '94', '95', 37_566_000_000_000_000n],
  ['census-detailed:joined', '16', '17', 2_515_000_000_000_000n],
])('the policy of %s has the smallest ε of its kind whose cap holds the published ρ', (id, below, epsilon, rho) => {
  const policy = PLAYS.flatMap(({ policies }) => policies).find((one) => one.id === id)
  expect(policy?.epsilon).toBe(epsilon)
  expect((rhoCap(below) as bigint) < rho).toBe(true)
  expect((rhoCap(epsilon) as bigint) >= rho).toBe(true)
})

const decimal = fc
  .tuple(fc.bigInt(0n, 10n ** 6n), fc.bigInt(0n, 10n ** 18n - 1n))
  .map(([whole, part]) => difference(`${whole}.${String(part).padStart(18, '0')}`, '0'))

test('an amount is never shown as more than it is', () => {
  fc.assert(
    fc.property(decimal, (amount) => {
      const shown = short(amount).replace('…', '')
      expect(exceeds(plain(shown), amount)).toBe(false)
      if (!short(amount).includes('…')) expect(plain(shown)).toBe(amount)
    }),
  )
})

/** `1.1e-10` without its exponent. */
const plain = (shown: string): string => {
  const [mantissa = '', exponent] = shown.split('e-')
  if (exponent === undefined) return mantissa
  const digits = mantissa.replace('.', '')
  return `0.${'0'.repeat(Number(exponent) - 1)}${digits}`
}

test('a quota that was passed says by how much', () => {
  const standing = { spent: { epsilon: '12' }, reserved: {}, cap: { epsilon: '8' }, remaining: { epsilon: '0' } }
  expect(leftText(standing)).toBe('ε 4 beyond')
})
