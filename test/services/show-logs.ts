import { beforeEach, onTestFailed } from 'vitest'
import { TestServer } from '../support/test-server.js'

// What the servers said is gone with their folders, so a test that fails shows it.
beforeEach(() =>
  onTestFailed(() => {
    for (const server of TestServer.all) console.error(`\n== the log of ${server.name}\n${server.logTail()}`)
  }),
)
