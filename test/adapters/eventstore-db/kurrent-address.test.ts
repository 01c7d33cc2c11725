import { expect, test } from 'vitest'
import { readAddress } from '../../../src/adapters/eventstore-db/kurrent-address.js'

const STANDARD = 'keepAliveInterval=1000&keepAliveTimeout=1000&connectionName=epsilon-ledger'

test.each([
  ['esdb://db:2113?tls=false', `esdb://db:2113?tls=false&${STANDARD}`],
  ['kurrentdb://db:2113?tls=false', `esdb://db:2113?tls=false&${STANDARD}`],
  ['esdb://db', `esdb://db:2113?${STANDARD}`],
  ['esdb://db:1234/', `esdb://db:1234?${STANDARD}`],
  ['esdb+discover://cluster.example', `esdb+discover://cluster.example:2113?${STANDARD}&nodePreference=leader`],
  ['esdb://a:1,b:2,c', `esdb://a:1,b:2,c:2113?${STANDARD}&nodePreference=leader`],
  [
    'esdb://db?keepAliveInterval=10000&keep-alive-timeout=5000&TLS_CA_FILE=/etc/ca.crt',
    'esdb://db:2113?keepAliveInterval=10000&keepAliveTimeout=5000&tlsCAFile=%2Fetc%2Fca.crt&connectionName=epsilon-ledger',
  ],
])('%s is asked as %s', (url, connectionString) => {
  expect(readAddress({ url }).connectionString).toBe(connectionString)
})

test('user and password come with the address or beside it, and whatever is in them arrives', () => {
  const login = (options: Parameters<typeof readAddress>[0]) =>
    new URL(readAddress(options).connectionString.replace('esdb:', 'http:'))
  const word = 'p:@/?#%é'
  const beside = login({ url: 'esdb://db:2113', username: 'ops', password: word })
  expect([beside.username, decodeURIComponent(beside.password)]).toEqual(['ops', word])
  const inside = login({ url: `esdb://ops:${encodeURIComponent(word)}@db:2113` })
  expect([inside.username, decodeURIComponent(inside.password)]).toEqual(['ops', word])
  const both = login({ url: 'esdb://old:older@db:2113', username: 'ops', password: word })
  expect([both.username, decodeURIComponent(both.password)]).toEqual(['ops', word])
})

test('what is shown names the hosts, and neither users nor options', () => {
  const { shown } = readAddress({ url: 'esdb://ops:secret@a:1,b:2?tlsCAFile=private.crt' })
  expect(shown).toBe('kurrentdb://a:1,b:2')
})

test.each([
  ['http://db:2113', 'is not of the form'],
  ['esdb://', 'is not of the form'],
  ['esdb://secret/word@db', 'is not of the form'],
  ['esdb://[::1]:2113', 'has a host that is not name:port'],
  ['esdb://db:port', 'has a host that is not name:port'],
  ['esdb+discover://a,b', 'names several hosts and +discover'],
  ['esdb://secret@db', 'has a user or a password, but not both'],
  ['esdb://secret:@db', 'has a user or a password, but not both'],
  ['esdb://a:secret%@db', 'has a user or a password with a broken % sequence'],
  ['esdb://a:secret@db?nodePreference=follower', 'has nodePreference with a value that it cannot have here'],
  ['esdb://a:secret@db?throwOnAppendFailure=false', 'has throwOnAppendFailure with a value'],
  ['esdb://a:secret@db?tlsVerifyCert=false', 'has tlsVerifyCert with a value'],
  ['esdb://a:secret@db?keepAliveInterval=soon', 'has keepAliveInterval with a value'],
  ['esdb://a:secret@db?tsl=true', 'has an option that nobody knows: "tsl"'],
])('%s is refused, and no part of it that may be a secret is repeated', (url, reason) => {
  let error: unknown
  try {
    readAddress({ url })
  } catch (thrown) {
    error = thrown
  }
  expect(error).toMatchObject({ code: 'CONFIGURATION_INVALID', message: expect.stringContaining(reason) })
  expect(JSON.stringify(error) + (error as Error).message).not.toContain('secret')
})
