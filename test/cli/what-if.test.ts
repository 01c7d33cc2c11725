import { expect, test } from 'vitest'
import { command } from './in-process.js'

interface Shown {
  readonly epsilonWhatIf: string
  readonly delta: string
  readonly row: string | null
  readonly guarantee: boolean
}

const whatIf = async (...args: string[]): Promise<Shown> => {
  const { code, stdout, stderr } = await command('what-if', ...args, '--json')
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout) as Shown
}

interface Caps {
  readonly rho?: string
  readonly rdp?: Readonly<Record<string, string>>
}

const capsOf = async (...args: string[]): Promise<Caps> =>
  JSON.parse((await command('cap', ...args, '--json')).stdout) as Caps

/** Units of 10⁻¹⁵ as a decimal, and back. */
const decimal = (units: string): string => `${units.slice(0, -15) || '0'}.${units.slice(-15).padStart(15, '0')}`
const femto = (text: string): bigint => {
  const [whole = '', fraction = ''] = text.split('.')
  return BigInt(whole + fraction.padEnd(15, '0'))
}

test.each([
  ['1', '1e-6'],
  ['0.25', '1e-5'],
  ['8', '1e-9'],
])('a zcdp budget that is spent out means nearly its ε %s at δ %s, and never more', async (epsilon, delta) => {
  const { rho = '' } = await capsOf('--metric', 'zcdp', '--epsilon', epsilon, '--delta', delta)
  const shown = await whatIf('--rho', decimal(rho), '--delta', delta)
  expect(shown).toMatchObject({ row: 'rho', guarantee: false })
  expect(femto(shown.epsilonWhatIf)).toBeLessThanOrEqual(femto(epsilon))
  expect(femto(shown.epsilonWhatIf) * 1000n).toBeGreaterThan(femto(epsilon) * 998n)
})

test('an order at its cap means exactly its ε, and of several orders the best one counts', async () => {
  const delta = '1e-6'
  for (const order of ['3', '8', '64', '1024']) {
    const { rdp = {} } = await capsOf('--metric', 'rdp', '--epsilon', '30', '--delta', delta, '--orders', order)
    const sum = decimal(rdp[order] ?? '')
    expect(await whatIf('--rdp', `${order}:${sum}`, '--delta', delta)).toMatchObject({ epsilonWhatIf: '30' })
    const more = await whatIf('--rdp', `${order}:${decimal(String(BigInt(rdp[order] ?? '') + 2n))}`, '--delta', delta)
    expect(femto(more.epsilonWhatIf) - femto('30')).toBeGreaterThan(0n)
    const best = await whatIf('--rdp', `2:4000,${order}:${sum},inf:INF`, '--delta', delta)
    expect(best).toMatchObject({ epsilonWhatIf: '30', row: `rdp:${order}` })
  }
  expect(await whatIf('--rdp', '8:5,inf:0.5', '--delta', '0')).toMatchObject({ epsilonWhatIf: '0.5', row: 'rdp:inf' })
})

test('what was charged without end means no ε at all', async () => {
  expect(await whatIf('--rho', 'INF', '--delta', '1e-6')).toMatchObject({ epsilonWhatIf: 'INF', row: null })
  expect(await whatIf('--rho', '0.1', '--delta', '0')).toMatchObject({ epsilonWhatIf: 'INF', row: null })
  expect(await whatIf('--rho', '0', '--delta', '1e-6')).toMatchObject({ epsilonWhatIf: '0' })
})

test('it never says its figure without saying what it is worth', async () => {
  const { stdout } = await command('what-if', '--rho', '0.01', '--delta', '1e-6')
  expect(stdout).toBe(
    'epsilon 0.621692654559603 at delta 0.000001, by row rho\nif all costs had been fixed in advance. This is no guarantee: that is the epsilon and delta of the policy.\n',
  )
})

test.each([
  [['--delta', '1e-6'], 'give either --rho or --rdp'],
  [['--delta', '1e-6', '--rho', '1', '--rdp', '8:1'], 'give either --rho or --rdp'],
  [['--rho', '1'], '--delta is missing'],
  [['--delta', '1', '--rho', '1'], '/delta: must be below 1'],
  [['--delta', '1e-40', '--rho', '1'], '/delta'],
  [['--delta=-1', '--rho', '1'], 'is negative'],
  [['--delta', '1e-6', '--rho', 'x'], '/rho'],
  [['--delta', '1e-6', '--rho', '9224'], '/rho: must be below 9223'],
  [['--delta', '1e-6', '--rdp', '8'], '--rdp takes ORDER:SUM'],
  [['--delta', '1e-6', '--rdp', '8:1:2'], '--rdp takes ORDER:SUM'],
  [['--delta', '1e-6', '--rdp', '1:1'], '/rdp'],
  [['--delta', '1e-6', '--rdp', '8:1,8:2'], '--rdp names order 8 twice'],
])('%j is wrong use, and says why', async (args, why) => {
  const { code, stdout, stderr } = await command('what-if', ...args)
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toContain(why)
})
