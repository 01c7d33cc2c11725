import { expect, test } from 'vitest'
import { KAFKA_VARIABLES, readKafkaSettings } from '../../src/kafka/settings.js'

const BROKERS = { EPSILON_KAFKA_BROKERS: 'one:9092,two:9093' }

test('without brokers there is no Kafka', () => {
  expect(readKafkaSettings({})).toBeUndefined()
  expect(readKafkaSettings({ EPSILON_KAFKA_BROKERS: '' })).toBeUndefined()
})

test('brokers alone are enough', () => {
  expect(readKafkaSettings(BROKERS)).toEqual({
    brokers: ['one:9092', 'two:9093'],
    clientId: 'epsilon-ledger',
    group: 'epsilon-ledger',
    topicPrefix: 'epsilon.',
    partitions: undefined,
    sources: undefined,
    tls: undefined,
    sasl: undefined,
    acknowledge: 'ledger',
  })
})

test('the command line goes before the environment', () => {
  expect(readKafkaSettings(BROKERS, '[::1]:9092')?.brokers).toEqual(['[::1]:9092'])
})

test('every setting is read', () => {
  const settings = readKafkaSettings({
    ...BROKERS,
    EPSILON_KAFKA_GROUP: 'privacy',
    EPSILON_KAFKA_PARTITIONS: '0, 2,5-7',
    EPSILON_KAFKA_TOPIC_PREFIX: 'team.epsilon.',
    EPSILON_KAFKA_SOURCES: 'trainer, query engine',
    EPSILON_KAFKA_TLS_CA: '/etc/ca.pem',
    EPSILON_KAFKA_SASL_MECHANISM: 'scram-sha-512',
    EPSILON_KAFKA_SASL_USERNAME: 'ledger',
    EPSILON_KAFKA_SASL_PASSWORD_FILE: '/run/secret',
    EPSILON_ACK: 'journal',
  })
  expect(settings).toMatchObject({
    group: 'privacy',
    topicPrefix: 'team.epsilon.',
    tls: { caFile: '/etc/ca.pem' },
    sasl: { mechanism: 'scram-sha-512', username: 'ledger', passwordFile: '/run/secret' },
    acknowledge: 'journal',
  })
  expect([...(settings?.partitions ?? [])]).toEqual([0, 2, 5, 6, 7])
  expect([...(settings?.sources ?? [])]).toEqual(['trainer', 'query engine'])
})

test.each([
  ['brokers', 'localhost'],
  ['brokers', 'one:9092,,two:9092'],
  ['group', 'a b'],
  ['topicPrefix', 'epsilon/'],
  ['partitions', '1-'],
  ['partitions', '7-5'],
  ['partitions', '-1'],
  ['sources', 'a,,b'],
  ['tls', 'yes'],
  ['mechanism', 'gssapi'],
  ['acknowledge', 'all'],
] as const)('%s cannot be %j, and the error names the variable', (name, value) => {
  const sasl = { EPSILON_KAFKA_SASL_USERNAME: 'ledger', EPSILON_KAFKA_SASL_PASSWORD_FILE: '/run/secret' }
  const environment = { ...BROKERS, ...(name === 'mechanism' ? sasl : {}), [KAFKA_VARIABLES[name]]: value }
  expect(() => readKafkaSettings(environment)).toThrow(KAFKA_VARIABLES[name])
})

test('what belongs together is asked for together', () => {
  expect(() => readKafkaSettings({ EPSILON_ACK: 'journal' })).toThrow('EPSILON_ACK')
  expect(() => readKafkaSettings({ ...BROKERS, EPSILON_KAFKA_SASL_USERNAME: 'ledger' })).toThrow('PASSWORD_FILE')
  expect(() => readKafkaSettings({ ...BROKERS, EPSILON_KAFKA_SASL_MECHANISM: 'plain' })).toThrow('USERNAME')
  expect(() =>
    readKafkaSettings({ ...BROKERS, EPSILON_KAFKA_TLS: 'false', EPSILON_KAFKA_TLS_CA: '/etc/ca.pem' }),
  ).toThrow('EPSILON_KAFKA_TLS')
})
