import { afterAll, beforeAll, beforeEach } from 'vitest'
import { MissingPart } from '../support/missing-part.js'

/**
 * Starts a server before the tests of a file or a `describe`, and stops it after them. Where the machine lacks a part of it,
 * the tests are skipped and say why; with `REQUIRE_ALL=1` they fail.
 */
export const withServer = <Server extends { stop(): Promise<void> }>(start: () => Promise<Server>): (() => Server) => {
  let server: Server | undefined
  let missing: MissingPart | undefined
  beforeAll(async () => {
    try {
      server = await start()
    } catch (error) {
      if (!(error instanceof MissingPart) || process.env['REQUIRE_ALL'] === '1') throw error
      missing = error
      console.error(`skipped: ${error.message}`)
    }
  })
  beforeEach(({ skip }) => {
    if (missing !== undefined) skip(missing.message)
  })
  afterAll(() => server?.stop())
  return () => {
    if (server === undefined) throw new Error('the server is not started yet')
    return server
  }
}
