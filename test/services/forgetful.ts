import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { childrenOf, TestServer } from '../support/test-server.js'

/** Two processes that do nothing, the second one started by the first. */
class Sleepers extends TestServer {
  constructor(folder: string) {
    super('sleepers', folder, { command: '/bin/sh', args: ['-c', 'sleep 600 & wait'], endsOn: 'SIGTERM' })
  }

  override launch(): Promise<void> {
    return super.launch()
  }

  protected answers(): Promise<boolean> {
    return Promise.resolve(childrenOf(this.pid).length === 1)
  }
}

// Starts a server and never stops it, as a program that is killed.
const sleepers = new Sleepers(mkdtempSync(join(tmpdir(), 'sleepers-')))
await sleepers.launch()
if (process.argv[2] === 'frozen') sleepers.freeze()
console.log(JSON.stringify({ pid: sleepers.pid, folder: sleepers.folder }))
if (process.argv[2] === 'exit') process.exit()
