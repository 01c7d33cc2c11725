import { randomUUID } from 'node:crypto'
import { expect, onTestFinished, test, vi } from 'vitest'
import { PostgresServer } from '../../support/postgres-server.js'
import { Service, type ServiceOptions } from '../../support/service.js'
import { withServer } from '../with-server.js'

const server = withServer(() => PostgresServer.start())

const HOUR_AHEAD = 'const now = Date.now; Date.now = () => now() + 3_600_000'

test('an instance whose clock is an hour ahead says so itself, before the others find theirs behind its records', async () => {
  const environment = {
    EPSILON_STORE: 'postgres',
    EPSILON_POSTGRES_URL: server().url,
    EPSILON_LEDGER: randomUUID(),
  }
  const start = async (options: ServiceOptions): Promise<Service> => {
    const service = await Service.start({ environment, ...options })
    onTestFinished(() => service.remove())
    return service
  }
  const right = await start({})
  const nodeArguments = ['--import', `data:text/javascript,${encodeURIComponent(HOUR_AHEAD)}`]
  const ahead = await start({ nodeArguments, untilReady: false })
  const saysSo = async (): Promise<void> => {
    const { status, text } = await ahead.client(undefined).get('/health/ready')
    expect(status).toBe(503)
    expect(text).toMatch(/CLOCK_UNCERTAIN.*ahead of that of the server/)
  }
  await vi.waitFor(saysSo, { timeout: 60_000 })
  expect(await right.client(undefined).get('/health/ready')).toMatchObject({ status: 200 })
})
