import { KurrentDouble } from '../../support/kurrent/kurrent-double.js'
import { severalInstances } from '../stores/instances.js'
import { withServer } from '../with-server.js'

const url = process.env['EPSILON_TEST_KURRENTDB_URL']
const server = withServer(async () => (url === undefined ? KurrentDouble.start() : { url, stop: async () => {} }))

severalInstances(() => ({ EPSILON_STORE: 'kurrentdb', EPSILON_KURRENTDB_URL: server().url }))
