import { PostgresStore } from '../../../src/adapters/postgres/postgres-store.js'
import { PostgresServer } from '../../support/postgres-server.js'
import { storeFaults } from '../store-faults.js'
import { withServer } from '../with-server.js'

const server = withServer(() => PostgresServer.start())

storeFaults({
  server,
  port: () => Number(new URL(server().url).port),
  open: (port, ledger) => {
    const url = new URL(server().url)
    url.port = String(port)
    return PostgresStore.open({ url: url.href, ledger })
  },
})
