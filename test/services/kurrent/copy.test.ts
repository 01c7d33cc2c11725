import { KurrentDouble } from '../../support/kurrent/kurrent-double.js'
import { copiesBothWays } from '../stores/copying.js'
import { withServer } from '../with-server.js'

const url = process.env['EPSILON_TEST_KURRENTDB_URL']
const server = withServer(async () => (url === undefined ? KurrentDouble.start() : { url, stop: async () => {} }))

copiesBothWays(() => ({
  url: server().url,
  environment: { EPSILON_STORE: 'kurrentdb', EPSILON_KURRENTDB_URL: server().url },
}))
