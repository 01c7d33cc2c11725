import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

const FIRST = 10_000
/** So many ports for each of the workers that run test files at the same time: no two of them ever choose the same one. */
const SHARE = 2_000
const WORKERS = 11

let next = randomInt(SHARE)

/**
 * A port of loopback that nobody has, that this process was not given before, and that nobody is given by chance while its
 * server is not there yet or is down: it lies below the range from which systems take the ports of outgoing connections (a
 * client that knocks at such a port can even reach itself).
 */
export const freePort = async (): Promise<number> => {
  const first = FIRST + SHARE * (Number(process.env['VITEST_POOL_ID'] ?? 0) % WORKERS)
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = first + (next++ % SHARE)
    if (await isFree(port)) return port
  }
  throw new Error(`no free port from ${first} to ${first + SHARE - 1} on 127.0.0.1 in 100 attempts`)
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
