import { PostgresServer } from '../../support/postgres-server.js'
import { severalInstances } from '../stores/instances.js'
import { withServer } from '../with-server.js'

const server = withServer(() => PostgresServer.start())

severalInstances(() => ({ EPSILON_STORE: 'postgres', EPSILON_POSTGRES_URL: server().url }))
