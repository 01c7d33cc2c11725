import { bodyOf } from '../deployments.js'
import { ask, type Play, policy } from '../play.js'

/**
 * Local randomizers: the noise was added on the device before anybody was asked, so these are reports. The budgets
 * are quotas by the day, which a report may pass and which then show by how much.
 */
const DEVICE = { unit: 'device-1' }

const quota = (id: string, epsilon: string) => [policy(id, 'pure', { epsilon, window: 'day', scope: ['unit'] })]

export const DEVICES: readonly Play[] = [
  {
    id: 'apple-emoji',
    policies: quota('apple-emoji', '4'),
    asked: '1 report',
    asks: [ask('report', 'apple-emoji', 'day', bodyOf('apple-emoji'), DEVICE)],
    expected: { answered: '1 noted', spent: 'ε 4', left: '0' },
  },
  {
    id: 'apple-health',
    policies: quota('apple-health', '2'),
    asked: '1 report',
    asks: [ask('report', 'apple-health', 'day', bodyOf('apple-health'), DEVICE)],
    expected: { answered: '1 noted', spent: 'ε 2', left: '0' },
  },
  {
    // Two features share one pool; that it is made for two donations of 4 is an inference of the data file.
    id: 'apple-safari',
    policies: quota('apple-safari', '8'),
    asked: '3 reports',
    asks: ['energy', 'crashes', 'energy'].map((purpose, index) =>
      ask('report', 'apple-safari', String(index), bodyOf('apple-safari'), { ...DEVICE, purpose }),
    ),
    expected: { answered: '3 noted', spent: 'ε 12', left: 'ε 4 beyond' },
  },
  {
    // Asked before the noise is added, the third donation is refused instead.
    id: 'apple-lookup-hints',
    policies: quota('apple-lookup-hints', '8'),
    asked: '3 donations',
    asks: (['report', 'report', 'spend'] as const).map((kind, index) =>
      ask(kind, 'apple-lookup-hints', String(index), bodyOf('apple-lookup-hints'), DEVICE),
    ),
    expected: { answered: '2 noted, 1 refused', spent: 'ε 8', left: '0' },
  },
  {
    // Its budget is per value: the memoised answer is sent again under its id and costs nothing more.
    id: 'chrome-rappor',
    policies: [policy('chrome-rappor', 'pure', { epsilon: '4.395', scope: ['unit'], neighboring: 'replace_one' })],
    asked: '2 reports',
    asks: [0, 0].map((value) =>
      ask('report', 'chrome-rappor', `value-${value}`, bodyOf('chrome-rappor'), {
        unit: `client-1:homepage:value-${value}`,
        neighboring: 'replace_one',
      }),
    ),
    expected: { answered: '1 noted, 1 repeated', spent: 'ε 4.395', left: '0' },
  },
  {
    // Four rounds of six hours; the last one is delivered twice.
    id: 'windows-telemetry',
    policies: quota('windows-telemetry', '6.688'),
    asked: '5 reports',
    asks: [0, 1, 2, 3, 3].map((slot) =>
      ask('report', 'windows-telemetry', `slot-${slot}`, bodyOf('windows-telemetry'), DEVICE),
    ),
    expected: { answered: '4 noted, 1 repeated', spent: 'ε 6.688', left: '0' },
  },
]
