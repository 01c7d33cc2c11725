import { PostgresServer } from '../../support/postgres-server.js'
import { stopsWithoutServer } from '../stores/stopping.js'
import { withServer } from '../with-server.js'

const server = withServer(() => PostgresServer.start())

stopsWithoutServer(() => ({
  server: server(),
  environment: { EPSILON_STORE: 'postgres', EPSILON_POSTGRES_URL: server().url },
}))
