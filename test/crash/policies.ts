/** What the emitters of the crash tests may spend: one purpose each, so that every cost is known without the service. */
export type Purpose = 'query' | 'study' | 'training' | 'census'

const common = { delta: '1e-6', neighboring: 'add_or_remove_one', window: 'lifetime', role: 'guarantee' }

export const POLICIES = [
  { ...common, id: 'person', scope: ['unit'], match: { purpose: ['query'] }, metric: 'pure', epsilon: '2', delta: '0' },
  {
    ...common,
    id: 'emitter',
    scope: ['source'],
    match: { purpose: ['query'] },
    metric: 'pure',
    epsilon: '4000',
    delta: '0',
  },
  {
    ...common,
    id: 'analyst-day',
    scope: ['unit', 'analyst'],
    match: { purpose: ['query'] },
    metric: 'approx',
    epsilon: '1',
    window: 'day',
    role: 'quota',
  },
  { ...common, id: 'study', scope: ['dataset'], match: { purpose: ['study'] }, metric: 'zcdp', epsilon: '1' },
  { ...common, id: 'training', scope: ['unit'], match: { purpose: ['training'] }, metric: 'rdp', epsilon: '8' },
  { ...common, id: 'cohort', scope: ['unit'], match: { purpose: ['census'] }, metric: 'approx', epsilon: '3' },
] as const

/** Which policies a spend with that purpose is charged to. */
export const CHARGED: Readonly<Record<Purpose, readonly string[]>> = {
  query: ['person', 'emitter', 'analyst-day'],
  study: ['study'],
  training: ['training'],
  census: ['cohort'],
}

/**
 * Caps, worked out by hand where the metric is a plain sum; ρ for (1, 10⁻⁶) at α* = 22 is the vector "zcdp cap eps=1
 * delta=1e-6" of `test/vectors`. The caps of `training` are taken from its record, and `verify` derives them again.
 */
export const KNOWN_CAPS: Readonly<Record<string, Readonly<Record<string, bigint>>>> = {
  person: { eps: 2n * 10n ** 15n, delta: 0n },
  emitter: { eps: 4_000n * 10n ** 15n, delta: 0n },
  'analyst-day': { eps: 10n ** 15n, delta: 10n ** 12n },
  study: { rho: 24_355_957_194_213n, delta: 0n },
  cohort: { eps: 3n * 10n ** 15n, delta: 10n ** 12n },
}

/** A body's cost in one row, where it can be read off: ε itself, 1/2σ², δ itself. */
export const knownCost = (spend: Readonly<Record<string, unknown>>, row: string): bigint | undefined => {
  const count = BigInt((spend['count'] as string | undefined) ?? '1')
  const decimal = (name: string, digits: number) => count * scaled(String(spend[name] ?? '0'), digits)
  if (row === 'delta') return decimal('delta', 18)
  if (row === 'eps' && typeof spend['epsilon'] === 'string') return decimal('epsilon', 15)
  if (row === 'rho' && spend['mechanism'] === 'gaussian' && spend['sampling'] === undefined) {
    const sigma = BigInt(spend['noiseMultiplier'] as string)
    const twice = 2n * sigma * sigma
    return (count * 10n ** 15n + twice - 1n) / twice
  }
  return undefined
}

/** A decimal without exponent, times ten to the `digits`. */
const scaled = (text: string, digits: number): bigint => {
  const [whole = '0', fraction = ''] = text.split('.')
  return BigInt(whole + fraction.padEnd(digits, '0'))
}
