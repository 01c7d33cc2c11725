import { existsSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../free-port.js'
import { TestServer } from '../test-server.js'
import { sendFaults } from './control.js'
import type { Faults } from './faults.js'

export interface KurrentDoubleOptions {
  /** Of the data of one append; default 1 MiB. */
  readonly maxAppendBytes?: number
  /** How long it goes on after SIGTERM; default 0, the real server some 5,000. */
  readonly graceMs?: number
}

/**
 * A program of its own that answers as an EventStoreDB 23.10.8 does (one node, insecure), as far as the ledger asks: single
 * streams, their metadata, and deletions. What it has answered is on the disk.
 */
export class KurrentDouble extends TestServer {
  readonly url: string
  /** All that it stores; while it is down, the file may be copied, and replaced by an older copy. */
  readonly dataFile: string

  private constructor(
    folder: string,
    readonly port: number,
    private readonly control: number,
    { maxAppendBytes, graceMs }: KurrentDoubleOptions,
  ) {
    const dataFile = join(folder, 'events')
    const options = {
      file: dataFile,
      port,
      control,
      ...(maxAppendBytes !== undefined && { 'max-append-bytes': maxAppendBytes }),
      ...(graceMs !== undefined && { 'grace-ms': graceMs }),
    }
    const args = [...program(), ...Object.entries(options).map(([name, value]) => `--${name}=${value}`)]
    super('KurrentDB double', folder, { command: process.execPath, args, endsOn: 'SIGTERM' })
    this.dataFile = dataFile
    this.url = `esdb://127.0.0.1:${port}?tls=false`
  }

  /** One that serves, and stores nothing yet. */
  static async start(options: KurrentDoubleOptions = {}): Promise<KurrentDouble> {
    const folder = await mkdtemp(join(tmpdir(), 'kurrent-'))
    const double = new KurrentDouble(folder, await freePort(), await freePort(), options)
    try {
      await double.launch()
      return double
    } catch (error) {
      await double.stop()
      throw error
    }
  }

  /** Does these faults from now on and no others. A start forgets them. */
  async misbehave(faults: Partial<Faults>): Promise<void> {
    await sendFaults(this.control, faults)
  }

  /** Does everything well again. */
  async behave(): Promise<void> {
    await this.misbehave({})
  }

  protected async answers(): Promise<boolean> {
    try {
      return (await fetch(`http://127.0.0.1:${this.control}`)).ok
    } catch {
      return false
    }
  }
}

/** How Node runs the program beside this file: as it is where that is compiled, and else through the hooks. */
const program = (): readonly string[] => {
  const compiled = fileURLToPath(new URL('program.js', import.meta.url))
  const hooks = fileURLToPath(new URL('../typescript-hooks.mjs', import.meta.url))
  return existsSync(compiled) ? [compiled] : ['--import', hooks, compiled.replace(/js$/, 'ts')]
}
