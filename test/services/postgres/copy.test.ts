import { PostgresServer } from '../../support/postgres-server.js'
import { copiesBothWays } from '../stores/copying.js'
import { withServer } from '../with-server.js'

const server = withServer(() => PostgresServer.start())

copiesBothWays(() => ({
  url: server().url,
  environment: { EPSILON_STORE: 'postgres', EPSILON_POSTGRES_URL: server().url },
}))
