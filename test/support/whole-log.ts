import type { JsonObject } from '../../src/ledger/record.js'
import { messageAt, Scenario, trainer } from './scenario.js'

/** A small log in which every kind of record occurs, and in which nothing is wrong. */
export const wholeLog = async (): Promise<Scenario> => {
  const ledger = await Scenario.open()
  await ledger.policy({ id: 'person', scope: ['unit'], metric: 'pure', epsilon: '1' })
  await ledger.policy({
    id: 'dataset',
    scope: ['dataset'],
    metric: 'zcdp',
    epsilon: '3',
    delta: '1e-6',
    deltaForSpends: '1e-7',
  })
  await ledger.policy({ id: 'daily', scope: ['analyst'], metric: 'pure', epsilon: '0.5', window: 'day', role: 'quota' })
  await ledger.policy({ id: 'training', scope: ['source'], metric: 'rdp', epsilon: '8', delta: '1e-5' })
  const query = { dataset: 'census', analyst: 'ada', mechanism: 'laplace', noiseMultiplier: '10' }
  await ledger.pass(1).spend({ id: 'a-1', unit: 'u-1', ...query, noise: { stream: 's', from: '0', to: '9' } })
  await ledger.spend({
    id: 'a-2',
    units: ['u-1', 'u-2'],
    ...query,
    count: '2',
    noise: { stream: 's', from: '10', to: '19' },
  })
  await ledger.pass(1).spend({ id: 'a-3', unit: 'u-1', ...query, count: '9' })
  await ledger.pass(86_400).spend({ id: 'a-4', unit: 'u-1', ...query, count: '3', clipping: { fraction: '0.25' } })
  await ledger.spend({ id: 'a-5', units: ['u-1', 'u-3'], onExhausted: 'drop', ...query, count: '5', analyst: 'bob' })
  await ledger.spend({ id: 'a-6', unit: 'u-3', dataset: 'census', mechanism: 'gaussian', noiseMultiplier: '1' })
  await ledger.reserve({ id: 'r-1', unit: 'u-4', ...query, analyst: 'eve', expiresInSeconds: 60 })
  await ledger.reserve({ id: 'r-2', unit: 'u-4', ...query, analyst: 'eve', count: '2', expiresInSeconds: 60 })
  await ledger.reserve({ id: 'r-3', unit: 'u-4', ...query, analyst: 'eve', expiresInSeconds: 60 })
  await ledger.reserve({ id: 'r-4', unit: 'u-4', ...query, analyst: 'eve', count: '9', expiresInSeconds: 60 })
  await ledger.pass(1).settle('r-2', { count: '1' })
  await ledger.release('r-3')
  await ledger.pass(60).expire()
  await ledger.report({ id: 'rep-1', unit: 'u-2', ...query })
  const many = Array.from({ length: 120 }, (_, index) => `many-${index}`)
  await ledger.spend({ id: 'many-1', units: many, ...query, analyst: 'zoe' })
  await ledger.policy({ id: 'person', scope: ['unit'], metric: 'pure', epsilon: '0.95' }, 1)
  await ledger.policy(
    { id: 'dataset', scope: ['dataset'], metric: 'zcdp', epsilon: '4', delta: '1e-6', deltaForSpends: '1e-7' },
    1,
  )
  await ledger.approve('dataset', 2)
  await ledger.halt()
  await ledger.resume()
  await ledger.confirmClock()
  await ledger.removePolicy('daily')
  await ledger.approve('daily', 2)
  await ledger.pass(1).spend({ id: 'a-7', unit: 'u-5', ...query })
  await fromTopics(ledger, query)
  await ledger.revoke('emitter-1')
  await ledger.declareGap()
  return ledger
}

/** Messages that are decided, invalid, quarantined, charged, dismissed and lost; one stays unresolved. */
const fromTopics = async (ledger: Scenario, query: JsonObject): Promise<void> => {
  const emitter = { ...trainer, token: '' }
  await ledger.pass(1).spend({ id: 'k-1', unit: 'u-6', ...query }, emitter, messageAt(0))
  await ledger.spend({ id: 'k-2', ...query }, emitter, messageAt(1))
  const many = Array.from({ length: 120 }, (_, index) => `many-${index}`)
  await ledger.spend({ id: 'k-3', units: many, ...query, analyst: 'yan' }, emitter, messageAt(2))
  const charged = await ledger.quarantine(messageAt(3))
  const dismissed = await ledger.quarantine(messageAt(4))
  await ledger.quarantine(messageAt(9))
  await ledger.recordOffsets(20n)
  await ledger.chargeQuarantined(charged, { id: 'k-4', unit: 'u-6', ...query })
  await ledger.dismiss(dismissed)
  await ledger.resetTopic(100n)
  await ledger.reserve({ id: 'k-5', unit: 'u-6', ...query, expiresInSeconds: 60 }, emitter, messageAt(100))
  await ledger.settle('k-5', { count: '1' }, emitter, messageAt(101))
}
