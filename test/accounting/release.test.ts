import { describe, expect, test } from 'vitest'
import { costsOf } from '../../src/accounting/cost.js'
import { AccountingError } from '../../src/accounting/errors.js'
import { BODY_FIELDS, countOf, deltaOf, parseRelease, withCount } from '../../src/accounting/release.js'
import { RELATIONS, type Relation, type Row } from '../../src/accounting/units.js'

const A = 'add_or_remove_one'

const keyOf = (body: object, relation: Relation = A): string => parseRelease(body, relation).key

/** What a body is refused with, or `accepted`. */
function outcome(body: unknown, relation: Relation = A): string {
  try {
    parseRelease(body, relation)
  } catch (error) {
    if (error instanceof AccountingError) return `${error.code} ${error.pointer}`
    throw error
  }
  return 'accepted'
}

const poisson = (probability: unknown) => ({ method: 'poisson', probability })
const gaussian = { mechanism: 'gaussian', noiseMultiplier: '2' }
const pure = { mechanism: 'declared_pure', epsilon: '1' }

describe('the key', () => {
  test('is the same however the numbers are written', () => {
    const written = ['0.5', '1/2', 0.5, '0.50', '5e-1', '2/4']
    const keys = written.map((noiseMultiplier) => keyOf({ ...gaussian, noiseMultiplier, count: 1 }))
    expect(new Set(keys).size).toBe(1)
    expect(keyOf({ ...gaussian, noiseMultiplier: 0.5 })).toBe(keys[0])
    expect(keyOf({ noiseMultiplier: '0.5', count: '1', mechanism: 'gaussian' })).toBe(keys[0])
  })

  test('is the same for an event of dp_accounting and the mechanism it stands for', () => {
    const event = { class_name: 'GaussianDpEvent', module_name: 'dp_accounting.dp_event', noise_multiplier: 2.0 }
    const twice = { class_name: 'SelfComposedDpEvent', event, count: 3 }
    expect(keyOf({ dpEvent: twice })).toBe(keyOf({ ...gaussian, count: '3' }))
    expect(keyOf({ opacusHistory: [[2.0, 0.25, 7]] })).toBe(keyOf({ ...gaussian, sampling: poisson('1/4'), count: 7 }))
    expect(keyOf({ parts: [gaussian] })).toBe(keyOf(gaussian))
  })

  test('differs where the release differs', () => {
    const bodies = [
      gaussian,
      { ...gaussian, count: 2 },
      { ...gaussian, noiseMultiplier: '3' },
      { ...gaussian, sampling: poisson('0.5') },
      { mechanism: 'discrete_gaussian', sigma: '2', sensitivity: '1' },
      { parts: [gaussian, gaussian] },
      pure,
      { mechanism: 'exponential', epsilon: '1' },
      { mechanism: 'declared_rdp', curve: { 2: '1' } },
      { mechanism: 'declared_rdp', curve: { inf: '1' } },
    ]
    const keys = bodies.map((body) => keyOf(body))
    expect(new Set(keys).size).toBe(keys.length)
    expect(keyOf(gaussian, 'replace_one')).not.toBe(keyOf(gaussian))
  })
})

describe('what a body may be', () => {
  test('unknown fields are refused, whoever smuggles them in', () => {
    expect(outcome({ ...gaussian, noise: 1 })).toBe('INVALID /noise')
    expect(outcome({ ...gaussian, epsilon: '1' })).toBe('INVALID /epsilon')
    expect(outcome({ ...gaussian, sampling: { ...poisson('0.1'), shuffle: true } })).toBe('INVALID /sampling/shuffle')
    expect(outcome(JSON.parse('{"mechanism":"no_op","__proto__":{"count":5}}'))).toBe('INVALID /__proto__')
    expect(outcome(Object.create(gaussian))).toBe('INVALID ')
    expect(outcome({ dpEvent: { class_name: 'NoOpDpEvent', x: 1 } })).toBe('INVALID /dpEvent/x')
    expect(outcome({ parts: [gaussian, { ...pure, 'a/b~c': 1 }] })).toBe('INVALID /parts/1/a~1b~0c')
  })

  test('exactly one form, and an object', () => {
    for (const body of [null, 1, 'x', [], undefined]) expect(outcome(body)).toBe('INVALID ')
    expect(outcome({})).toBe('INVALID ')
    expect(outcome({ ...gaussian, parts: [gaussian] })).toBe('INVALID ')
    expect(outcome({ parts: [] })).toBe('INVALID /parts')
    expect(outcome({ parts: gaussian })).toBe('INVALID /parts')
    expect(outcome({ opacusHistory: [] })).toBe('INVALID /opacusHistory')
    expect(outcome({ opacusHistory: [[1, 2]] })).toBe('INVALID /opacusHistory/0')
    expect(outcome({ dpEvent: 7 })).toBe('INVALID /dpEvent')
    expect(outcome({ mechanism: 5 })).toBe('INVALID /mechanism')
    expect(outcome({ mechanism: 'laplace' })).toBe('INVALID ')
    expect(BODY_FIELDS).toContain('opacusHistory')
    expect(BODY_FIELDS).not.toContain('purpose')
  })

  test('parameters in their ranges', () => {
    expect(outcome({ mechanism: 'laplace', noiseMultiplier: '1e31' })).toBe('OUT_OF_RANGE /noiseMultiplier')
    expect(outcome({ mechanism: 'laplace', noiseMultiplier: '1e30' })).toBe('accepted')
    expect(outcome({ ...gaussian, noiseMultiplier: '1e-31' })).toBe('accepted')
    expect(outcome({ ...gaussian, noiseMultiplier: '1e-31', sampling: poisson('0.1') })).toBe('OUT_OF_RANGE /sampling')
    expect(outcome({ ...pure, epsilon: '0' })).toBe('accepted')
    expect(outcome({ mechanism: 'declared_approx', epsilon: '1', delta: '1' })).toBe('OUT_OF_RANGE /delta')
    expect(outcome({ mechanism: 'discrete_laplace', noiseParameter: '1', sensitivity: '1.5' })).toBe(
      'OUT_OF_RANGE /sensitivity',
    )
    expect(outcome({ mechanism: 'declared_rdp', curve: { 1: '1' } })).toBe('OUT_OF_RANGE /curve/1')
    expect(outcome({ mechanism: 'declared_rdp', curve: { '2': '1', '2.0': '1' } })).toBe('INVALID /curve')
    expect(outcome({ mechanism: 'declared_rdp', curve: {} })).toBe('INVALID /curve')
    for (const count of [0, '1000000000001', 1.5, -1]) {
      expect(outcome({ ...gaussian, count })).toBe('OUT_OF_RANGE /count')
    }
  })

  test('nesting and size are bounded', () => {
    const nested = (depth: number): object => (depth === 0 ? gaussian : { parts: [nested(depth - 1)] })
    expect(outcome(nested(16))).toBe('accepted')
    expect(outcome(nested(17))).toMatch(/^OUT_OF_RANGE/)
    const event = { class_name: 'GaussianDpEvent', noise_multiplier: 1 }
    const composed = (depth: number): object =>
      depth === 0 ? event : { class_name: 'ComposedDpEvent', events: [composed(depth - 1)] }
    expect(outcome({ dpEvent: composed(32) })).toBe('accepted')
    expect(outcome({ dpEvent: composed(33) })).toMatch(/^OUT_OF_RANGE/)
    expect(outcome({ parts: Array(1_000).fill(gaussian) })).toBe('accepted')
    expect(outcome({ parts: Array(1_001).fill(gaussian) })).toMatch(/^OUT_OF_RANGE/)
    const different = (count: number) => Array.from({ length: count }, (_, i) => ({ ...pure, epsilon: `${i + 1}/7` }))
    expect(outcome({ parts: [...different(64), ...different(64)] })).toBe('accepted')
    expect(outcome({ parts: different(65) })).toMatch(/^OUT_OF_RANGE/)
    const curve = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i + 2}`, '1']))
    expect(outcome({ mechanism: 'declared_rdp', curve: curve(1_024) })).toBe('accepted')
    expect(outcome({ mechanism: 'declared_rdp', curve: curve(1_025) })).toBe('OUT_OF_RANGE /curve')
    const huge = { class_name: 'SelfComposedDpEvent', event, count: 10_000_000 }
    expect(outcome({ dpEvent: { class_name: 'SelfComposedDpEvent', event: huge, count: 10_000_000 } })).toMatch(
      /^OUT_OF_RANGE/,
    )
  })
})

describe('what is dear is bounded, and what only repeats is not', () => {
  const steps = (count: number, different: number) =>
    Array.from({ length: count }, (_, i) => [1 + (i % different) / 8, 0.01, i + 1])
  const noises = (count: number, different: number) => ({
    class_name: 'ComposedDpEvent',
    events: Array.from({ length: count }, (_, i) => ({
      class_name: 'GaussianDpEvent',
      noise_multiplier: 1 + (i % different) / 8,
    })),
  })
  const sampled = (event: object) => ({
    dpEvent: { class_name: 'PoissonSampledDpEvent', sampling_probability: 0.01, event },
  })

  test('16 Gaussians on Poisson samples, however often each', () => {
    expect(outcome({ opacusHistory: steps(1_000, 16) })).toBe('accepted')
    expect(outcome({ opacusHistory: steps(17, 17) })).toBe('OUT_OF_RANGE ')
    expect(() => parseRelease({ opacusHistory: steps(40, 20) }, A)).toThrow(
      'at most 16 different Gaussians on Poisson samples, this one 20; send several spends',
    )
    // The same parameters in other words are the same mechanism.
    const same = [...steps(16, 16), ['2/2', '1/100', 5]]
    expect(outcome({ opacusHistory: same })).toBe('accepted')
  })

  test('16 noise multipliers in one sample, however often each', () => {
    expect(outcome(sampled(noises(900, 16)))).toBe('accepted')
    expect(outcome(sampled(noises(17, 17)))).toBe('OUT_OF_RANGE /dpEvent/event')
    const once = { class_name: 'GaussianDpEvent', noise_multiplier: '1/3' }
    // Nine times the precision is a third of the noise.
    const nine = {
      class_name: 'ComposedDpEvent',
      events: [...Array(8).fill({ ...once, noise_multiplier: 1 }), { ...once, noise_multiplier: '1.0' }],
    }
    expect(keyOf(sampled(nine))).toBe(keyOf(sampled(once)))
  })
})

describe('neighbouring relations', () => {
  const tree = { mechanism: 'tree_aggregation', noiseMultiplier: '2', steps: 8 }
  const response = { mechanism: 'randomized_response', noiseParameter: '0.1', numBuckets: 4 }
  const event = (class_name: string, fields: object) => ({ dpEvent: { class_name, ...fields } })
  const cases: readonly [string, object, readonly Relation[]][] = [
    ['gaussian', gaussian, RELATIONS],
    ['sampled gaussian', { ...gaussian, sampling: poisson('0.1') }, [A, 'replace_special']],
    ['sampled declared_pure', { ...pure, sampling: poisson('0.1') }, [A]],
    ['randomized response', response, ['replace_one', 'replace_special']],
    ['tree', tree, ['replace_special']],
    ['Opacus history', { opacusHistory: [[1, 0.1, 1]] }, [A]],
    ['Gaussian event', event('GaussianDpEvent', { noise_multiplier: 1 }), [A, 'replace_special']],
    ['Laplace event', event('LaplaceDpEvent', { noise_multiplier: 1 }), [A, 'replace_special']],
    [
      'discrete Gaussian event',
      event('DiscreteGaussianDpEvent', { sigma: 1, dimension: null }),
      [A, 'replace_special'],
    ],
    [
      'discrete Laplace event',
      event('DiscreteLaplaceDpEvent', { noise_parameter: 1, sensitivity: 1 }),
      [A, 'replace_special'],
    ],
    [
      'sampled Gaussian event',
      event('PoissonSampledDpEvent', {
        sampling_probability: 0.1,
        event: { class_name: 'GaussianDpEvent', noise_multiplier: 1 },
      }),
      [A, 'replace_special'],
    ],
    ['zCDP event', event('ZCDpEvent', { rho: 0.1, xi: 0 }), RELATIONS],
    [
      'randomized response event',
      event('RandomizedResponseDpEvent', { noise_parameter: 0.1, num_buckets: 4 }),
      ['replace_one', 'replace_special'],
    ],
    [
      'tree event',
      event('SingleEpochTreeAggregationDpEvent', { noise_multiplier: 1, step_counts: [3, 8] }),
      ['replace_special'],
    ],
  ]
  for (const [name, body, relations] of cases) {
    test(`${name}: ${relations.join(', ')} and no other`, () => {
      for (const relation of RELATIONS) {
        const expected = relations.includes(relation) ? 'accepted' : 'RELATION_MISMATCH'
        expect(outcome(body, relation).split(' ')[0], relation).toBe(expected)
      }
    })
  }
})

describe('sampling', () => {
  test('amplifies only where the method is poisson and the amplification is proved', () => {
    expect(outcome({ ...gaussian, sampling: { probability: '0.1' } })).toBe('UNSUPPORTED_SAMPLING /sampling')
    expect(outcome({ ...gaussian, sampling: { method: 'shuffle', probability: '0.1' } })).toBe(
      'UNSUPPORTED_SAMPLING /sampling/method',
    )
    const laplace = { mechanism: 'laplace', noiseMultiplier: '1', sampling: poisson('0.1') }
    expect(outcome(laplace)).toBe('UNSUPPORTED_SAMPLING /sampling')
    expect(outcome({ ...gaussian, sampling: poisson('1.1') })).toBe('OUT_OF_RANGE /sampling/probability')
    for (const inner of [
      { class_name: 'LaplaceDpEvent', noise_multiplier: 1 },
      { class_name: 'ZCDpEvent', rho: 1 },
      { class_name: 'ComposedDpEvent', events: [] },
      { class_name: 'PoissonSampledDpEvent', sampling_probability: 0.5, event: {} },
    ]) {
      const dpEvent = { class_name: 'PoissonSampledDpEvent', sampling_probability: 0.1, event: inner }
      expect(outcome({ dpEvent })).toBe('UNSUPPORTED_SAMPLING /dpEvent/event')
    }
  })

  test('with probability 1 is none, and with probability 0 costs nothing', () => {
    expect(keyOf({ ...gaussian, sampling: poisson(1) })).toBe(keyOf(gaussian))
    expect(keyOf({ ...gaussian, sampling: { probability: '1' } }, 'replace_one')).toBe(keyOf(gaussian, 'replace_one'))
    const rows: readonly Row[] = ['eps', 'rho', 'mu2', 'delta', 'rdp:2', 'rdp:inf']
    for (const body of [gaussian, pure, { mechanism: 'declared_approx', epsilon: '1', delta: '0.1' }]) {
      const costs = costsOf(parseRelease({ ...body, sampling: poisson(0) }, A), rows)
      for (const row of rows) expect(costs[row], row).toBe(0n)
    }
  })
})

describe('events without a cost', () => {
  test('say which kind of no it is', () => {
    const code = (class_name: string) => outcome({ dpEvent: { class_name } }).split(' ')[0]
    expect(code('UnsupportedDpEvent')).toBe('UNSUPPORTED_MECHANISM')
    expect(code('SampledWithReplacementDpEvent')).toBe('UNSUPPORTED_SAMPLING')
    expect(code('SampledWithoutReplacementDpEvent')).toBe('UNSUPPORTED_SAMPLING')
    expect(code('RepeatAndSelectDpEvent')).toBe('UNSUPPORTED_MECHANISM')
    expect(code('MixtureOfGaussiansDpEvent')).toBe('UNSUPPORTED_MECHANISM')
    expect(outcome({ dpEvent: { class_name: 'NoOpDpEvent' } })).toBe('accepted')
    expect(outcome({ dpEvent: { class_name: 'ComposedDpEvent', events: [] } })).toBe('accepted')
  })
})

describe('a count', () => {
  test('replaces that of one mechanism and repeats several parts as a whole', () => {
    const five = parseRelease({ ...gaussian, count: 5 }, A)
    expect(countOf(five)).toBe(5n)
    expect(withCount(five, 7n).key).toBe(keyOf({ ...gaussian, count: 7 }))
    const both = parseRelease({ parts: [{ ...gaussian, count: 5 }, pure] }, A)
    expect(countOf(both)).toBe(1n)
    expect(withCount(both, 3n).parts.map(({ count }) => count)).toEqual([15n, 3n])
    expect(withCount(withCount(both, 3n), 1n).key).toBe(both.key)
    expect(costsOf(withCount(five, 0n), ['rho'])).toEqual({ rho: 0n })
    expect(() => withCount(five, -1n)).toThrow(AccountingError)
    expect(() => withCount(five, 10n ** 12n + 1n)).toThrow(AccountingError)
  })
})

test('a release knows whether it has a delta of its own', () => {
  const approx = { mechanism: 'declared_approx', epsilon: '1', delta: '1e-9' }
  expect(deltaOf(parseRelease(approx, A))).toBe(true)
  expect(deltaOf(parseRelease({ parts: [gaussian, approx] }, A))).toBe(true)
  expect(deltaOf(parseRelease({ ...approx, delta: 0 }, A))).toBe(false)
  expect(deltaOf(parseRelease({ mechanism: 'declared_zcdp', rho: 1, delta: '1e-9' }, A))).toBe(true)
  expect(deltaOf(parseRelease({ ...approx, sampling: poisson(0) }, A))).toBe(false)
})

test('a release without privacy is infinite in every row, so that it can be refused, and reported', () => {
  const rows = ['eps', 'rho', 'mu2', 'delta', 'rdp:8', 'rdp:inf'] as const
  for (const body of [{ mechanism: 'non_private' }, { dpEvent: { class_name: 'NonPrivateDpEvent' } }]) {
    expect(Object.values(costsOf(parseRelease(body, A), rows))).toEqual(rows.map(() => 'INF'))
  }
})
