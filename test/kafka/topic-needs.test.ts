import { expect, test } from 'vitest'
import type { TopicName } from '../../src/kafka/client.js'
import { findingsOf, type Surroundings, settingsToMake, type TopicFacts } from '../../src/kafka/topic-needs.js'

const NAMES: readonly TopicName[] = ['spends', 'decisions', 'journal', 'dead-letter']
const around = (more: Partial<Surroundings> = {}): Surroundings => ({
  brokers: 3,
  highestPartition: undefined,
  spendBytes: 1_048_588,
  ...more,
})
const made = (name: TopicName, where = around()): TopicFacts => ({
  partitions: 1,
  replicas: where.brokers >= 3 ? 3 : 1,
  settings: settingsToMake(name, where),
})
/** A topic as it is made, but for some settings. */
const other = (name: TopicName, settings: Readonly<Record<string, string>>, where = around()): TopicFacts => {
  const facts = made(name, where)
  return { ...facts, settings: new Map([...(facts.settings ?? []), ...Object.entries(settings)]) }
}
const unfit = (name: TopicName, facts: TopicFacts, where = around()) =>
  findingsOf(name, facts, where).filter(({ state }) => state !== 'fits')

test.each(NAMES)('%s as it is made on three brokers fits, and on one it is only warned of', (name) => {
  expect(unfit(name, made(name))).toEqual([])
  const one = around({ brokers: 1 })
  expect(unfit(name, made(name, one), one).map(({ setting, state, mend }) => [setting, state, mend])).toEqual([
    ['replication', 'warning', undefined],
    ['min.insync.replicas', 'warning', undefined],
  ])
})

test.each<[TopicName, string, string, 'wrong' | 'warning', string | undefined]>([
  ['spends', 'compression.type', 'producer', 'wrong', 'uncompressed'],
  ['journal', 'compression.type', 'producer', 'warning', 'uncompressed'],
  ['journal', 'compression.type', 'zstd', 'wrong', 'uncompressed'],
  ['spends', 'cleanup.policy', 'compact', 'wrong', 'delete'],
  ['spends', 'cleanup.policy', 'compact,delete', 'wrong', 'delete'],
  ['spends', 'retention.ms', '604799999', 'wrong', '2592000000'],
  ['spends', 'message.timestamp.type', 'CreateTime', 'warning', 'LogAppendTime'],
  ['decisions', 'retention.ms', '3600000', 'wrong', '2592000000'],
  ['decisions', 'max.message.bytes', '8388607', 'wrong', '8388608'],
  ['journal', 'retention.ms', '31536000000', 'wrong', '-1'],
  ['journal', 'retention.bytes', '1000000000', 'wrong', '-1'],
  ['journal', 'max.message.bytes', '1048588', 'wrong', '2097152'],
  ['dead-letter', 'max.message.bytes', '1048588', 'wrong', '2097152'],
  ['dead-letter', 'retention.ms', '604800000', 'wrong', '-1'],
  ['journal', 'unclean.leader.election.enable', 'true', 'wrong', 'false'],
  ['journal', 'min.insync.replicas', '1', 'wrong', '2'],
  ['journal', 'min.insync.replicas', '4', 'wrong', '2'],
])('%s with %s %s is %s', (name, setting, value, state, mend) => {
  expect(unfit(name, other(name, { [setting]: value }))).toMatchObject([{ setting, has: value, state, mend }])
})

test.each<[TopicName, string, string]>([
  ['spends', 'retention.ms', '-1'],
  ['spends', 'retention.ms', '604800000'],
  ['decisions', 'max.message.bytes', '20971520'],
  ['journal', 'min.insync.replicas', '3'],
])('%s may have %s %s', (name, setting, value) => {
  expect(unfit(name, other(name, { [setting]: value }))).toEqual([])
})

test('with one replica, two in sync would acknowledge nothing', () => {
  const one = around({ brokers: 1 })
  expect(unfit('journal', other('journal', { 'min.insync.replicas': '2' }, one), one)).toMatchObject([
    { setting: 'replication', state: 'warning' },
    { setting: 'min.insync.replicas', state: 'wrong', mend: '1' },
  ])
})

test('a journal has one partition, and fewer replicas than three brokers can hold are for people to mend', () => {
  expect(unfit('journal', { ...made('journal'), partitions: 2 })).toMatchObject([
    { setting: 'partitions', needs: '1', has: '2', state: 'wrong', mend: undefined },
  ])
  expect(unfit('journal', { ...made('journal'), replicas: 1 })).toMatchObject([
    { setting: 'replication', needs: '3', has: '1', state: 'wrong', mend: undefined },
    { setting: 'min.insync.replicas', has: '2', state: 'wrong', mend: '1' },
  ])
})

test('while one of three brokers is down, three replicas still fit', () => {
  expect(unfit('journal', made('journal'), around({ brokers: 2 }))).toEqual([])
})

test('spends have the partitions that this ledger is told to take', () => {
  const where = around({ highestPartition: 7 })
  expect(unfit('spends', { ...made('spends'), partitions: 7 }, where)).toMatchObject([{ needs: '8 or more', has: '7' }])
  expect(unfit('spends', { ...made('spends'), partitions: 8 }, where)).toEqual([])
})

test('whatever can be sent as a spend fits into the dead-letter topic', () => {
  const where = around({ spendBytes: 4 * 1024 * 1024 })
  expect(unfit('dead-letter', made('dead-letter'), where)).toMatchObject([
    { setting: 'max.message.bytes', mend: String(4 * 1024 * 1024 + 65_536) },
  ])
})

test('settings that nobody shows are warned of, and nothing is said to be wrong', () => {
  const findings = findingsOf('spends', { partitions: 6, replicas: 3, settings: undefined }, around())
  expect(new Set(findings.map(({ state }) => state))).toEqual(new Set(['fits', 'warning']))
  expect(findings.every(({ mend }) => mend === undefined)).toBe(true)
})
