import type { JsonObject } from '../../../ledger/record.js'
import { bodyOf } from '../deployments.js'
import { ask, type Play, policy, spends } from '../play.js'

/** Data sets that come out every day or every month: quotas by that window, each played for one of them. */
export const SERIES: readonly Play[] = [
  {
    id: 'google-mobility',
    policies: [policy('google-mobility', 'pure', { epsilon: '2.64', window: 'day' })],
    asked: '6 parts at once',
    asks: spends('google-mobility', bodyOf('google-mobility')),
    expected: { answered: '1 ok', spent: 'ε 2.64', left: '0' },
  },
  {
    id: 'google-covid-symptoms',
    policies: [policy('google-covid-symptoms', 'pure', { epsilon: '1.68', window: 'day' })],
    asked: '4 parts at once',
    asks: spends('google-covid-symptoms', bodyOf('google-covid-symptoms')),
    expected: { answered: '1 ok', spent: 'ε 1.68', left: '0' },
  },
  {
    id: 'meta-movement',
    policies: [policy('meta-movement', 'pure', { epsilon: '2', window: 'day' })],
    asked: '1 spend',
    asks: spends('meta-movement', bodyOf('meta-movement')),
    expected: { answered: '1 ok', spent: 'ε 2', left: '0' },
  },
  {
    id: 'wikimedia-pageviews',
    policies: [policy('wikimedia-pageviews', 'zcdp', { epsilon: '1', delta: '1e-7', window: 'day' })],
    asked: '1 spend',
    asks: spends('wikimedia-pageviews', bodyOf('wikimedia-pageviews')),
    expected: { answered: '1 ok', spent: 'ρ 0.015', left: 'ρ 0.0051…' },
  },
  geoeditors(),
  audience(),
  hiring(),
]

/** One data set for each tier of risk; only the lowest releases sums of edits. */
function geoeditors(): Play {
  const tiers = [
    { name: 'wikimedia-geoeditors', epsilon: '2', body: bodyOf('wikimedia-geoeditors') },
    { name: 'wikimedia-geoeditors:medium', epsilon: '0.2', body: { mechanism: 'declared_pure', epsilon: '0.2' } },
    { name: 'wikimedia-geoeditors:higher', epsilon: '0.1', body: { mechanism: 'declared_pure', epsilon: '0.1' } },
  ]
  return {
    id: 'wikimedia-geoeditors',
    policies: tiers.map(({ name, epsilon }) => policy(name, 'pure', { epsilon, window: 'month' })),
    asked: '3 risk tiers',
    asks: tiers.flatMap(({ name, body }) => spends(name, body)),
    expected: { answered: '3 ok', spent: 'ε 2/0.2/0.1', left: '0' },
  }
}

/** The registry gives no cost per query: (0.349, 7e-11), a hundredth of the analyst's month, is the demo's own. */
function audience(): Play {
  const query = { mechanism: 'declared_approx', epsilon: '0.349', delta: '7e-11' }
  const terms = { epsilon: '34.9', delta: '7e-9', window: 'month', scope: ['dataset', 'analyst'] } as const
  return {
    id: 'linkedin-audience',
    policies: [policy('linkedin-audience', 'approx', terms)],
    asked: '101+1 queries*',
    asks: [
      ...spends('linkedin-audience', query, 101, { analyst: 'analyst-1' }),
      ask('spend', 'linkedin-audience', 'another', query, { analyst: 'analyst-2' }),
    ],
    expected: { answered: '101 ok, 1 refused', spent: 'ε 34.9 δ 7e-9', left: '0' },
  }
}

/** Four reports as one spend of count 4, and for the top jobs as four spends: the same sums in both rows. */
function hiring(): Play {
  const terms = { epsilon: '4.8', delta: '4e-10', window: 'month' } as const
  const four = bodyOf('linkedin-hiring')
  const { count: _, ...one } = four as JsonObject
  return {
    id: 'linkedin-hiring',
    policies: ['linkedin-hiring', 'linkedin-hiring:top-jobs'].map((name) => policy(name, 'approx', terms)),
    asked: '4 in one, and 4',
    asks: [...spends('linkedin-hiring', four), ...spends('linkedin-hiring:top-jobs', one, 4)],
    expected: { answered: '5 ok', spent: 'ε 4.8 δ 4e-10', left: '0' },
  }
}
