import kafkajs from 'kafkajs'
import { expect, test } from 'vitest'
import { kafkaError } from '../../src/kafka/kafka-error.js'
import { LedgerError } from '../../src/ledger/errors.js'

const { KafkaJSConnectionError, KafkaJSNonRetriableError, KafkaJSNotImplemented, KafkaJSProtocolError } = kafkajs

const protocol = (type: string): Error =>
  new KafkaJSProtocolError({ name: 'x', message: `what ${type} means`, type, code: 1, retriable: false } as never)

/** The library's types leave out what these classes take. */
const saying = (kind: abstract new () => Error, message: string): Error =>
  new (kind as unknown as new (text: string) => Error)(message)

test.each<[Error, string, 'now' | 'never', number]>([
  [protocol('MESSAGE_TOO_LARGE'), 'MESSAGE_TOO_LARGE', 'never', 3],
  [protocol('GROUP_AUTHORIZATION_FAILED'), 'KAFKA_FORBIDDEN', 'never', 3],
  [protocol('POLICY_VIOLATION'), 'KAFKA_REFUSED', 'never', 3],
  [protocol('UNKNOWN_TOPIC_OR_PARTITION'), 'TOPIC_MISSING', 'now', 3],
  [protocol('NOT_ENOUGH_REPLICAS'), 'KAFKA_FAILED', 'now', 3],
  [
    saying(kafkajs.KafkaJSSASLAuthenticationError, 'SASL PLAIN authentication failed'),
    'KAFKA_LOGIN_FAILED',
    'never',
    12,
  ],
  [saying(KafkaJSNotImplemented, 'Snappy compression not implemented'), 'MESSAGE_UNREADABLE', 'never', 3],
  [new KafkaJSConnectionError('connect ECONNREFUSED'), 'KAFKA_UNREACHABLE', 'now', 3],
  [new TypeError('undefined is not a function'), 'KAFKA_FAILED', 'now', 3],
])('%s is %s', (error, code, retry, exitCode) => {
  expect(kafkaError(error, 'sending to t')).toMatchObject({ code, retry, exitCode })
})

test('an error is known through whatever the library wraps it in, and says what the brokers said', () => {
  const cause = new Error('again', { cause: protocol('TOPIC_AUTHORIZATION_FAILED') })
  const wrapped = Object.assign(new KafkaJSNonRetriableError('not any more'), { cause })
  expect(kafkaError(wrapped, 'sending to epsilon.journal')).toMatchObject({
    code: 'KAFKA_FORBIDDEN',
    message: 'sending to epsilon.journal failed: TOPIC_AUTHORIZATION_FAILED: what TOPIC_AUTHORIZATION_FAILED means',
  })
  const several = new kafkajs.KafkaJSAggregateError('Topic creation errors', [protocol('INVALID_REPLICATION_FACTOR')])
  expect(kafkaError(several, 'making t').code).toBe('KAFKA_REFUSED')
})

test("the ledger's own errors stay what they are", () => {
  const own = new LedgerError('TOPIC_RANGE_LOST', 'gone', { retry: 'never', exitCode: 21 })
  expect(kafkaError(own, 'reading')).toBe(own)
})
