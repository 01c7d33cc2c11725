import { KurrentDouble } from '../../support/kurrent/kurrent-double.js'
import { stopsWithoutServer } from '../stores/stopping.js'
import { withServer } from '../with-server.js'

const server = withServer(() => KurrentDouble.start())

stopsWithoutServer(() => ({
  server: server(),
  environment: { EPSILON_STORE: 'kurrentdb', EPSILON_KURRENTDB_URL: server().url },
}))
