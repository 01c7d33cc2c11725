import { expect, test } from 'vitest'
import { unreachable } from '../../../src/adapters/eventstore-db/server-answer.js'

test.each([
  [
    '14 UNAVAILABLE: No connection established. Last error: Failed to connect. Resolution note: ',
    'the servers and at the way there',
  ],
  [
    '14 UNAVAILABLE: Last error: Error: SSL routines:wrong version number:350:\n. Resolution note: ',
    'tls and tlsCAFile',
  ],
  ['14 UNAVAILABLE: Last error: self-signed certificate', 'tls and tlsCAFile'],
])('where nobody answers the message is one line, and the hint says where to look: %s', (said, where) => {
  const { message, hint } = unreachable('kurrentdb://db:2113', new Error(said))
  expect(message).toMatch(/^kurrentdb:\/\/db:2113 does not answer: 14 UNAVAILABLE.*[a-z\d:.]$/)
  expect(message).not.toContain('Resolution note')
  expect(hint).toContain(where)
})
