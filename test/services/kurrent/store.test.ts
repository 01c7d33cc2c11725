import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { afterAll, beforeAll } from 'vitest'
import { KurrentStore } from '../../../src/adapters/eventstore-db/kurrent-store.js'
import { KurrentDouble } from '../../support/kurrent/kurrent-double.js'
import { storeFaults } from '../store-faults.js'
import { withServer } from '../with-server.js'

const server = withServer(() => KurrentDouble.start())

/** A process has one client, and so one address: this one leads to wherever the tests want it to lead next. */
let front: Server
let leadsTo = 0
beforeAll(async () => {
  front = createServer((client) => {
    const way = connect({ port: leadsTo, host: '127.0.0.1', noDelay: true })
    for (const [one, other] of [
      [client, way],
      [way, client],
    ] as const) {
      one.setNoDelay(true).on('error', () => one.destroy())
      one.once('close', () => other.destroy())
      one.pipe(other)
    }
  }).listen(0, '127.0.0.1')
  await once(front, 'listening')
})
afterAll(() => void front.close())

storeFaults({
  server,
  port: () => server().port,
  open: (port, ledger) => {
    leadsTo = port
    return KurrentStore.open({ url: `esdb://127.0.0.1:${(front.address() as AddressInfo).port}?tls=false`, ledger })
  },
  // A message of gRPC that begins with a UUID as text, its first field: no other answer does.
  tellsOutcome: ({ answer }) => answer[answer.indexOf(UUID_FIELD) - FRAME_BYTES] === 0,
})

const UUID_FIELD = Buffer.from('0a261224', 'hex')
/** Before a message: a zero, since it is not compressed, and its length. */
const FRAME_BYTES = 5
